import CEventLogChecksum
import NIOCore

/// The fixed first 61 bytes of a record batch of format 2, the only one that is stored.
///
/// Layout (big endian): 0 base offset · 8 length of what follows · 12 leader epoch · 16 magic · 17 CRC-32C of byte 21 to
/// the end · 21 attributes · 23 last offset delta · 27 base timestamp · 35 max timestamp · 43 producer id · 51 producer
/// epoch · 53 base sequence · 57 record count · 61 records.
struct BatchHeader: Equatable, Sendable {
    static let size = 61
    /// Bytes before the ones that the length field counts.
    static let lengthPrefix = 12
    static let leaderEpochPosition = 12
    static let magicPosition = 16
    static let crcPosition = 17
    static let crcStart = 21
    static let maxTimestampPosition = 35
    static let logAppendTimeFlag: Int16 = 0x08
    static let transactionalFlag: Int16 = 0x10
    static let controlFlag: Int16 = 0x20

    var baseOffset: Int64
    /// Bytes of the whole batch, header included.
    var totalSize: Int
    var leaderEpoch: Int32
    var crc: UInt32
    var attributes: Int16
    var lastOffsetDelta: Int32
    var baseTimestamp: Int64
    var maxTimestamp: Int64
    var producerId: Int64
    var producerEpoch: Int16
    var baseSequence: Int32
    var recordCount: Int32

    /// 0 none, 1 gzip, 2 snappy, 3 lz4, 4 zstd; 5–7 mean nothing.
    var codec: Int16 { attributes & 0x07 }
    var hasProducer: Bool { producerId >= 0 }
    /// The offset after the batch's last one. Offsets are below 2^62 wherever a header passed ``isPlausible``.
    var nextOffset: Int64 { baseOffset + Int64(lastOffsetDelta) + 1 }

    /// Reads the header at `index`, or nil when fewer than 61 bytes are there or the format is not 2.
    init?(_ buffer: ByteBuffer, at index: Int) {
        guard index >= 0, buffer.writerIndex - index >= Self.size,
            buffer.getInteger(at: index + Self.magicPosition, as: Int8.self) == 2,
            let baseOffset = buffer.getInteger(at: index, as: Int64.self),
            let length = buffer.getInteger(at: index + 8, as: Int32.self),
            let leaderEpoch = buffer.getInteger(at: index + 12, as: Int32.self),
            let crc = buffer.getInteger(at: index + 17, as: UInt32.self),
            let attributes = buffer.getInteger(at: index + 21, as: Int16.self),
            let lastOffsetDelta = buffer.getInteger(at: index + 23, as: Int32.self),
            let baseTimestamp = buffer.getInteger(at: index + 27, as: Int64.self),
            let maxTimestamp = buffer.getInteger(at: index + 35, as: Int64.self),
            let producerId = buffer.getInteger(at: index + 43, as: Int64.self),
            let producerEpoch = buffer.getInteger(at: index + 51, as: Int16.self),
            let baseSequence = buffer.getInteger(at: index + 53, as: Int32.self),
            let recordCount = buffer.getInteger(at: index + 57, as: Int32.self)
        else { return nil }
        self.baseOffset = baseOffset
        self.totalSize = Self.lengthPrefix + Int(length)
        self.leaderEpoch = leaderEpoch
        self.crc = crc
        self.attributes = attributes
        self.lastOffsetDelta = lastOffsetDelta
        self.baseTimestamp = baseTimestamp
        self.maxTimestamp = maxTimestamp
        self.producerId = producerId
        self.producerEpoch = producerEpoch
        self.baseSequence = baseSequence
        self.recordCount = recordCount
    }

    /// Whether the numbers can be those of a stored batch; checked before any of them is calculated with.
    var isPlausible: Bool {
        totalSize >= Self.size && lastOffsetDelta >= 0 && baseOffset >= 0 && baseOffset < 1 << 62
    }

    /// The sequence number of the batch's last record; sequences wrap from Int32.max to 0.
    var lastSequence: Int32 { Self.sequence(baseSequence, advancedBy: lastOffsetDelta) }

    /// `sequence + count` in the ring 0…Int32.max.
    static func sequence(_ sequence: Int32, advancedBy count: Int32) -> Int32 {
        Int32(truncatingIfNeeded: (Int64(sequence) + Int64(count)) & 0x7FFF_FFFF)
    }
}

/// CRC-32C (Castagnoli).
enum Checksum {
    static func crc32c(_ buffer: ByteBuffer, from index: Int, count: Int, seed: UInt32 = 0) -> UInt32 {
        buffer.withVeryUnsafeBytes { bytes in
            // `index` counts from the buffer's start, as reader and writer indices do.
            guard index >= 0, count >= 0, index + count <= bytes.count else { return 0 }
            return event_log_crc32c(seed, bytes.baseAddress.map { $0 + index }, count)
        }
    }
}

