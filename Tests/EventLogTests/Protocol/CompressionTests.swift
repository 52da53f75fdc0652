import Foundation
import NIOCore
import Testing

@testable import EventLog

/// The decoders against what the system's own tools and kafka-python produced; see `Fixtures/generate_compressed.py`.
@Suite struct CompressionTests {
    private struct Sample: Decodable {
        var name: String
        var codec: String
        var plain: String
        var packed: String
    }

    private static let samples: [Sample] = {
        guard let url = Bundle.module.url(forResource: "Fixtures/compressed", withExtension: "jsonl"),
            let text = try? String(contentsOf: url, encoding: .utf8)
        else { return [] }
        return text.split(separator: "\n").compactMap { try? JSONDecoder().decode(Sample.self, from: Data($0.utf8)) }
    }()

    private static func decode(_ codec: String, _ bytes: [UInt8], limit: Int = 1 << 20) -> [UInt8]? {
        let numbers: [String: Int16] = ["gzip": 1, "snappy": 2, "lz4": 3, "zstd": 4]
        return numbers[codec].flatMap { Decompression.codecs[$0]?.decompress(ByteBuffer(bytes: bytes), limit: limit) }
    }

    /// Up to 255 bytes packed in the simplest legal way of each codec: (attributes, payload).
    static func encoded(_ bytes: [UInt8]) -> [(Int16, [UInt8])] {
        let count = UInt16(bytes.count)
        let low = UInt8(truncatingIfNeeded: count)
        let high = UInt8(truncatingIfNeeded: count >> 8)
        // zlib checks gzip's trailer: the CRC-32 of the text and its length.
        let trailer = [crc32(bytes), UInt32(count)].flatMap { number in
            (0..<4).map { UInt8(truncatingIfNeeded: number >> (8 * $0)) }
        }
        let gzip: [UInt8] = [0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 3, 1, low, high, ~low, ~high] + bytes + trailer
        let snappy: [UInt8] = [low, 60 << 2, low &- 1] + bytes
        let lz4: [UInt8] = [0x04, 0x22, 0x4D, 0x18, 0x40, 0x40, 0, low, high, 0, 0x80] + bytes + [0, 0, 0, 0]
        let block = UInt16(count) << 3 | 1
        let zstd: [UInt8] = [
            0x28, 0xB5, 0x2F, 0xFD, 0x20, low, UInt8(truncatingIfNeeded: block), UInt8(truncatingIfNeeded: block >> 8),
            0,
        ]
        return [(1, gzip), (2, snappy), (3, lz4), (4, zstd + bytes)]
    }

    private static func crc32(_ bytes: [UInt8]) -> UInt32 {
        ~bytes.reduce(UInt32.max) { crc, byte in
            (0..<8).reduce(crc ^ UInt32(byte)) { value, _ in value >> 1 ^ (value & 1 == 1 ? 0xEDB8_8320 : 0) }
        }
    }

    @Test func samplesUnfold() {
        #expect(Set(Self.samples.map(\.codec)) == ["gzip", "snappy", "lz4", "zstd"])
        for sample in Self.samples {
            let plain = hexBytes(sample.plain)
            let unfolded = Self.decode(sample.codec, hexBytes(sample.packed)) == plain
            #expect(unfolded, "\(sample.codec) \(sample.name)")
            if !plain.isEmpty {
                #expect(Self.decode(sample.codec, hexBytes(sample.packed), limit: plain.count - 1) == nil)
            }
        }
    }

    @Test func damagedInputNeverTraps() {
        var random = SplitMix(seed: 4)
        for sample in Self.samples where sample.packed.utf8.count < 20_000 {
            let packed = hexBytes(sample.packed)
            for _ in 0..<200 {
                var bytes = packed
                for _ in 0..<Int.random(in: 1...4, using: &random) where !bytes.isEmpty {
                    bytes[Int.random(in: bytes.indices, using: &random)] = UInt8.random(
                        in: .min ... .max,
                        using: &random
                    )
                }
                bytes = Array(bytes.prefix(Int.random(in: 0...bytes.count, using: &random)))
                _ = Self.decode(sample.codec, bytes, limit: 100_000)
            }
        }
    }
}
