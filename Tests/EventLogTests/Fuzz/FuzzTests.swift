import Foundation
import NIOCore
import Testing

@testable import EventLog

/// Seeded fuzzing of everything that reads bytes from outside: whatever they are, there is an answer or an error.
///
/// `EVENT_LOG_FUZZ=1000000` sets the number of inputs, `EVENT_LOG_FUZZ_SEED` where to begin; meant for
/// `swift test --sanitize=address --filter FuzzTests`. A trap or a sanitizer report is the failure.
@Suite struct FuzzTests {
    private static var environment: [String: String] { ProcessInfo.processInfo.environment }
    static let inputs = environment["EVENT_LOG_FUZZ"].flatMap { Int($0) } ?? 20_000
    static let seed = environment["EVENT_LOG_FUZZ_SEED"].flatMap { UInt64($0) } ?? 1

    /// Changes a few bytes, cuts, repeats, or writes numbers that are dangerous as lengths.
    static func mutate(_ original: [UInt8], _ random: inout SplitMix) -> [UInt8] {
        var bytes = original
        for _ in 0..<Int.random(in: 1...5, using: &random) {
            guard !bytes.isEmpty else { return (0..<8).map { _ in UInt8.random(in: .min ... .max, using: &random) } }
            let place = Int.random(in: bytes.indices, using: &random)
            switch Int.random(in: 0..<7, using: &random) {
            case 0: bytes[place] ^= 1 << UInt8.random(in: 0..<8, using: &random)
            case 1: bytes[place] = UInt8.random(in: .min ... .max, using: &random)
            case 2: bytes.removeLast(bytes.count - place)
            case 3: bytes.insert(contentsOf: bytes[place...].prefix(16), at: place)
            case 4:
                let extremes: [UInt32] = [
                    0, 1, 0x7F, 0x80, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF, 0xFFFF_FFFE, 0x0100_0000,
                ]
                let number = extremes.randomElement(using: &random) ?? 0
                for offset in 0..<4 where place + offset < bytes.count {
                    bytes[place + offset] = UInt8(truncatingIfNeeded: number >> (24 - 8 * UInt32(offset)))
                }
            case 5: for offset in 0..<10 where place + offset < bytes.count { bytes[place + offset] = 0xFF }
            default: bytes.remove(at: place)
            }
        }
        return bytes
    }

    @Test func requestsAndHeaders() throws {
        let vectors = GoldenVectorTests.vectors.map { (vector: $0, bytes: hexBytes($0.hex)) }
        var random = SplitMix(seed: Self.seed)
        var decoded = 0
        for _ in 0..<Self.inputs {
            guard let sample = vectors.randomElement(using: &random),
                let type = GoldenVectorTests.messages[sample.vector.message]
            else { continue }
            let bytes = Self.mutate(sample.bytes, &random)
            if Self.decodes(type, bytes, sample.vector) { decoded += 1 }
            var frame = ByteBuffer(
                bytes: Self.mutate([0, 3, 0, 9, 0, 0, 0, 1, 0, 2, 0x61, 0x62, 0] + bytes.prefix(20), &random)
            )
            _ = try? RequestHeader.read(&frame)
        }
        #expect(decoded > 0)
    }

    private static func decodes<Message: WireStruct>(
        _ type: Message.Type,
        _ bytes: [UInt8],
        _ vector: GoldenVectorTests.Vector
    ) -> Bool {
        var reader = WireReader(ByteBuffer(bytes: bytes), version: vector.version, isFlexible: vector.flexible)
        guard let message = try? reader.message(type) else { return false }
        // What was understood can be written.
        var writer = WireWriter(version: vector.version, isFlexible: vector.flexible)
        writer.message(message)
        return writer.byteCount >= 0
    }

