import NIOCore

/// Writes a message. Large byte fields (record batches) are not copied: the result is a list of buffers that are
/// handed to the socket in one gathering write.
struct WireWriter {
    /// Byte fields from this size on become buffers of their own.
    static let copyLimit = 2048

    let version: Int16
    var isFlexible: Bool
    private var chunks: [ByteBuffer] = []
    private var current = ByteBuffer()
    private var flushedBytes = 0

    init(version: Int16, isFlexible: Bool) {
        self.version = version
        self.isFlexible = isFlexible
    }

    /// Bytes written so far.
    var byteCount: Int { flushedBytes + current.writerIndex }

    /// The buffers written, in order.
    mutating func finish() -> [ByteBuffer] {
        flushCurrent()
        return chunks
    }

    /// The bytes written as one buffer; copies.
    mutating func finishContiguous() -> ByteBuffer {
        var whole = ByteBuffer()
        for chunk in finish() { whole.writeImmutableBuffer(chunk) }
        return whole
    }

    /// Writes a whole message.
    mutating func message(_ message: some WireStruct) { message.put(into: &self) }

    private mutating func flushCurrent() {
        guard current.readableBytes > 0 else { return }
        flushedBytes += current.writerIndex
        chunks.append(current)
        current = ByteBuffer()
    }

    /// Appends raw bytes.
    mutating func raw(_ buffer: ByteBuffer) {
        if buffer.readableBytes >= Self.copyLimit {
            flushCurrent()
            flushedBytes += buffer.readableBytes
            chunks.append(buffer)
        } else {
            current.writeImmutableBuffer(buffer)
        }
    }

    mutating func bytes(_ bytes: some Sequence<UInt8>) { current.writeBytes(bytes) }

    mutating func integer(_ value: some FixedWidthInteger) { current.writeInteger(value) }

    mutating func unsignedVarint(_ value: UInt32) {
        var rest = value
        while rest >= 0x80 {
            current.writeInteger(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        current.writeInteger(UInt8(truncatingIfNeeded: rest))
    }

    /// A length or count, nil for null; see ``WireReader/length(isShort:)``.
    mutating func length(_ length: Int?, isShort: Bool = false) {
        if isFlexible {
            unsignedVarint(length.map { UInt32(clamping: $0 + 1) } ?? 0)
        } else if isShort {
            integer(Int16(clamping: length ?? -1))
        } else {
            integer(Int32(clamping: length ?? -1))
        }
    }

    /// The section that ends every struct in flexible versions.
    mutating func tags(_ fields: [(tag: UInt32, put: (inout WireWriter) -> Void)] = []) {
        guard isFlexible else { return }
        unsignedVarint(UInt32(fields.count))
        for (tag, put) in fields {
            unsignedVarint(tag)
            var inner = WireWriter(version: version, isFlexible: true)
            put(&inner)
            unsignedVarint(UInt32(inner.byteCount))
            for chunk in inner.finish() { raw(chunk) }
        }
    }
}
