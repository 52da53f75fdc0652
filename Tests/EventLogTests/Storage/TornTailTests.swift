import NIOCore
import Testing

@testable import EventLog

/// A cut and a flipped bit at every byte of the last two batches.
@Suite struct TornTailTests {
    private static let path = "/data/a-0/00000000000000000000.log"

    private func fill() async throws -> (MemoryFileLayer, sizes: [Int], values: [Int64: String]) {
        let disk = MemoryFileLayer()
        let test = try await TestStore.open(disk, segmentBytes: 1 << 20)
        _ = try await test.administrate { try $0.createTopic("a", partitionCount: 1, overrides: [:]) }
        let log = try #require(test.store.partition("a", 0))
        var sizes: [Int] = []
        for number in 0..<4 {
            let batch = TestBatch.make(
                ["first \(number)", "second \(number)"],
                producerId: 5,
                epoch: 0,
                sequence: Int32(number * 2)
            )
            sizes.append(batch.readableBytes)
            guard case .appended = await test.append(batch, to: log) else {
                Issue.record("an append failed")
                break
            }
        }
        return (disk.crash(seed: 1), sizes, try await test.values(log))
    }

    private func recover(_ disk: MemoryFileLayer) async throws -> (values: [Int64: String], end: Int64, accepts: Bool) {
        let test = try await TestStore.open(disk, segmentBytes: 1 << 20)
        let log = try #require(test.store.partition("a", 0))
        let values = try await test.values(log)
        let end = log.bounds.highWatermark
        // The producer goes on exactly where the log ends now.
        let next = TestBatch.make(["next"], producerId: 5, epoch: 0, sequence: Int32(end))
        var accepts = false
        if case .appended(let offset, _) = await test.append(next, to: log) { accepts = offset == end }
        return (values, end, accepts)
    }

    @Test func cutAtEveryByte() async throws {
        let (disk, sizes, values) = try await fill()
        let total = sizes.reduce(0, +)
        let start = sizes[0] + sizes[1]
        for cut in start..<total {
            let image = disk.crash(seed: 1)
            image.overwrite(Self.path) { $0.removeLast($0.count - cut) }
            let found = try await recover(image)
            let whole: Int64 = cut < start + sizes[2] ? 4 : 6
            #expect(found.end == whole, "cut at \(cut)")
            #expect(found.values == values.filter { $0.key < whole })
            #expect(found.accepts)
        }
    }

    @Test func flipAtEveryByte() async throws {
        let (disk, sizes, values) = try await fill()
        let total = sizes.reduce(0, +)
        let start = sizes[0] + sizes[1]
        for place in start..<total {
            let image = disk.crash(seed: 1)
            image.overwrite(Self.path) { $0[place] ^= UInt8(1 << (place % 8)) }
            let found = try await recover(image)
            let isThird = place < start + sizes[2]
            let inBatch = place - (isThird ? start : start + sizes[2])
            // The leader epoch is outside the checksum and says nothing about the records.
            if (12..<16).contains(inBatch) {
                #expect(found.end == 8)
                continue
            }
            let whole: Int64 = isThird ? 4 : 6
            #expect(found.end == whole, "flip at \(place)")
            #expect(found.values == values.filter { $0.key < whole })
            #expect(found.accepts)
        }
    }
}
