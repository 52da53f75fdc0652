import NIOCore

/// Walks the records of a batch without copying keys or values.
struct RecordWalk {
    struct Record: Equatable {
        var offset: Int64
        var timestamp: Int64
    }

    private var buffer: ByteBuffer
    private let baseOffset: Int64
    private let baseTimestamp: Int64
    /// The batch's one time when it was stamped on appending.
    private let appendTime: Int64?
    private var remaining: Int32

    /// Starts at the first record of `records`, the batch's (decompressed) part after the header.
    init(records: ByteBuffer, header: BatchHeader) {
        buffer = records
        baseOffset = header.baseOffset
        baseTimestamp = header.baseTimestamp
        appendTime = header.attributes & BatchHeader.logAppendTimeFlag != 0 ? header.maxTimestamp : nil
        remaining = header.recordCount
    }

    /// The next record, or nil at the end or at bytes that are no record.
    mutating func next() -> Record? {
        guard remaining > 0, let length = buffer.readZigZag(), length > 0, length <= Int64(buffer.readableBytes),
            var body = buffer.readSlice(length: Int(length)),
            body.readInteger(as: Int8.self) != nil,
            let timestampDelta = body.readZigZag(), let offsetDelta = body.readZigZag()
        else { return nil }
        remaining -= 1
        let timestamp = appendTime ?? (baseTimestamp &+ timestampDelta)
        return Record(offset: baseOffset &+ offsetDelta, timestamp: timestamp)
    }

    /// Whether an uncompressed batch holds exactly the records its header announces, numbered 0, 1, 2 … This is on the
    /// path of every produced batch, so it works on memory; every read is checked against the end.
    static func isConsistent(_ batch: ByteBuffer, header: BatchHeader) -> Bool {
        batch.withUnsafeReadableBytes { bytes in
            var cursor = MemoryCursor(bytes: bytes, position: BatchHeader.size)
            for expected in 0..<Int64(header.recordCount) {
                guard let length = cursor.zigZag(), length > 0, length <= Int64(bytes.count - cursor.position) else {
                    return false
                }
                let end = cursor.position + Int(length)
                // Attributes, timestamp delta, offset delta.
                cursor.position += 1
                guard cursor.zigZag() != nil, cursor.zigZag() == expected, cursor.position <= end else { return false }
                cursor.position = end
            }
            return cursor.position == bytes.count
        }
    }
}

/// Reads varints from memory.
private struct MemoryCursor {
    let bytes: UnsafeRawBufferPointer
    var position: Int

    mutating func zigZag() -> Int64? {
        var result: UInt64 = 0
        var shift: UInt64 = 0
        while shift < 64, position < bytes.count {
            let byte = bytes[position]
            position += 1
            result |= UInt64(byte & 0x7F) << shift
            if byte & 0x80 == 0 { return Int64(bitPattern: (result >> 1) ^ (~(result & 1) &+ 1)) }
            shift += 7
        }
        return nil
    }
}

extension ByteBuffer {
    /// A zigzag varint of at most 64 bits, or nil when it is cut short or too long.
    mutating func readZigZag() -> Int64? {
        let (value, size) = withUnsafeReadableBytes { bytes in
            var cursor = MemoryCursor(bytes: bytes, position: 0)
            return (cursor.zigZag(), cursor.position)
        }
        moveReaderIndex(forwardBy: size)
        return value
    }
}