    @Test func batches() {
        let originals = [
            TestBatch.make(["a"]), TestBatch.make(["one", "two", "three"], producerId: 3, epoch: 1, sequence: 5),
            TestBatch.make((0..<50).map { "value \($0)" }, timestamps: (0..<50).map { Int64($0) * 7 }),
        ].map { Array($0.readableBytesView) }
        let packed = CompressionTests.encoded(TestBatch.records(["a", "b"], timestamps: [1, 2])).map { codec, payload in
            Array(TestBatch.make(["a", "b"], attributes: codec, payload: payload).readableBytesView)
        }
        var random = SplitMix(seed: Self.seed &+ 1)
        var table = ProducerTable()
        for _ in 0..<Self.inputs {
            guard let original = (originals + packed).randomElement(using: &random) else { continue }
            var batch = ByteBuffer(bytes: Self.mutate(original, &random))
            // Half of them with a right checksum, so that what comes after it is reached.
            if Bool.random(using: &random), batch.readableBytes > BatchHeader.size { TestBatch.seal(&batch) }
            if let header = BatchHeader(batch, at: 0) {
                _ = header.isPlausible && header.nextOffset >= 0
                if let records = Decompression.records(of: batch, header: header) {
                    var walk = RecordWalk(records: records, header: header)
                    var count = 0
                    while walk.next() != nil, count < 1000 { count += 1 }
                }
            }
            if let header = try? BatchCheck.produced(batch, maxBytes: 1 << 20) {
                if case .append = table.check(header) { table.note(header, baseOffset: 0, now: 0) }
            }
        }
    }

    @Test func files() throws {
        var random = SplitMix(seed: Self.seed &+ 2)
        var log: [UInt8] = []
        var offset: Int64 = 0
        var index = SegmentIndex()
        var summary = SegmentIndex.Summary(baseOffset: 0, logSize: 0, nextOffset: 0, maxTimestamp: .min)
        for number in 0..<30 {
            let batch = TestBatch.make(["record \(number)", "more"], baseOffset: offset)
            if let header = BatchHeader(batch, at: 0) {
                index.add(header, after: summary)
                summary.add(header)
            }
            log += Array(batch.readableBytesView)
            offset += 2
        }
        var snapshot = PartitionSnapshot(offset: 60)
        snapshot.epochs.note(epoch: 1, offset: 5)
        if let header = BatchHeader(TestBatch.make(["x"], producerId: 1, epoch: 0, sequence: 0), at: 0) {
            snapshot.producers.note(header, baseOffset: 3, now: 1)
        }
        let meta = MetaRecord.topicCreated(
            .init(name: "t", id: .random(), partitionCount: 3, overrides: ["a": "b"], createdAt: 1)
        ).encoded()
        let commit = OffsetStore.Record.offset(
            group: "g",
            TopicPartition(topic: "t", partition: 1),
            CommittedOffset(offset: 1, metadata: "m", committedAt: 2)
        ).encoded()
        for _ in 0..<max(1, Self.inputs / 20) {
            let disk = MemoryFileLayer()
            func file(_ bytes: [UInt8], _ name: String) throws(StorageError) -> any LogFile {
                let file = try disk.open("/\(name)", create: true)
                try file.write([ByteBuffer(bytes: Self.mutate(bytes, &random))], at: 0)
                return file
            }
            let size = try file(log, "\(Segment.name(0)).log").size()
            let segment = try Segment(0, in: "", disk)
            for verify in [true, false] {
                let result = try segment.scan(upTo: size, verifyChecksums: verify) {
                    (_, _, _, _) throws(StorageError) -> Bool in true
                }
                #expect(result.validSize <= log.count * 3)
            }
            _ = try SegmentIndex.decode(try file(Array(index.encoded(summary).readableBytesView), "index"))
            _ = PartitionSnapshot.decode(
                ByteBuffer(bytes: Self.mutate(Array(snapshot.encoded().readableBytesView), &random))
            )
            let frames = try file([0, 0, 0, 3, 1, 2, 3, 4, 1, 0, 0], "meta")
            _ = try FramedLog.replay(frames, size: try frames.size()) { (_) throws(StorageError) -> Void in }
            _ = MetaRecord.decode(ByteBuffer(bytes: Self.mutate(Array(meta.readableBytesView), &random)))
            _ = OffsetStore.Record.decode(ByteBuffer(bytes: Self.mutate(Array(commit.readableBytesView), &random)))
        }
    }
}
