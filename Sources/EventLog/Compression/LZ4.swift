import NIOCore

/// LZ4 frames (lz4_Frame_format.md). Checksums are not verified: the batch's own has been.
enum LZ4: Decompressor {
    private static let magic: UInt32 = 0x184D_2204

    static func decompress(_ input: ByteBuffer, limit: Int) -> [UInt8]? {
        var input = input
        guard input.readInteger(endianness: .little, as: UInt32.self) == magic,
            let flags = input.readInteger(as: UInt8.self), flags >> 6 == 1,
            // Block descriptor, content size, dictionary id, header checksum.
            input.readSlice(length: 2 + (flags & 0x08 != 0 ? 8 : 0) + (flags & 0x01 != 0 ? 4 : 0)) != nil
        else { return nil }
        let hasBlockChecksum = flags & 0x10 != 0
        var output: [UInt8] = []
        while let header = input.readInteger(endianness: .little, as: UInt32.self) {
            if header == 0 { return output }
            guard var block = input.readSlice(length: Int(header & 0x7FFF_FFFF)) else { return nil }
            // Blocks may refer to earlier ones, so all share one output.
            let isPlain = header & 0x8000_0000 != 0
            guard isPlain ? output.appendRun(block, limit: limit) : unfold(&block, into: &output, limit: limit),
                !hasBlockChecksum || input.readSlice(length: 4) != nil
            else { return nil }
        }
        return nil
    }

    private static func unfold(_ block: inout ByteBuffer, into output: inout [UInt8], limit: Int) -> Bool {
        while let token = block.readInteger(as: UInt8.self) {
            guard let literals = length(Int(token >> 4), &block),
                output.appendRun(block.readSlice(length: literals), limit: limit)
            else { return false }
            // The last sequence has no match.
            if block.readableBytes == 0 { return true }
            guard let distance = block.readInteger(endianness: .little, as: UInt16.self),
                let extra = length(Int(token & 15), &block),
                output.appendMatch(distance: Int(distance), count: extra + 4, limit: limit)
            else { return false }
        }
        return true
    }

    private static func length(_ nibble: Int, _ block: inout ByteBuffer) -> Int? {
        var length = nibble
        guard nibble == 15 else { return length }
        while let byte = block.readInteger(as: UInt8.self) {
            length += Int(byte)
            if byte != 255 { return length }
        }
        return nil
    }
}
