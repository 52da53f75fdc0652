import DurableStore
import GRDB
import KitTestSupport
import Messaging
import Synchronization
import Testing

/// Keeps the first call from its broker until it is let go.
private final class HeldPublisher: MessagePublisher {
    private let broker: InMemoryPublisher
    private let gate: AsyncStream<Void>
    private let opener: AsyncStream<Void>.Continuation
    private let calls = Mutex(0)

    init(_ broker: InMemoryPublisher) {
        self.broker = broker
        (gate, opener) = AsyncStream.makeStream(of: Void.self)
    }

    var hasCall: Bool { calls.withLock { $0 > 0 } }

    func letGo() { opener.finish() }

    func publish(_ messages: [OutgoingMessage]) async -> [PublishOutcome] {
        let isFirst = calls.withLock { count -> Bool in
            count += 1
            return count == 1
        }
        if isFirst {
            for await _ in gate {}
        }
        return await broker.publish(messages)
    }
}

@Suite struct OutboxRelayTests {
    private func relaying<T>(
        _ store: DurableStore,
        _ publisher: any MessagePublisher,
        configuration: OutboxRelayConfiguration? = nil,
        transport: Transport = .amqp,
        _ body: () async throws -> T
    ) async throws -> T {
        let relay = OutboxRelay(store: store, transport: transport, publisher: publisher, configuration: configuration)
        let task = Task { try await relay.run() }
        do {
            let value = try await body()
            task.cancel()
            try await task.value
            return value
        } catch {
            task.cancel()
            try? await task.value
            throw error
        }
    }

    private func isDrained(_ store: DurableStore) async throws -> Bool {
        try await store.outboxStatistics().unpublished == 0
    }

    private func batch(_ range: Range<Int>, keys: Int) -> [OutgoingMessage] {
        range.map { outgoing("m\($0)", subject: "k\($0 % keys)") }
    }

