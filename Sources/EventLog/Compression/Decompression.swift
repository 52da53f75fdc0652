import NIOCore

/// A codec of record batches.
protocol Decompressor: Sendable {
    /// Nil when the input is malformed or unfolds to more than `limit` bytes.
    static func decompress(_ input: ByteBuffer, limit: Int) -> [UInt8]?
}

/// Reads the records of compressed batches, for lookups by time only: batches are stored and served as they came.
enum Decompression {
    /// A batch's records may unfold to this many bytes; what is larger is treated like bytes that make no sense.
    static let limit = 64 << 20

    /// By the number in a batch's attributes.
    static let codecs: [Int16: any Decompressor.Type] = [
        1: Gzip.self, 2: Snappy.self, 3: LZ4.self, 4: Zstandard.self,
    ]

    /// The records of a batch, or nil when they cannot be unfolded.
    static func records(of batch: ByteBuffer, header: BatchHeader) -> ByteBuffer? {
        guard
            let payload = batch.getSlice(
                at: batch.readerIndex + BatchHeader.size,
                length: batch.readableBytes - BatchHeader.size
            )
        else { return nil }
        if header.codec == 0 { return payload }
        let unfolded = codecs[header.codec]?.decompress(payload, limit: limit)
        return unfolded.map { ByteBuffer(bytes: $0) }
    }

    /// Collects what a streaming decoder writes, chunk by chunk: `next` fills a chunk from its start and answers how many
    /// bytes that were and whether they were the last, or nil for malformed input.
    static func unfold(
        limit: Int,
        _ next: (UnsafeMutableBufferPointer<UInt8>) -> (count: Int, isEnd: Bool)?
    ) -> [UInt8]? {
        var output: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 64 << 10)
        while true {
            guard let (count, isEnd) = chunk.withUnsafeMutableBufferPointer({ next($0) }),
                output.count + count <= limit
            else { return nil }
            output += chunk.prefix(count)
            if isEnd { return output }
        }
    }
}

extension [UInt8] {
    /// Appends a run of bytes as it is; false when there is none or the limit is exceeded.
    mutating func appendRun(_ run: ByteBuffer?, limit: Int) -> Bool {
        guard let run, count + run.readableBytes <= limit else { return false }
        append(contentsOf: run.readableBytesView)
        return true
    }

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
