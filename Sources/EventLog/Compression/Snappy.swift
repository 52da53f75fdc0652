/// Snappy: the raw format and the framing of the Java library that Kafka clients use ("xerial").
enum Snappy: Decompressor {
    private static let xerialMagic: [UInt8] = [0x82, 0x53, 0x4E, 0x41, 0x50, 0x50, 0x59, 0x00]

    static func decompress(_ input: [UInt8], limit: Int) -> [UInt8]? {
        guard input.starts(with: xerialMagic) else { return block(input, 0, input.count, limit: limit) }
        // Magic, version, compatible version; then blocks, each after its big-endian length.
        var cursor = ByteCursor(input, from: 16)
        var output: [UInt8] = []
        while cursor.remaining > 0 {
            guard let length = cursor.bigEndian32(), Int(length) <= cursor.remaining else { return nil }
            let start = cursor.position
            guard let part = block(input, start, start + Int(length), limit: limit - output.count),
                cursor.skip(Int(length))
            else { return nil }
            output += part
        }
        return output
    }

    /// One raw block (format description in google/snappy).
    private static func block(_ input: [UInt8], _ start: Int, _ end: Int, limit: Int) -> [UInt8]? {
        var cursor = ByteCursor(input, from: start, to: end)
        var size = 0
        var shift = 0
        while true {
            guard shift < 35, let byte = cursor.byte() else { return nil }
            size |= Int(byte & 0x7F) << shift
            if byte & 0x80 == 0 { break }
            shift += 7
        }
        guard size <= limit else { return nil }
        var output: [UInt8] = []
        output.reserveCapacity(min(size, 1 << 20))
        while cursor.remaining > 0 {
            guard let tag = cursor.byte() else { return nil }
            let isValid: Bool
            switch tag & 3 {
            case 0:
                var length = Int(tag >> 2)
                if length >= 60 {
                    guard let long = cursor.littleEndian(length - 59) else { return nil }
                    length = Int(long)
                }
                guard let run = cursor.run(length + 1), output.count + run.count <= size else { return nil }
                output += run
                isValid = true
            case 1:
                guard let low = cursor.byte() else { return nil }
                let distance = Int(tag >> 5) << 8 | Int(low)
                isValid = output.appendMatch(distance: distance, count: Int(tag >> 2 & 7) + 4, limit: size)
            case 2:
                guard let distance = cursor.littleEndian(2) else { return nil }
                isValid = output.appendMatch(distance: Int(distance), count: Int(tag >> 2) + 1, limit: size)
            default:
                guard let distance = cursor.littleEndian(4) else { return nil }
                isValid = output.appendMatch(distance: Int(distance), count: Int(tag >> 2) + 1, limit: size)
            }
            guard isValid else { return nil }
        }
        return output.count == size ? output : nil
    }
}