    private func checkOrder(_ publisher: InMemoryPublisher, count: Int) {
        var seen: Set<String> = []
        var bySubject: [String: [Int]] = [:]
        for message in publisher.confirmed where seen.insert(message.envelope.id).inserted {
            bySubject[message.envelope.subject, default: []].append(Int(message.envelope.id.dropFirst()) ?? -1)
        }
        #expect(seen.count == count)
        for order in bySubject.values { #expect(order == order.sorted()) }
    }

    @Test func whatIsCommittedIsPublishedAndMarked() async throws {
        let database = try TemporaryDatabase()
        let store = try makeStore(database.path)
        let publisher = InMemoryPublisher()
        try await store.add(batch(0..<50, keys: 7))
        try await relaying(store, publisher) {
            try await store.add(batch(50..<100, keys: 7))
            _ = try? await store.write { transaction in
                try transaction.enqueue(outgoing("phantom", subject: "k1"))
                throw Failure(.permanent, code: "no", "No.")
            }
            await publisher.waitForConfirmed(100)
            #expect(try await eventually { try await isDrained(store) })
        }
        checkOrder(publisher, count: 100)
        #expect(publisher.confirmed.count == 100)
        #expect(try await store.count("SELECT count(*) FROM outbox WHERE published_at IS NOT NULL") == 100)
        await store.close()
    }

    @Test func theMessageArrivesAsItWasEnqueued() async throws {
        let store = try makeStore()
        let publisher = InMemoryPublisher()
        let message = OutgoingMessage(
            to: .exchange("x", routingKey: ""),
            Envelope(
                id: "i",
                source: "/s",
                type: "t.v1",
                subject: "s",
                time: Timestamp(millisecondsSinceEpoch: -5),
                sequence: 3,
                correlationID: "c",
                causationID: "b",
                traceparent: "00-aa-bb-01",
                replyTo: "r.inbox",
                attempt: 4,
                contentType: "text/plain",
                body: [0, 255, 10]
            ),
            extraHeaders: ["x-one": "\"é\n", "x-two": ""],
            expirationMilliseconds: 1234
        )
        let event = OutgoingMessage(to: .topic("t"), envelope("e"))
        try await store.add([message, event])
        for transport in Transport.allCases {
            #expect(try await OutboxRelay(store: store, transport: transport, publisher: publisher).flush() == 1)
        }
        #expect(publisher.confirmed == [message, event])
    }

    @Test func anOverflowOfTheHandOverLosesNothing() async throws {
        let database = try TemporaryDatabase()
        let store = try makeStore(database.path, maximumHandover: 5)
        let publisher = InMemoryPublisher()
        var small = OutboxRelayConfiguration.amqp
        small.maximumRows = 16
        small.maximumRowsPerKey = 3
        try await relaying(store, publisher, configuration: small) {
            for start in stride(from: 0, to: 600, by: 30) { try await store.add(batch(start..<(start + 30), keys: 4)) }
            #expect(try await eventually(within: .seconds(30)) { try await isDrained(store) })
        }
        checkOrder(publisher, count: 600)
        #expect(publisher.confirmed.count == 600)
        await store.close()
    }

    @Test func orderPerKeyHoldsThroughFailures() async throws {
        let database = try TemporaryDatabase()
        let store = try makeStore(database.path)
        let publisher = InMemoryPublisher { _, index in
            index % 7 == 3 ? .failed(Failure(.retryable, code: "nack", "Nack.")) : .confirmed
        }
        var quick = OutboxRelayConfiguration.amqp
        quick.firstPause = .milliseconds(1)
        quick.longestKeyPause = .milliseconds(5)
        quick.longestTransportPause = .milliseconds(5)
        try await relaying(store, publisher, configuration: quick) {
            for start in stride(from: 0, to: 300, by: 20) { try await store.add(batch(start..<(start + 20), keys: 5)) }
            #expect(try await eventually(within: .seconds(30)) { try await isDrained(store) })
        }
        checkOrder(publisher, count: 300)
        #expect(publisher.confirmed.count == 300)
        await store.close()
    }

    @Test func aPoisonRowBlocksOnlyItsKeyUntilItIsDiscardedOrUnparked() async throws {
        let store = try makeStore()
        let tooLarge = Failure(.poison, code: "too-large", "Too large.")
        let publisher = InMemoryPublisher { message, _ in
            ["m0", "m1"].contains(message.envelope.id) ? .failed(tooLarge) : .confirmed
        }
        try await relaying(store, publisher) {
            try await store.add(batch(0..<40, keys: 4))
            await publisher.waitForConfirmed(20)
            #expect(try await eventually { try await store.outboxStatistics().parked == 2 })
            #expect(Set(publisher.confirmed.map(\.envelope.subject)) == ["k2", "k3"])
            let isMarked = try await eventually { try await store.outboxStatistics().unpublished == 18 }
            #expect(isMarked)
            let parked = try await store.outboxRows(.parked)
            #expect(parked.map(\.message.envelope.id) == ["m0", "m1"])
            #expect(parked[0].parkedReason == "too-large: Too large.")
            // One is given up, the other is sent after all.
            #expect(try await store.discardOutboxRow(parked[0].seq))
            await publisher.waitForConfirmed(29)
            publisher.setFate { _, _ in .confirmed }
            #expect(try await store.unparkOutboxRow(parked[1].seq))
            #expect(try await store.unparkOutboxRow(parked[1].seq) == false)
            await publisher.waitForConfirmed(39)
            #expect(try await eventually { try await isDrained(store) })
        }
        checkOrder(publisher, count: 39)
    }

    @Test func aParkedKeyStaysBlockedAcrossARestart() async throws {
        let store = try makeStore()
        try await store.add(batch(0..<6, keys: 2))
        let row = try #require(try await store.outboxRows().first)
        #expect(try await store.parkOutboxRow(row.seq, reason: "operator"))
        let publisher = InMemoryPublisher()
        let relay = OutboxRelay(store: store, transport: .amqp, publisher: publisher)
        #expect(try await relay.flush() == 3)
        #expect(publisher.confirmed.map(\.envelope.id) == ["m1", "m3", "m5"])
        #expect(try await store.unparkOutboxRow(row.seq))
        #expect(try await relay.flush() == 3)
        #expect(publisher.confirmed.map(\.envelope.id).suffix(3) == ["m0", "m2", "m4"])
    }

    /// The broker is away, a publish waits, and an operator puts its row aside; then the broker comes back.
    @Test(arguments: [Duration.seconds(600), .zero])
    func aRowThatIsConfirmedAfterItWasParkedLetsItsKeyGoOn(retention: Duration) async throws {
        let store = try makeStore()
        let broker = InMemoryPublisher()
        let held = HeldPublisher(broker)
        var configuration = OutboxRelayConfiguration.amqp
        configuration.retention = retention
        try await store.add([outgoing("m0", subject: "k")])
        try await relaying(store, held, configuration: configuration) {
            #expect(await eventually { held.hasCall })
            #expect(try await store.parkOutboxRow(1, reason: "the broker is away"))
            try await store.add([outgoing("m1", subject: "k")])
            held.letGo()
            #expect(await eventually { broker.confirmed.count == 2 })
            #expect(try await eventually { try await isDrained(store) })
        }
        #expect(broker.confirmed.map(\.envelope.id) == ["m0", "m1"])
        #expect(try await store.outboxStatistics().parked == 0)
    }

    @Test func aRowThatIsConfirmedAfterItWasParkedLeavesAKeyBlockedByAnother() async throws {
        let store = try makeStore()
        let broker = InMemoryPublisher()
        let held = HeldPublisher(broker)
        try await store.add([outgoing("m0", subject: "k"), outgoing("m1", subject: "k")])
        try await relaying(store, held) {
            #expect(await eventually { held.hasCall })
            #expect(try await store.parkOutboxRow(1, reason: "the broker is away"))
            #expect(try await store.parkOutboxRow(2, reason: "not wanted"))
            try await store.add([outgoing("m2", subject: "k")])
            held.letGo()
            #expect(try await eventually { try await store.outboxRow(1)?.publishedAt != nil })
            try await store.add([outgoing("n0", subject: "another")])
            #expect(await eventually { broker.confirmed.count == 2 })
            #expect(broker.confirmed.map(\.envelope.id) == ["m0", "n0"])
            #expect(try await store.discardOutboxRow(2))
            #expect(try await eventually { try await isDrained(store) })
        }
        #expect(broker.confirmed.map(\.envelope.id) == ["m0", "n0", "m2"])
    }

    @Test func aRowThatIsRefusedAfterItWasDiscardedLetsItsKeyGoOn() async throws {
        let store = try makeStore()
        let tooLarge = Failure(.poison, code: "too-large", "Too large.")
        let broker = InMemoryPublisher { message, _ in
            message.envelope.id == "m0" ? .failed(tooLarge) : .confirmed
        }
        let held = HeldPublisher(broker)
        try await store.add([outgoing("m0", subject: "k")])
        try await relaying(store, held) {
            #expect(await eventually { held.hasCall })
            #expect(try await store.parkOutboxRow(1, reason: "too large"))
            #expect(try await store.discardOutboxRow(1))
            try await store.add([outgoing("m1", subject: "k")])
            held.letGo()
            #expect(await eventually { broker.confirmed.count == 1 })
            #expect(try await eventually { try await isDrained(store) })
        }
        #expect(broker.confirmed.map(\.envelope.id) == ["m1"])
    }

    @Test func anOperatorMayShortenAPause() async throws {
        let store = try makeStore()
        let publisher = InMemoryPublisher { message, _ in
            message.envelope.id == "m0" ? .failed(Failure(.retryable, code: "nack", "Nack.")) : .confirmed
        }
        var slow = OutboxRelayConfiguration.amqp
        slow.firstPause = .seconds(600)
        slow.longestKeyPause = .seconds(600)
        try await relaying(store, publisher, configuration: slow) {
            try await store.add(batch(0..<4, keys: 2))
            await publisher.waitForConfirmed(2)
            #expect(try await eventually { try await store.outboxRows().first?.attempts == 1 })
            publisher.setFate { _, _ in .confirmed }
            #expect(try await store.retryOutboxRow(1))
            await publisher.waitForConfirmed(4)
        }
        checkOrder(publisher, count: 4)
    }

    @Test func anOutageIsSurvivedWithoutParking() async throws {
        let store = try makeStore()
        let down = Failure(.retryable, code: "connection-lost", "Down.")
        let publisher = InMemoryPublisher { _, _ in .failed(down) }
        var quick = OutboxRelayConfiguration.amqp
        quick.firstPause = .milliseconds(1)
        quick.longestTransportPause = .milliseconds(2)
        quick.longestKeyPause = .milliseconds(2)
        quick.maximumAttempts = 3
        try await relaying(store, publisher, configuration: quick) {
            try await store.add(batch(0..<60, keys: 6))
            #expect(await eventually { publisher.calls >= 20 })
            #expect(try await store.outboxStatistics().parked == 0)
            publisher.setFate { _, _ in .confirmed }
            await publisher.waitForConfirmed(60)
            #expect(try await eventually { try await isDrained(store) })
        }
        checkOrder(publisher, count: 60)
    }

    @Test func aLostConfirmMeansASecondSending() async throws {
        let store = try makeStore()
        let arrived = Recorder<String>()
        let publisher = InMemoryPublisher { message, index in
            arrived.add(message.envelope.id)
            return index < 5 ? .failed(Failure(.interrupted, code: "connection-lost", "Lost.")) : .confirmed
        }
        try await relaying(store, publisher) {
            try await store.add(batch(0..<5, keys: 5))
            await publisher.waitForConfirmed(5)
            #expect(try await eventually { try await isDrained(store) })
        }
        #expect(arrived.count == 10)
    }

    @Test func publishedRowsAreDeletedAfterTheirRetention() async throws {
        let clock = ManualClock()
        let store = try makeStore(clock: clock)
        let publisher = InMemoryPublisher()
        var configuration = OutboxRelayConfiguration.amqp
        configuration.retention = .seconds(10)
        configuration.purgeBatch = 7
        try await store.add(batch(0..<30, keys: 3))
        #expect(try await store.parkOutboxRow(1, reason: "kept"))
        let relay = OutboxRelay(store: store, transport: .amqp, publisher: publisher, configuration: configuration)
        #expect(try await relay.flush() == 20)
        try await relaying(store, publisher, configuration: configuration) {
            #expect(try await store.outboxRows(.all).count == 30)
            clock.advance(by: .seconds(11))
            let isPurged = try await eventually { try await store.outboxRows(.all).count == 10 }
            #expect(isPurged)
        }
        #expect(try await store.count("SELECT count(published_at) FROM outbox") == 0)
        // Deleted numbers are not used again.
        try await store.add([outgoing("next", subject: "z")])
        #expect(try await store.outboxRows(.all).last?.seq == 31)
    }

    @Test func withoutRetentionRowsAreDeletedWhenConfirmed() async throws {
        let store = try makeStore()
        var configuration = OutboxRelayConfiguration.kafka
        configuration.retention = .zero
        let publisher = InMemoryPublisher()
        try await relaying(store, publisher, configuration: configuration, transport: .kafka) {
            try await store.add((0..<20).map { outgoing("m\($0)", subject: "k\($0 % 2)", to: .topic("t")) })
            #expect(
                try await eventually { try await store.outboxRows(.all).isEmpty && publisher.confirmed.count == 20 }
            )
        }
        checkOrder(publisher, count: 20)
    }

