import NIOCore

/// Reads the records of compressed batches, for lookups by time only: batches are stored and served as they came.
///
/// gzip, snappy and lz4 are decoded here, in a few hundred lines without a C library. zstd is not: its lookups are answered
/// with the batch's first offset, which is never later than the exact one, so a client only reads a little more.
enum Decompression {
    /// A batch's records may unfold to this many bytes; what is larger is treated like an unknown codec.
    static let limit = 64 << 20

    /// The records of a batch, or nil when its codec is not built in or its bytes make no sense.
    static func records(of batch: ByteBuffer, header: BatchHeader) -> ByteBuffer? {
        guard
            let payload = batch.getSlice(
                at: batch.readerIndex + BatchHeader.size,
                length: batch.readableBytes - BatchHeader.size
            )
        else { return nil }
        if header.codec == 0 { return payload }
        let bytes = Array(payload.readableBytesView)
        let unfolded: [UInt8]? =
            switch header.codec {
            case 1: Gzip.decompress(bytes, limit: limit)
            case 2: Snappy.decompress(bytes, limit: limit)
            case 3: LZ4.decompress(bytes, limit: limit)
            default: nil
            }
        return unfolded.map { ByteBuffer(bytes: $0) }
    }
}

/// Reads little-endian numbers and runs of bytes from an array; every read is checked.
struct ByteCursor {
    private let bytes: [UInt8]
    private let end: Int
    private(set) var position: Int

    init(_ bytes: [UInt8], from position: Int = 0, to end: Int? = nil) {
        self.bytes = bytes
        self.position = position
        self.end = min(end ?? bytes.count, bytes.count)
    }

    var remaining: Int { end - position }

    mutating func byte() -> UInt8? {
        guard position < end else { return nil }
        defer { position += 1 }
        return bytes[position]
    }

    mutating func littleEndian(_ count: Int) -> UInt32? {
        guard remaining >= count else { return nil }
        var value: UInt32 = 0
        for place in 0..<count { value |= UInt32(bytes[position + place]) << (8 * UInt32(place)) }
        position += count
        return value
    }

    mutating func bigEndian32() -> UInt32? { littleEndian(4).map(\.byteSwapped) }

    mutating func skip(_ count: Int) -> Bool {
        guard count >= 0, remaining >= count else { return false }
        position += count
        return true
    }

    mutating func run(_ count: Int) -> ArraySlice<UInt8>? {
        guard count >= 0, remaining >= count else { return nil }
        defer { position += count }
        return bytes[position..<position + count]
    }
}

extension [UInt8] {
    /// Appends `count` bytes that begin `distance` before the end; the run may overlap what it appends.
    mutating func appendMatch(distance: Int, count: Int, limit: Int) -> Bool {
        guard distance > 0, distance <= self.count, count >= 0, self.count + count <= limit else { return false }
        var source = self.count - distance
        for _ in 0..<count {
            append(self[source])
            source += 1
        }
        return true
    }
}