/// The checks on batches, for what producers send and for what recovery finds on disk.
enum BatchCheck {
    /// Checks one batch that a producer sent: exactly one batch of format 2, with a right checksum, no control or
    /// transactional batch, consecutive records. Reads no keys or values.
    static func produced(_ records: ByteBuffer, maxBytes: Int) -> Result<BatchHeader, BatchRefusal> {
        let start = records.readerIndex
        let size = records.readableBytes
        guard size <= maxBytes else { return .failure(.init(.messageTooLarge, "the batch exceeds max.message.bytes")) }
        guard size >= BatchHeader.size else {
            return .failure(.init(.corruptMessage, "the batch is shorter than its header"))
        }
        if let magic = records.getInteger(at: start + BatchHeader.magicPosition, as: Int8.self), magic != 2 {
            return .failure(.init(.unsupportedForMessageFormat, "only record batch format 2 is supported"))
        }
        guard let header = BatchHeader(records, at: start) else {
            return .failure(.init(.corruptMessage, "the batch header is unreadable"))
        }
        guard header.totalSize == size else {
            return .failure(.init(.invalidRecord, "one whole batch per partition is expected"))
        }
        guard isIntact(records, at: start, header: header) else {
            return .failure(.init(.corruptMessage, "the checksum is wrong"))
        }
        guard header.baseOffset == 0 else { return .failure(.init(.invalidRecord, "the base offset must be 0")) }
        guard header.codec <= 4 else {
            return .failure(.init(.unsupportedCompressionType, "unknown compression codec"))
        }
        guard header.attributes & (BatchHeader.controlFlag | BatchHeader.transactionalFlag) == 0 else {
            return .failure(.init(.invalidRecord, "control and transactional batches are not supported"))
        }
        guard header.recordCount > 0, header.lastOffsetDelta == header.recordCount - 1 else {
            return .failure(.init(.invalidRecord, "record count and last offset delta disagree"))
        }
        if header.hasProducer {
            guard header.producerEpoch >= 0, header.baseSequence >= 0 else {
                return .failure(.init(.invalidRecord, "a producer id needs an epoch and a sequence"))
            }
        }
        if header.codec == 0, !RecordWalk.isConsistent(records, header: header) {
            return .failure(.init(.invalidRecord, "the records are malformed"))
        }
        return .success(header)
    }

    /// Whether the whole batch at `index` is there and its checksum right.
    static func isIntact(_ buffer: ByteBuffer, at index: Int, header: BatchHeader) -> Bool {
        guard header.totalSize >= BatchHeader.size, index + header.totalSize <= buffer.writerIndex else { return false }
        return Checksum.crc32c(
            buffer,
            from: index + BatchHeader.crcStart,
            count: header.totalSize - BatchHeader.crcStart
        ) == header.crc
    }

    /// A batch with base offset and leader epoch set, in two parts: its first 16 bytes, written anew, and the rest as it
    /// came. Both fields lie outside the checksum, and the rest is not copied.
    static func stamped(_ records: ByteBuffer, baseOffset: Int64, leaderEpoch: Int32) -> [ByteBuffer] {
        var prefix = ByteBufferAllocator().buffer(capacity: BatchHeader.magicPosition)
        let start = records.readerIndex
        prefix.writeInteger(baseOffset)
        prefix.writeInteger(records.getInteger(at: start + 8, as: Int32.self) ?? 0)
        prefix.writeInteger(leaderEpoch)
        let rest = records.getSlice(
            at: start + BatchHeader.magicPosition,
            length: records.readableBytes - BatchHeader.magicPosition
        )
        return [prefix, rest ?? ByteBuffer()]
    }

    /// Turns the batch's timestamps into the time of appending; this changes bytes under the checksum.
    static func stampAppendTime(_ records: inout ByteBuffer, attributes: Int16, time: Int64) {
        let start = records.readerIndex
        records.setInteger(attributes | BatchHeader.logAppendTimeFlag, at: start + BatchHeader.crcStart)
        records.setInteger(time, at: start + BatchHeader.maxTimestampPosition)
        let crc = Checksum.crc32c(
            records,
            from: start + BatchHeader.crcStart,
            count: records.readableBytes - BatchHeader.crcStart
        )
        records.setInteger(crc, at: start + BatchHeader.crcPosition)
    }
}

/// Why a produced batch is refused.
struct BatchRefusal: Error {
    let code: ErrorCode
    let reason: String

    init(_ code: ErrorCode, _ reason: String) {
        self.code = code
        self.reason = reason
    }
}
