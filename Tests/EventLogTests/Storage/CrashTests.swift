import NIOCore
import Synchronization
import Testing

@testable import EventLog

/// What was acknowledged before the power went is there afterwards, whatever the disk kept of the rest.
@Suite struct CrashTests {
    /// What a workload was told.
    private struct Acknowledged: Sendable {
        var values: [TopicPartition: [Int64: String]] = [:]
        var commits: [String: Int64] = [:]
        var generations: [String: Int32] = [:]
        var producerIds: Set<Int64> = []
        var deletedTopics: Set<String> = []
        var lastBatch: [TopicPartition: (batch: ByteBuffer, offset: Int64)] = [:]
    }

    /// Everything that was ever sent, by content.
    private final class Ledger: Sendable {
        let acknowledged = Mutex(Acknowledged())
        let sent = Mutex<Set<String>>([])
        let images = Mutex<[(MemoryFileLayer, Acknowledged)]>([])
    }

    /// Produces, commits, creates and deletes, and takes an image of the disk at `moments` random moments.
    private func run(seed: UInt64, steps: Int, moments: Int) async throws -> Ledger {
        let disk = MemoryFileLayer()
        let test = try await TestStore.open(disk, segmentBytes: 1500)
        let ledger = Ledger()
        var random = SplitMix(seed: seed)
        var takenAt = Set<Int>()
        while takenAt.count < moments { takenAt.insert(Int.random(in: 0..<steps * 3, using: &random)) }
        _ = try await test.administrate { try $0.createTopic("a", partitionCount: 2, overrides: [:]) }
        let producerId = try await test.administrate { try $0.reserveProducerId() }
        ledger.acknowledged.withLock { _ = $0.producerIds.insert(producerId) }
        // A snapshot of what is acknowledged comes before the image of the disk.
        let snap: @Sendable (UInt64) -> Void = { number in
            let known = ledger.acknowledged.withLock { $0 }
            let image = disk.crash(seed: seed &* 7919 &+ number)
            ledger.images.withLock { $0.append((image, known)) }
        }
        await withTaskGroup(of: Void.self) { group in
            for partition in Int32(0)..<2 {
                let seed = random.next()
                let mine = takenAt
                group.addTask {
                    var random = SplitMix(seed: seed)
                    var sequence: Int32 = 0
                    guard let log = test.store.partition("a", partition) else { return }
                    await withTaskGroup(of: Void.self) { appends in
                        for step in 0..<steps {
                            let count = Int.random(in: 1...4, using: &random)
                            let values = (0..<count).map {
                                "\(partition)/\(sequence)/\($0)/"
                                    + String(repeating: "x", count: Int.random(in: 0...300, using: &random))
                            }
                            ledger.sent.withLock { $0.formUnion(values) }
                            let batch = TestBatch.make(values, producerId: producerId, epoch: 0, sequence: sequence)
                            sequence += Int32(count)
                            guard let header = try? BatchCheck.produced(batch, maxBytes: 1 << 20) else {
                                continue
                            }
                            let isLast = step % 5 == 4
                            let wait: @Sendable () async -> Void = {
                                await withCheckedContinuation { continuation in
                                    log.append(batch, header: header) { outcome in
                                        if case .appended(let offset, _) = outcome {
                                            ledger.acknowledged.withLock { state in
                                                let key = TopicPartition(topic: "a", partition: partition)
                                                for (place, value) in values.enumerated() {
                                                    state.values[key, default: [:]][offset + Int64(place)] = value
                                                }
                                                if offset >= state.lastBatch[key]?.offset ?? -1 {
                                                    state.lastBatch[key] = (batch, offset)
                                                }
                                            }
                                        }
                                        continuation.resume()
                                    }
                                }
                            }
                            // Up to five in flight, appended in order.
                            if isLast { await wait() } else { await Self.startInOrder(&appends, wait) }
                            if mine.contains(step * 3 + Int(partition)) { snap(UInt64(step * 3) + UInt64(partition)) }
                        }
                    }
                }
            }
            let mine = takenAt
            group.addTask {
                for step in 0..<steps {
                    let name = "t\(step)"
                    if step % 10 == 0 {
                        _ = try? await test.administrate { try $0.createTopic(name, partitionCount: 1, overrides: [:]) }
                    }
                    if step % 10 == 7, step > 10 {
                        let old = "t\((step / 10) * 10)"
                        if (try? await test.administrate({ try $0.deleteTopic(old) })) != nil {
                            ledger.acknowledged.withLock { _ = $0.deletedTopics.insert(old) }
                        }
                    }
                    let key = TopicPartition(topic: "a", partition: 0)
                    let value = CommittedOffset(offset: Int64(step), metadata: "m\(step)", committedAt: 0)
                    let error = await withCheckedContinuation { continuation in
                        test.store.offsets.write([
                            .offset(group: "g", key, value), .generation(group: "g", Int32(step)),
                        ]) {
                            continuation.resume(returning: $0)
                        }
                    }
                    if error == nil {
                        ledger.acknowledged.withLock { state in
                            state.commits["g"] = Int64(step)
                            state.generations["g"] = Int32(step)
                        }
                    }
                    if mine.contains(step * 3 + 2) { snap(UInt64(step * 3 + 2)) }
                }
            }
        }
        try await test.close()
        return ledger
    }

    /// Starts an append so that it has been handed over before the next one is made.
    private static func startInOrder(
        _ group: inout TaskGroup<Void>,
        _ body: @escaping @Sendable () async -> Void
    ) async {
        let started = AsyncStream.makeStream(of: Void.self)
        group.addTask {
            async let work: Void = body()
            started.continuation.finish()
            await work
        }
        for await _ in started.stream {}
    }

