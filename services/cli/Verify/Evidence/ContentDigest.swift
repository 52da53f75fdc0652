/// FNV-1a with 64 bits: tells two contents apart that differ by accident, not on purpose.
public struct ContentDigest: Sendable, Hashable {
    private var value: UInt64 = 0xcbf2_9ce4_8422_2325

    /// The digest of nothing.
    public init() {}

    /// The digest of one content, 16 hexadecimal digits.
    public static func text(of bytes: some Sequence<UInt8>) -> String {
        var digest = ContentDigest()
        digest.add(bytes)
        let digits = String(digest.value, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }

    /// Takes a content in. Where it ends counts: "ab" and "c" are not "a" and "bc".
    public mutating func add(_ bytes: some Sequence<UInt8>) {
        // Bytes that lie next to each other are read there, not one by one through a protocol.
        let isTaken: Void? = bytes.withContiguousStorageIfAvailable { bytes in
            for byte in bytes { mix(UInt64(byte)) }
        }
        if isTaken == nil {
            for byte in bytes { mix(UInt64(byte)) }
        }
        mix(0x100)
    }

    /// Takes a number in.
    public mutating func add(_ number: Int64) {
        mix(UInt64(bitPattern: number))
    }

    private mutating func mix(_ word: UInt64) {
        value = (value ^ word) &* 0x0000_0100_0000_01b3
    }
}
