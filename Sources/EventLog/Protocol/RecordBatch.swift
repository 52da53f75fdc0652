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
        typealias Fields = (Int64, Int32, Int32, Int8, UInt32, Int16, Int32, Int64, Int64, Int64, Int16, Int32, Int32)
        guard var bytes = buffer.getSlice(at: index, length: Self.size),
            let fields = bytes.readMultipleIntegers(as: Fields.self)
        else { return nil }
        let (length, magic): (Int32, Int8)
        (
            baseOffset, length, leaderEpoch, magic, crc, attributes, lastOffsetDelta, baseTimestamp, maxTimestamp,
            producerId, producerEpoch, baseSequence, recordCount
        ) = fields
        guard magic == 2 else { return nil }
        totalSize = Self.lengthPrefix + Int(length)
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
    static func produced(_ records: ByteBuffer, maxBytes: Int) throws(Refusal) -> BatchHeader {
        func require(_ isRight: Bool, _ code: ErrorCode, _ reason: String) throws(Refusal) {
            if !isRight { throw Refusal(code, reason) }
        }
        let (start, size) = (records.readerIndex, records.readableBytes)
        try require(size <= maxBytes, .messageTooLarge, "the batch exceeds max.message.bytes")
        try require(size >= BatchHeader.size, .corruptMessage, "the batch is shorter than its header")
        guard let header = BatchHeader(records, at: start) else {
            throw Refusal(.unsupportedForMessageFormat, "only record batch format 2 is supported")
        }
        try require(header.totalSize == size, .invalidRecord, "one whole batch per partition is expected")
        try require(isIntact(records, at: start, header: header), .corruptMessage, "the checksum is wrong")
        try require(header.baseOffset == 0, .invalidRecord, "the base offset must be 0")
        try require(header.codec <= 4, .unsupportedCompressionType, "unknown compression codec")
        let isPlain = header.attributes & (BatchHeader.controlFlag | BatchHeader.transactionalFlag) == 0
        try require(isPlain, .invalidRecord, "control and transactional batches are not supported")
        let isCounted = header.recordCount > 0 && header.lastOffsetDelta == header.recordCount - 1
        try require(isCounted, .invalidRecord, "record count and last offset delta disagree")
        let isSequenced = !header.hasProducer || header.producerEpoch >= 0 && header.baseSequence >= 0
        try require(isSequenced, .invalidRecord, "a producer id needs an epoch and a sequence")
        let isConsistent = header.codec != 0 || RecordWalk.isConsistent(records, header: header)
        try require(isConsistent, .invalidRecord, "the records are malformed")
        return header
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
        let length = records.getInteger(at: start + 8, as: Int32.self) ?? 0
        prefix.writeMultipleIntegers(baseOffset, length, leaderEpoch)
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