    private func check(_ image: MemoryFileLayer, _ known: Acknowledged, sent: Set<String>) async throws {
        let test = try await TestStore.open(image, segmentBytes: 1500)
        if !known.values.isEmpty {
            for partition in Int32(0)..<2 {
                let log = try #require(test.store.partition("a", partition))
                let found = try await test.values(log)
                let key = TopicPartition(topic: "a", partition: partition)
                for (offset, value) in known.values[key] ?? [:] { #expect(found[offset] == value) }
                #expect(Set(found.keys) == Set(0..<log.bounds.highWatermark))
                #expect(Set(found.values).isSubset(of: sent))
                #expect(Set(found.values).count == found.count, "a batch is there twice")
                if let last = known.lastBatch[key],
                    found.count == Int(last.offset) + Int(BatchHeader(last.batch, at: 0)?.recordCount ?? 0)
                {
                    // Sent again after the crash: recognised.
                    guard case .appended(let offset, _) = await test.append(last.batch, to: log) else {
                        Issue.record("a repeated batch was refused")
                        return
                    }
                    #expect(offset == last.offset)
                    #expect(log.bounds.highWatermark == Int64(found.count))
                }
            }
        }
        if let commit = known.commits["g"] {
            let stored = test.store.offsets.offsets(group: "g")[TopicPartition(topic: "a", partition: 0)]
            #expect((stored?.offset ?? -1) >= commit)
            #expect(stored?.metadata == "m\(stored?.offset ?? -1)")
        }
        if let generation = known.generations["g"] {
            #expect((test.store.offsets.generation(group: "g") ?? -1) >= generation)
        }
        for name in known.deletedTopics { #expect(test.store.topic(name) == nil) }
        if !known.producerIds.isEmpty {
            let fresh = try await test.administrate { try $0.reserveProducerId() }
            #expect(!known.producerIds.contains(fresh))
        }
        // Also what was repaired can be used, closed and opened again.
        try await test.close()
        let again = try await TestStore.open(image, segmentBytes: 1500)
        #expect(again.store.summary.stoppedCleanly)
        #expect(again.store.summary.bytesCut == 0)
        #expect(again.fatalErrors.value.withLock { $0.isEmpty })
    }

    @Test(arguments: 0..<50) func powerCuts(seed: Int) async throws {
        let ledger = try await run(seed: UInt64(seed), steps: 60, moments: 20)
        let images = ledger.images.withLock { $0 }
        #expect(images.count == 20)
        let sent = ledger.sent.withLock { $0 }
        for (image, known) in images { try await check(image, known, sent: sent) }
    }

    /// Every operation that changes the disk fails once, with each kind of error: nothing acknowledged is lost, nothing
    /// traps, reads go on.
    @Test(arguments: [StorageError.Kind.outOfSpace, .other, .synchronization])
    func faultAtEveryOperation(kind: StorageError.Kind) async throws {
        var failAt = 1
        while true {
            let counter = Mutex(0)
            let box = SharedBox(counter)
            let target = failAt
            let injector: MemoryFileLayer.Injector = { (operation: String, path: String) throws(StorageError) in
                let number = box.value.withLock { count in
                    count += 1
                    return count
                }
                // Only synchronising fails in that way.
                let fits = kind != .synchronization || operation == "sync" || operation == "syncdir"
                if number == target, fits {
                    throw StorageError(kind, operation, path, "injected")
                }
            }
            let disk = MemoryFileLayer(injector: injector)
            let acknowledged = await smallWorkload(disk)
            let operations = box.value.withLock { $0 }
            let image = disk.crash(seed: UInt64(target))
            let reopened = try await TestStore.open(image, segmentBytes: 600)
            if let log = reopened.store.partition("a", 0) {
                let found = try await reopened.values(log)
                for (offset, value) in acknowledged { #expect(found[offset] == value, "operation \(target)") }
                #expect(Set(found.values).count == found.count)
            } else {
                #expect(acknowledged.isEmpty)
            }
            try await reopened.close()
            if operations < target { break }
            failAt += 1
        }
        #expect(failAt > 40)
    }

    private func smallWorkload(_ disk: MemoryFileLayer) async -> [Int64: String] {
        var acknowledged: [Int64: String] = [:]
        do {
            let test = try await TestStore.open(disk, segmentBytes: 600)
            _ = try await test.administrate { try $0.createTopic("a", partitionCount: 1, overrides: [:]) }
            guard let log = test.store.partition("a", 0) else { return [:] }
            var sequence: Int32 = 0
            for step in 0..<12 {
                let values = ["\(step)/" + String(repeating: "y", count: 40), "\(step)+"]
                let batch = TestBatch.make(values, producerId: 7, epoch: 0, sequence: sequence)
                // A producer repeats what failed, in order, until it gives up.
                for _ in 0..<3 {
                    let outcome = await test.append(batch, to: log)
                    if case .appended(let offset, _) = outcome {
                        for (place, value) in values.enumerated() { acknowledged[offset + Int64(place)] = value }
                        sequence += 2
                        break
                    }
                    // Reads go on whatever appends do, unless the disk itself is in doubt.
                    if !log.bounds.isOffline {
                        let found = try await test.values(log)
                        for (offset, value) in acknowledged where found[offset] != value {
                            Issue.record("an acknowledged record cannot be read after a failed append")
                        }
                    }
                }
            }
            try await test.close()
        } catch {
            // A failure of creating or closing is the fault that was injected; what was acknowledged still counts.
        }
        return acknowledged
    }
}
