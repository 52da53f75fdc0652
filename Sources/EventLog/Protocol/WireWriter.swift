import NIOCore

/// Writes a message. Large byte fields (record batches) are not copied: the result is a list of buffers that are
/// handed to the socket in one gathering write.
struct WireWriter: WireCoder {
    /// Byte fields from this size on become buffers of their own.
    static let copyLimit = 2048

    let version: Int16
    let isFlexible: Bool
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
    mutating func message<Message: WireStruct>(_ message: Message) {
        var message = message
        // The writer throws nothing; the protocol's signature is the reader's.
        do throws(WireError) { try message.code(&self) } catch { preconditionFailure("Writing threw \(error).") }
    }

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

    mutating func bool(_ value: inout Bool) { current.writeInteger(value ? UInt8(1) : 0) }
    mutating func int8(_ value: inout Int8) { current.writeInteger(value) }
    mutating func int16(_ value: inout Int16) { current.writeInteger(value) }
    mutating func int32(_ value: inout Int32) { current.writeInteger(value) }
    mutating func int64(_ value: inout Int64) { current.writeInteger(value) }

    mutating func uuid(_ value: inout TopicID) {
        current.writeInteger(value.high)
        current.writeInteger(value.low)
    }

    mutating func unsignedVarint(_ value: UInt32) {
        var rest = value
        while rest >= 0x80 {
            current.writeInteger(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        current.writeInteger(UInt8(truncatingIfNeeded: rest))
    }

    private mutating func shortLength(_ length: Int?) {
        if isFlexible {
            unsignedVarint(length.map { UInt32(clamping: $0 + 1) } ?? 0)
        } else {
            current.writeInteger(Int16(clamping: length ?? -1))
        }
    }

    private mutating func longLength(_ length: Int?) {
        if isFlexible {
            unsignedVarint(length.map { UInt32(clamping: $0 + 1) } ?? 0)
        } else {
            current.writeInteger(Int32(clamping: length ?? -1))
        }
    }

    mutating func string(_ value: inout String) {
        var optional: String? = value
        nullableString(&optional)
    }

    mutating func nullableString(_ value: inout String?) {
        guard let value else {
            shortLength(nil)
            return
        }
        // A classic string's length has 16 bits; nothing this server writes comes near (names ≤ 249, messages ≤ 4096).
        let utf8 = value.utf8.prefix(Int(Int16.max))
        shortLength(utf8.count)
        current.writeBytes(utf8)
    }

    mutating func bytes(_ value: inout ByteBuffer) {
        longLength(value.readableBytes)
        raw(value)
    }

    mutating func nullableBytes(_ value: inout ByteBuffer?) {
        longLength(value?.readableBytes)
        if let value { raw(value) }
    }

    mutating func array<Element: WireStruct>(_ value: inout [Element]) throws(WireError) {
        longLength(value.count)
        for element in value {
            var element = element
            try element.code(&self)
        }
    }

    mutating func nullableArray<Element: WireStruct>(_ value: inout [Element]?) throws(WireError) {
        guard var present = value else {
            longLength(nil)
            return
        }
        try array(&present)
    }

    mutating func int32Array(_ value: inout [Int32]) {
        longLength(value.count)
        for element in value { current.writeInteger(element) }
    }

    mutating func int64Array(_ value: inout [Int64]) {
        longLength(value.count)
        for element in value { current.writeInteger(element) }
    }

    mutating func stringArray(_ value: inout [String]) {
        longLength(value.count)
        for element in value {
            var element = element
            string(&element)
        }
    }

    mutating func nullableStringArray(_ value: inout [String]?) {
        guard var present = value else {
            longLength(nil)
            return
        }
        stringArray(&present)
    }

    mutating func tags() {
        if isFlexible { unsignedVarint(0) }
    }
}
