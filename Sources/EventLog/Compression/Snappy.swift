import NIOCore

/// Snappy: the raw format and the framing of the Java library that Kafka clients use ("xerial").
enum Snappy: Decompressor {
    private static let xerialMagic: [UInt8] = [0x82, 0x53, 0x4E, 0x41, 0x50, 0x50, 0x59, 0x00]

    static func decompress(_ input: ByteBuffer, limit: Int) -> [UInt8]? {
        guard input.readableBytesView.starts(with: xerialMagic) else { return unfold(input, limit: limit) }
        var input = input
        // Magic, version, compatible version; then blocks, each after its length.
        guard input.readSlice(length: 16) != nil else { return nil }
        var output: [UInt8] = []
        while input.readableBytes > 0 {
            guard let length = input.readInteger(as: UInt32.self), let block = input.readSlice(length: Int(length)),
                let part = unfold(block, limit: limit - output.count)
            else { return nil }
            output += part
        }
        return output
    }

    /// One raw block (format description in google/snappy).
    private static func unfold(_ block: ByteBuffer, limit: Int) -> [UInt8]? {
        var reader = WireReader(block, version: 0, isFlexible: true)
        guard let length = try? reader.unsignedVarint(), Int(length) <= limit else { return nil }
        let size = Int(length)
        var block = reader.buffer
        var output: [UInt8] = []
        output.reserveCapacity(min(size, 1 << 20))
        while let tag = block.readInteger(as: UInt8.self) {
            let isValid: Bool
            switch tag & 3 {
            case 0:
                let short = Int(tag >> 2)
                guard let length = short < 60 ? short : littleEndian(short - 59, &block) else { return nil }
                isValid = output.appendRun(block.readSlice(length: length + 1), limit: size)
            case 1:
                guard let low = littleEndian(1, &block) else { return nil }
                let distance = Int(tag >> 5) << 8 | low
                isValid = output.appendMatch(distance: distance, count: Int(tag >> 2 & 7) + 4, limit: size)
            default:
                guard let distance = littleEndian(tag & 3 == 2 ? 2 : 4, &block) else { return nil }
                isValid = output.appendMatch(distance: distance, count: Int(tag >> 2) + 1, limit: size)
            }
            guard isValid else { return nil }
        }
        return output.count == size ? output : nil
    }

    private static func littleEndian(_ count: Int, _ block: inout ByteBuffer) -> Int? {
        block.readBytes(length: count)?.reversed().reduce(0) { $0 << 8 | Int($1) }
    }
}
