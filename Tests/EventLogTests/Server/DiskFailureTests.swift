import NIOCore
import Synchronization
import Testing

@testable import EventLog

/// A server on a disk that fails.
@Suite struct DiskFailureTests {
    private static func failing(
        _ kind: StorageError.Kind,
        _ operations: Set<String>,
        _ isOn: SharedBox<Atomic<Bool>>
    ) -> MemoryFileLayer {
        MemoryFileLayer { (operation: String, path: String) throws(StorageError) in
            if isOn.value.load(ordering: .relaxed), operations.contains(operation), path.hasSuffix(".log") {
                throw StorageError(kind, operation, path, "injected")
            }
        }
    }

    /// A full disk refuses appends, serves reads, and works again when there is room.
    @Test func aFullDisk() async throws {
        let isFull = SharedBox(Atomic(false))
        let disk = Self.failing(.outOfSpace, ["allocate", "write"], isFull)
        let test = try await TestServer.start(directory: "/data", files: disk)
        let client = try await test.client()
        try await client.createTopic("t")
        let id = try await client.producerId()
        let first = TestBatch.make(["first"], producerId: id, epoch: 0, sequence: 0)
        #expect(try await client.produce("t", 0, first).error == .none)
        isFull.value.store(true, ordering: .relaxed)
        #expect(try await client.produce("t", 0, TestBatch.make(["plain"])).error == .storageError)
        // An idempotent producer's connection is closed, so that it sends everything again in order.
        let idempotent = try await test.client()
        let second = TestBatch.make(["second"], producerId: id, epoch: 0, sequence: 1)
        try await idempotent.send(.produce, TestClient.produceRequest("t", 0, second), version: 9)
        #expect(await idempotent.isClosedByServer())
        let records = try await client.fetch(TestClient.fetchRequest("t", offset: 0))
        #expect(TestBatch.values(records.records ?? ByteBuffer()) == [0: "first"])
        isFull.value.store(false, ordering: .relaxed)
        #expect(try await client.produce("t", 0, second).baseOffset == 1)
        #expect(try await client.produce("t", 0, second).baseOffset == 1)
        try await test.server.stop()
    }

    /// A creation that a full disk ended half-way is finished or begun anew, and never stands beside another of its name.
    @Test func aTopicWhoseCreationFailedHalfWay() async throws {
        let isFull = SharedBox(Atomic(true))
        let disk = MemoryFileLayer { (operation: String, path: String) throws(StorageError) in
            if isFull.value.load(ordering: .relaxed), operation == "create", path.contains("/t-1/") {
                throw StorageError(.outOfSpace, operation, path, "injected")
            }
        }
        let test = try await TestStore.open(disk)
        let commit = OffsetStore.Record.offset(
            group: "g",
            TopicPartition(topic: "t", partition: 0),
            CommittedOffset(offset: 9, metadata: "", committedAt: 0)
        )
        await withCheckedContinuation { done in test.store.offsets.write([commit]) { _ in done.resume() } }
        await #expect(throws: StorageError.self) {
            _ = try await test.administrate { try $0.createTopic("t", partitionCount: 3, overrides: [:]) }
        }
        #expect(test.store.topic("t") == nil)
        // A crash here: the next start finishes the creation.
        isFull.value.store(false, ordering: .relaxed)
        #expect(try await TestStore.open(disk.crash(seed: 1)).store.topic("t")?.partitions.count == 3)
        // Created again, with other numbers: the old one is gone, with what was committed for it.
        let id = try await test.administrate { try $0.createTopic("t", partitionCount: 2, overrides: [:]).id }
        let log = try #require(test.store.partition("t", 0))
        _ = await test.append(TestBatch.make(["kept"]), to: log)
        for seed in UInt64(0)..<10 {
            let again = try await TestStore.open(disk.crash(seed: seed))
            let topic = try #require(again.store.topic("t"))
            #expect(topic.id == id && topic.partitions.count == 2)
            #expect(try await again.values(topic.partitions[0]) == [0: "kept"])
            #expect(again.store.offsets.offsets(group: "g").isEmpty)
        }
    }

    /// A failed synchronisation is the end: nothing is acknowledged, and the server says that it must stop.
    @Test func aDiskInDoubt() async throws {
        let isBroken = SharedBox(Atomic(false))
        let test = try await TestServer.start(
            directory: "/data",
            files: Self.failing(.synchronization, ["sync"], isBroken)
        )
        let client = try await test.client()
        try await client.createTopic("t")
        isBroken.value.store(true, ordering: .relaxed)
        #expect(try await client.produce("t", 0, TestBatch.make(["a"])).error == .storageError)
        let reason = await test.server.failed()
        #expect(reason != nil)
        #expect(try await client.fetch(TestClient.fetchRequest("t", offset: 0)).error == .storageError)
        await #expect(throws: EventLogError.self) { try await test.server.stop() }
    }

    /// The same holds for directories: a creation whose names may not be on disk is not tried again as if nothing were.
    @Test func aDirectoryInDoubt() async throws {
        let isBroken = SharedBox(Atomic(false))
        let disk = MemoryFileLayer { (operation: String, path: String) throws(StorageError) in
            if isBroken.value.load(ordering: .relaxed), operation == "syncdir", path == "/data" {
                throw StorageError(.synchronization, operation, path, "injected")
            }
        }
        let test = try await TestStore.open(disk)
        isBroken.value.store(true, ordering: .relaxed)
        await #expect(throws: StorageError.self) {
            _ = try await test.administrate { try $0.createTopic("t", partitionCount: 1, overrides: [:]) }
        }
        #expect(test.fatalErrors.value.withLock { $0.map(\.operation) } == ["syncdir"])
    }

    /// The checks of the crash tests can fail: on a disk that only pretends to synchronise, acknowledged records go.
    @Test func aLyingDiskIsNoticed() async throws {
        var lost = 0
        for seed in UInt64(0)..<20 {
            let disk = MemoryFileLayer(lies: true)
            let test = try await TestStore.open(disk)
            _ = try await test.administrate { try $0.createTopic("a", partitionCount: 1, overrides: [:]) }
            guard let log = test.store.partition("a", 0) else { continue }
            for number in 0..<5 { _ = await test.append(TestBatch.make(["\(number)"]), to: log) }
            let image = disk.crash(seed: seed)
            guard let again = try? await TestStore.open(image), let found = again.store.partition("a", 0) else {
                lost += 1
                continue
            }
            if found.bounds.highWatermark < 5 { lost += 1 }
        }
        #expect(lost > 0)
    }
}