    @Test func whatIsConfirmedIsMarkedBeforeTheRelayEnds() async throws {
        let store = try makeStore()
        let publisher = InMemoryPublisher()
        for round in 0..<10 {
            try await relaying(store, publisher) {
                try await store.add(batch(round * 10..<(round * 10 + 10), keys: 10))
                await publisher.waitForConfirmed(round * 10 + 10)
            }
            #expect(try await isDrained(store))
        }
        #expect(publisher.confirmed.count == 100)
    }

    @Test func aFatalFailureEndsTheRelay() async throws {
        let store = try makeStore()
        let publisher = InMemoryPublisher { _, _ in .failed(Failure(.fatal, code: "refused", "Refused.")) }
        try await store.add([outgoing("m", subject: "s")])
        let relay = OutboxRelay(store: store, transport: .amqp, publisher: publisher)
        await #expect(throws: Failure.self) { try await relay.run() }
        #expect(try await store.outboxStatistics().unpublished == 1)
    }

    @Test func aClosedStoreEndsTheRelay() async throws {
        let store = try makeStore()
        let publisher = InMemoryPublisher()
        let relay = OutboxRelay(store: store, transport: .amqp, publisher: publisher)
        let task = Task { try await relay.run() }
        try await store.add([outgoing("m", subject: "s")])
        await publisher.waitForConfirmed(1)
        await store.close()
        try await task.value
    }

    @Test func statisticsSayWhatWaitsWhere() async throws {
        let clock = ManualClock()
        let store = try makeStore(clock: clock)
        try await store.add([outgoing("a", subject: "s"), outgoing("b", subject: "s", to: .topic("t"))])
        clock.advance(by: .seconds(3))
        try await store.add([outgoing("c", subject: "s", to: .topic("t"))])
        _ = try await store.parkOutboxRow(2, reason: "test")
        let statistics = try await store.outboxStatistics()
        #expect(statistics.unpublished == 2)
        #expect(statistics.parked == 1)
        #expect(statistics.oldestUnpublishedAgeMilliseconds == 3000)
        #expect(statistics.byDestination.map(\.destination) == [.inbox("other.inbox"), .topic("t")])
        #expect(statistics.byDestination.map(\.unpublished) == [1, 1])
        #expect(statistics.byDestination.map(\.parked) == [0, 1])
    }
}
