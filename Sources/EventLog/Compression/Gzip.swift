/// gzip (RFC 1952) and DEFLATE (RFC 1951). The trailing checksum is not verified: the batch's own has been.
enum Gzip {
    /// Nil when the input is malformed or unfolds to more than `limit` bytes.
    static func decompress(_ input: [UInt8], limit: Int) -> [UInt8]? {
        var cursor = ByteCursor(input)
        guard cursor.byte() == 0x1F, cursor.byte() == 0x8B, cursor.byte() == 8, let flags = cursor.byte(),
            cursor.skip(6)
        else { return nil }
        if flags & 0x04 != 0 {
            guard let extra = cursor.littleEndian(2), cursor.skip(Int(extra)) else { return nil }
        }
        // File name and comment, each ended by a zero.
        for flag: UInt8 in [0x08, 0x10] where flags & flag != 0 {
            while true {
                guard let byte = cursor.byte() else { return nil }
                if byte == 0 { break }
            }
        }
        if flags & 0x02 != 0, !cursor.skip(2) { return nil }
        var inflater = Inflater(cursor, limit: limit)
        return inflater.run()
    }
}

/// A DEFLATE decoder in the manner of the RFC: canonical Huffman codes read bit by bit.
private struct Inflater {
    /// Symbols in the order of their codes, with the number of codes of each length.
    private struct Code {
        var counts = [Int](repeating: 0, count: 16)
        var symbols: [Int] = []

        /// Nil when the lengths name more codes than there are.
        init?(_ lengths: [Int]) {
            for length in lengths { counts[length] += 1 }
            counts[0] = 0
            var left = 1
            for length in 1...15 {
                left = left << 1 - counts[length]
                if left < 0 { return nil }
            }
            var offsets = [Int](repeating: 0, count: 16)
            for length in 1..<15 { offsets[length + 1] = offsets[length] + counts[length] }
            symbols = [Int](repeating: 0, count: lengths.count)
            for (symbol, length) in lengths.enumerated() where length > 0 {
                symbols[offsets[length]] = symbol
                offsets[length] += 1
            }
        }
    }

    private static let lengthBase = [
        3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227,
        258,
    ]
    private static let lengthBits = [
        0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0,
    ]
    private static let distanceBase = [
        1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513, 769, 1025, 1537, 2049, 3073, 4097,
        6145,
        8193, 12_289, 16_385, 24_577,
    ]
    private static let codeLengthOrder = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15]

    private var cursor: ByteCursor
    private var bitBuffer: UInt32 = 0
    private var bitCount = 0
    private let limit: Int
    private var output: [UInt8] = []

    init(_ cursor: ByteCursor, limit: Int) {
        self.cursor = cursor
        self.limit = limit
    }

    mutating func run() -> [UInt8]? {
        while true {
            guard let isLast = bits(1), let kind = bits(2) else { return nil }
            let isValid: Bool
            switch kind {
            case 0: isValid = stored()
            case 1: isValid = fixed()
            case 2: isValid = dynamic()
            default: return nil
            }
            guard isValid else { return nil }
            if isLast == 1 { return output }
        }
    }

    private mutating func bits(_ count: Int) -> Int? {
        while bitCount < count {
            guard let byte = cursor.byte() else { return nil }
            bitBuffer |= UInt32(byte) << UInt32(bitCount)
            bitCount += 8
        }
        let value = bitBuffer & (1 << UInt32(count) - 1)
        bitBuffer >>= UInt32(count)
        bitCount -= count
        return Int(value)
    }

    private mutating func symbol(_ code: Code) -> Int? {
        var value = 0
        var first = 0
        var index = 0
        for length in 1...15 {
            guard let bit = bits(1) else { return nil }
            value |= bit
            let count = code.counts[length]
            if value - count < first { return code.symbols[index + value - first] }
            index += count
            first = (first + count) << 1
            value <<= 1
        }
        return nil
    }

    private mutating func stored() -> Bool {
        bitBuffer = 0
        bitCount = 0
        guard let length = cursor.littleEndian(2), let inverse = cursor.littleEndian(2), length == ~inverse & 0xFFFF,
            let run = cursor.run(Int(length)), output.count + run.count <= limit
        else { return false }
        output += run
        return true
    }

    private mutating func fixed() -> Bool {
        let lengths =
            [Int](repeating: 8, count: 144) + [Int](repeating: 9, count: 112) + [Int](repeating: 7, count: 24)
            + [Int](repeating: 8, count: 8)
        guard let literals = Code(lengths), let distances = Code([Int](repeating: 5, count: 30)) else { return false }
        return codes(literals, distances)
    }

    private mutating func dynamic() -> Bool {
        guard let literalCount = bits(5).map({ $0 + 257 }), let distanceCount = bits(5).map({ $0 + 1 }),
            let codeCount = bits(4).map({ $0 + 4 }), literalCount <= 286, distanceCount <= 30
        else { return false }
        var lengths = [Int](repeating: 0, count: 19)
        for place in 0..<codeCount {
            guard let length = bits(3) else { return false }
            lengths[Self.codeLengthOrder[place]] = length
        }
        guard let code = Code(lengths) else { return false }
        var all: [Int] = []
        while all.count < literalCount + distanceCount {
            guard let symbol = symbol(code) else { return false }
            var repeated = 0
            var count = 1
            switch symbol {
            case 0..<16: repeated = symbol
            case 16:
                guard let last = all.last, let extra = bits(2) else { return false }
                repeated = last
                count = 3 + extra
            case 17:
                guard let extra = bits(3) else { return false }
                count = 3 + extra
            default:
                guard let extra = bits(7) else { return false }
                count = 11 + extra
            }
            guard all.count + count <= literalCount + distanceCount else { return false }
            all += [Int](repeating: repeated, count: count)
        }
        guard let literals = Code(Array(all.prefix(literalCount))),
            let distances = Code(Array(all.dropFirst(literalCount)))
        else { return false }
        return codes(literals, distances)
    }

    private mutating func codes(_ literals: Code, _ distances: Code) -> Bool {
        while true {
            guard let symbol = symbol(literals) else { return false }
            if symbol < 256 {
                guard output.count < limit else { return false }
                output.append(UInt8(symbol))
            } else if symbol == 256 {
                return true
            } else {
                let place = symbol - 257
                guard place < Self.lengthBase.count, let extra = bits(Self.lengthBits[place]),
                    let distanceSymbol = self.symbol(distances), distanceSymbol < Self.distanceBase.count,
                    let more = bits(distanceSymbol < 2 ? 0 : distanceSymbol / 2 - 1),
                    output.appendMatch(
                        distance: Self.distanceBase[distanceSymbol] + more,
                        count: Self.lengthBase[place] + extra,
                        limit: limit
                    )
                else { return false }
            }
        }
    }
}
