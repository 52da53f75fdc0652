/// A 64-bit digest of a message: the first half of MurmurHash3 x64 128 with seed 0 (Austin Appleby, public domain).
///
/// It tells two contents under one message id apart by accident, not against an adversary: who can send messages under a
/// chosen id can as well send none. Stored in rows, so it must never change.
public enum PayloadHash {
    /// Digest of what identifies a message's content: type, subject and body.
    public static func of(type: String, subject: String, body: [UInt8]) -> Int64 {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(type.utf8.count + subject.utf8.count + body.count + 2)
        bytes.append(contentsOf: type.utf8)
        bytes.append(0)
        bytes.append(contentsOf: subject.utf8)
        bytes.append(0)
        bytes.append(contentsOf: body)
        return Int64(bitPattern: murmur3(bytes).high)
    }

    static func murmur3(_ bytes: [UInt8]) -> (high: UInt64, low: UInt64) {
        bytes.withUnsafeBytes { buffer in
            let c1: UInt64 = 0x87c3_7b91_1142_53d5
            let c2: UInt64 = 0x4cf5_ad43_2745_937f
            var h1: UInt64 = 0
            var h2: UInt64 = 0
            let blocks = buffer.count / 16
            for block in 0..<blocks {
                let k1 = UInt64(littleEndian: buffer.loadUnaligned(fromByteOffset: block * 16, as: UInt64.self))
                let k2 = UInt64(littleEndian: buffer.loadUnaligned(fromByteOffset: block * 16 + 8, as: UInt64.self))
                h1 ^= rotate(k1 &* c1, 31) &* c2
                h1 = (rotate(h1, 27) &+ h2) &* 5 &+ 0x52dc_e729
                h2 ^= rotate(k2 &* c2, 33) &* c1
                h2 = (rotate(h2, 31) &+ h1) &* 5 &+ 0x3849_5ab5
            }
            var k1: UInt64 = 0
            var k2: UInt64 = 0
            for (index, byte) in buffer[(blocks * 16)...].enumerated() {
                if index < 8 {
                    k1 |= UInt64(byte) << UInt64(8 * index)
                } else {
                    k2 |= UInt64(byte) << UInt64(8 * (index - 8))
                }
            }
            h2 ^= rotate(k2 &* c2, 33) &* c1
            h1 ^= rotate(k1 &* c1, 31) &* c2
            h1 ^= UInt64(buffer.count)
            h2 ^= UInt64(buffer.count)
            h1 = h1 &+ h2
            h2 = h2 &+ h1
            h1 = mix(h1)
            h2 = mix(h2)
            h1 = h1 &+ h2
            h2 = h2 &+ h1
            return (h1, h2)
        }
    }

    private static func rotate(_ value: UInt64, _ count: UInt64) -> UInt64 { value << count | value >> (64 - count) }

    private static func mix(_ value: UInt64) -> UInt64 {
        var value = value
        value ^= value >> 33
        value = value &* 0xff51_afd7_ed55_8ccd
        value ^= value >> 33
        value = value &* 0xc4ce_b9fe_1a85_ec53
        return value ^ value >> 33
    }
}
