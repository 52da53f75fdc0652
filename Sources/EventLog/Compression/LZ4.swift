/// LZ4 frames (lz4_Frame_format.md). Checksums are not verified: the batch's own has been.
enum LZ4: Decompressor {
    private static let magic: UInt32 = 0x184D_2204

    static func decompress(_ input: [UInt8], limit: Int) -> [UInt8]? {
        var cursor = ByteCursor(input)
        guard cursor.littleEndian(4) == magic, let flags = cursor.byte(), flags >> 6 == 1, cursor.byte() != nil else {
            return nil
        }
        // Content size, dictionary id, header checksum.
        guard cursor.skip((flags & 0x08 != 0 ? 8 : 0) + (flags & 0x01 != 0 ? 4 : 0) + 1) else { return nil }
        let hasBlockChecksum = flags & 0x10 != 0
        var output: [UInt8] = []
        while true {
            guard let header = cursor.littleEndian(4) else { return nil }
            if header == 0 { return output }
            let size = Int(header & 0x7FFF_FFFF)
            guard size <= cursor.remaining else { return nil }
            if header & 0x8000_0000 != 0 {
                guard let run = cursor.run(size), output.count + size <= limit else { return nil }
                output += run
            } else {
                let start = cursor.position
                // Blocks may refer to earlier ones, so all share one output.
                guard block(input, start, start + size, into: &output, limit: limit), cursor.skip(size) else {
                    return nil
                }
            }
            if hasBlockChecksum, !cursor.skip(4) { return nil }
        }
    }

    private static func block(
        _ input: [UInt8],
        _ start: Int,
        _ end: Int,
        into output: inout [UInt8],
        limit: Int
    ) -> Bool {
        var cursor = ByteCursor(input, from: start, to: end)
        while cursor.remaining > 0 {
            guard let token = cursor.byte(), let literals = length(Int(token >> 4), &cursor),
                let run = cursor.run(literals), output.count + literals <= limit
            else { return false }
            output += run
            // The last sequence has no match.
            if cursor.remaining == 0 { return true }
            guard let distance = cursor.littleEndian(2), let extra = length(Int(token & 15), &cursor),
                output.appendMatch(distance: Int(distance), count: extra + 4, limit: limit)
            else { return false }
        }
        return true
    }

    private static func length(_ nibble: Int, _ cursor: inout ByteCursor) -> Int? {
        var length = nibble
        guard nibble == 15 else { return length }
        while true {
            guard let byte = cursor.byte() else { return nil }
            length += Int(byte)
            if byte != 255 { return length }
        }
    }
}
