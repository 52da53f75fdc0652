import DurableStore
import GRDB
import KitTestSupport
import Messaging
import Synchronization
import Testing

/// Fails at the n-th step of a whole story, for every n until the story ends without a failure: what was committed, sent
/// and marked before must be enough for a new process to finish it. Each time the invariants are checked by their ids.
@Suite struct CrashTests {
    /// The broker's own account of what reached it.
    private final class Broker: MessagePublisher {
        let arrived = Recorder<OutgoingMessage>()
        private let confirmed = Recorder<String>()
        private let point: FailurePoint

        init(_ point: FailurePoint) { self.point = point }

        var confirmedIDs: Set<String> { Set(confirmed.all) }

        func publish(_ messages: [OutgoingMessage]) async -> [PublishOutcome] {
            messages.map { message in
                let lost = PublishOutcome.failed(Failure(.interrupted, code: "connection-lost", "Lost."))
                // Before it arrives, and after it arrived but before the confirm came back.
                guard !point.isHit() else { return lost }
                arrived.add(message)
                guard !point.isHit() else { return lost }
                confirmed.add(message.envelope.id)
                return .confirmed
            }
        }
    }

    private static let messages: [ReceivedMessage] = [
        command("m1", subject: "a"), command("m2", subject: "b"), command("m3", subject: "a"),
        command("refused", subject: "a"), command("poison", subject: "b"), command("m1", subject: "a"),
        command("later", subject: "c"), command("m4", subject: "b"),
    ]

    private static let handler = EffectHandler(lateFailures: { envelope in
        switch envelope.id {
        case "refused": Failure(.permanent, code: "no", "No.")
        case "poison": Failure(.poison, code: "bad", "Bad.")
        case "later" where envelope.attempt == 1: Failure(.retryable, code: "wait", "Wait.")
        default: nil
        }
    })

    /// One life of a process: handles what is not acknowledged, relays, marks. Ends where it fails.
    private func live(
        _ path: String,
        _ broker: Broker,
        _ point: FailurePoint?,
        unacknowledged: [ReceivedMessage]
    ) async throws -> [ReceivedMessage] {
        let store = try makeStore(path, ids: UUIDv7Generator()) { _ in
            if let point, point.isHit() { throw ioError }
        }
        let processor = CommandProcessor(store: store, inbox: "test.inbox", handler: Self.handler)
        var open: [ReceivedMessage] = []
        for batch in stride(from: 0, to: unacknowledged.count, by: 3).map({
            unacknowledged[$0..<min($0 + 3, unacknowledged.count)]
        }) {
            for (message, verdict) in zip(batch, await processor.process(Array(batch))) where verdict != .acknowledge {
                open.append(message)
            }
        }
        for transport in Transport.allCases {
            _ = try? await OutboxRelay(store: store, transport: transport, publisher: broker).flush()
        }
        await store.close()
        return open
    }

    @Test func everyStepOfHandlingPublishingAndMarking() async throws {
        var failedRuns = 0
        for step in 1... {
            let database = try TemporaryDatabase()
            let point = FailurePoint(at: step)
            let broker = Broker(point)
            var open = try await live(database.path, broker, point, unacknowledged: Self.messages)

            // X5: what the dead process marked was confirmed.
            let dead = try makeStore(database.path)
            let marked = try await dead.strings("SELECT message_id FROM outbox WHERE published_at IS NOT NULL")
            #expect(broker.confirmedIDs.isSuperset(of: marked), "step \(step)")
            try await checkAtomicity(dead, step)
            await dead.close()

            // The broker outlives the process: it redelivers what was not acknowledged, and the retry that it was given.
            let healthy = Broker(FailurePoint(at: .max))
            for _ in 0..<3 {
                open += broker.arrived.all.filter {
                    $0.destination == .exchange("test.inbox.retry", routingKey: "test.inbox.retry.1s")
                }.map { delivered($0) }
                open += healthy.arrived.all.filter {
                    $0.destination == .exchange("test.inbox.retry", routingKey: "test.inbox.retry.1s")
                }.map { delivered($0) }
                open = try await live(database.path, healthy, nil, unacknowledged: open)
                #expect(open.isEmpty, "step \(step)")
            }
            let store = try makeStore(database.path)
            try await checkAtomicity(store, step)
            try await checkEnd(store, broker.arrived.all + healthy.arrived.all, step)
            await store.close()
            guard point.wasHit else { break }
            failedRuns = step
        }
        // Commits, arrivals and confirms of this story; fewer would mean that the points are not reached.
        #expect(failedRuns > 25)
    }

    /// X1, I1, I2: an effect has its inbox row and its outbox row, and each of these has its effect.
    private func checkAtomicity(_ store: DurableStore, _ step: Int) async throws {
        let effects = try await store.strings("SELECT message_id FROM effect ORDER BY message_id")
        let inbox = try await store.strings(
            "SELECT message_id FROM inbox WHERE outcome = 'handled' ORDER BY message_id"
        )
        let events = try await store.strings(
            "SELECT substr(message_id, 10) FROM outbox WHERE type = 'test.effect.v1' ORDER BY 1"
        )
        #expect(effects == Array(Set(effects)).sorted(), "I1, step \(step)")
        #expect(effects == inbox, "I2, step \(step)")
        #expect(effects == events, "X1, step \(step)")
    }

    private func checkEnd(_ store: DurableStore, _ arrived: [OutgoingMessage], _ step: Int) async throws {
        #expect(
            try await store.strings("SELECT message_id FROM effect ORDER BY message_id") == [
                "later", "m1", "m2", "m3", "m4",
            ]
        )
        #expect(try await store.strings("SELECT message_id FROM inbox WHERE outcome = 'refused'") == ["refused"])
        #expect(try await store.outboxStatistics().unpublished == 0, "X2, step \(step)")
        let events = arrived.filter { $0.destination == .topic("effects") }
        let rows = try await store.strings("SELECT message_id FROM outbox WHERE transport = 'kafka'")
        #expect(Set(events.map(\.envelope.id)) == Set(rows), "X3, step \(step)")
        var seen: Set<String> = []
        var firsts: [String: [Int64]] = [:]
        for event in events where seen.insert(event.envelope.id).inserted {
            firsts[event.envelope.subject, default: []].append(event.envelope.sequence ?? 0)
        }
        for (subject, sequence) in firsts {
            #expect(sequence == Array(1...Int64(sequence.count)), "X4 \(subject), step \(step)")
        }
        for id in seen { #expect(events.filter { $0.envelope.id == id }.count <= 2, "X9 \(id), step \(step)") }
        // D2, D1: the poison is a dead letter, nothing else is; its copies are one record.
        let dead = arrived.filter { $0.destination == .exchange("test.inbox.dead", routingKey: "test.inbox.dead") }
        #expect(Set(dead.map(\.envelope.id)) == ["poison"], "D2, step \(step)")
        _ = await DeadLetterDrain(store: store, inbox: "test.inbox").process(
            dead.map { delivered($0, from: "test.inbox.dead") }
        )
        #expect(try await store.deadLetters().map(\.messageID) == ["poison"], "D1, step \(step)")
    }

    /// A key that is parked and freed again, with a failure at every step: in order, each once, nothing skipped.
    @Test func everyStepOfParkingAKey() async throws {
        let log = (0..<8).map { record("r\($0)", offset: Int64($0), subject: $0 % 2 == 0 ? "held" : "free") }
        for step in 1... {
            let database = try TemporaryDatabase()
            let point = FailurePoint(at: step)
            let clock = ManualClock()
            for life in 0..<2 {
                let store = try makeStore(database.path, clock: clock) { _ in
                    if life == 0, point.isHit() { throw ioError }
                }
                let isDown = Mutex(true)
                let handler = EffectHandler(lateFailures: { envelope in
                    guard envelope.subject == "held", isDown.withLock({ $0 }) else { return nil }
                    return Failure(.retryable, code: "down", "Down.")
                })
                let processor = EventProcessor(store: store, consumer: "reader", handler: handler)
                for start in stride(from: 0, to: log.count, by: 3) where store.failure == nil {
                    let next = try await EventProcessor.startOffsets(consumer: "reader", in: store).first?.offset ?? 0
                    let batch = log[start..<min(start + 3, log.count)].filter { message in
                        guard case .record(_, _, let offset) = message.source else { return false }
                        return offset >= next
                    }
                    if !batch.isEmpty { _ = await processor.process(Array(batch)) }
                }
                isDown.withLock { $0 = false }
                clock.advance(by: .seconds(60))
                while store.failure == nil, (try? await ParkedRecordRunner(processor).retryNext()) == true {}
                await store.close()
                let after = try makeStore(database.path, clock: clock)
                let done = try await EventProcessor.startOffsets(consumer: "reader", in: after).first?.offset ?? 0
                let accounted = try await after.count(
                    "SELECT (SELECT count(*) FROM inbox) + (SELECT count(*) FROM parked_records)"
                )
                #expect(Int(done) == accounted, "step \(step)")
                for subject in ["held", "free"] {
                    let effects = try await after.strings(
                        "SELECT message_id FROM effect WHERE subject = '\(subject)' ORDER BY rowid"
                    )
                    #expect(effects == effects.sorted() && Set(effects).count == effects.count, "step \(step)")
                    if life == 1 { #expect(effects.count == 4, "step \(step)") }
                }
                await after.close()
            }
            guard point.wasHit else {
                #expect(step > 8)
                break
            }
        }
    }

    /// The same for records of the log: effects, offsets and dead letters in one transaction.
    @Test func everyStepOfReadingTheLog() async throws {
        let log = (0..<9).map { (index: Int) -> ReceivedMessage in
            let id = index == 4 ? "poison" : "r\(index)"
            return record(id, offset: Int64(index / 3), partition: Int32(index % 3), subject: "s\(index % 2)")
        }
        for step in 1... {
            let database = try TemporaryDatabase()
            let point = FailurePoint(at: step)
            for life in 0..<2 {
                let store = try makeStore(database.path) { _ in
                    if life == 0, point.isHit() { throw ioError }
                }
                let processor = EventProcessor(store: store, consumer: "reader", handler: Self.handler)
                let offsets = try await EventProcessor.startOffsets(consumer: "reader", in: store)
                // As a consumer does that starts where its rows say.
                let rest = log.filter { message in
                    guard case .record(_, let partition, let offset) = message.source else { return false }
                    let next = offsets.first { $0.partition == partition }?.offset ?? 0
                    return offset >= next
                }
                for start in stride(from: 0, to: rest.count, by: 4) {
                    _ = await processor.process(Array(rest[start..<min(start + 4, rest.count)]))
                    if store.failure != nil { break }
                }
                await store.close()
                let after = try makeStore(database.path)
                try await checkAtomicity(after, step)
                let done = try await EventProcessor.startOffsets(consumer: "reader", in: after).reduce(0) {
                    $0 + $1.offset
                }
                let accounted = try await after.count(
                    "SELECT (SELECT count(*) FROM inbox) + (SELECT count(*) FROM dead_letters)"
                )
                #expect(Int(done) == accounted, "R1, step \(step)")
                if life == 1 { #expect(done == 9) }
                await after.close()
            }
            guard point.wasHit else {
                #expect(step > 10)
                break
            }
        }
    }

    /// A running relay over many lives, each cut short by a disk error at another moment.
    @Test func aRunningRelayAcrossManyCrashes() async throws {
        let database = try TemporaryDatabase()
        let arrived = Recorder<String>()
        let broker = InMemoryPublisher { message, _ in
            arrived.add(message.envelope.id)
            return .confirmed
        }
        var acknowledged: Set<String> = []
        var next = 0
        for life in 0..<12 {
            let point = FailurePoint(at: 15 + life * 9)
            let store = try makeStore(database.path, ids: UUIDv7Generator()) { _ in
                if point.isHit() { throw ioError }
            }
            let relay = Task { try await OutboxRelay(store: store, transport: .amqp, publisher: broker).run() }
            while store.failure == nil {
                let id = "n\(next)"
                next += 1
                let message = outgoing(id, subject: "k\(next % 3)")
                let result: Void? = try? await store.write { try $0.enqueue(message) }
                if result != nil { acknowledged.insert(id) }
            }
            relay.cancel()
            _ = try? await relay.value
            await store.close()
        }
        let store = try makeStore(database.path, ids: UUIDv7Generator())
        try await OutboxRelay(store: store, transport: .amqp, publisher: broker).flush()
        let rows = Set(try await store.strings("SELECT message_id FROM outbox"))
        #expect(rows.isSuperset(of: acknowledged))
        #expect(Set(arrived.all) == rows)
        #expect(try await store.outboxStatistics().unpublished == 0)
        var seen: Set<String> = []
        var last: [Int: Int] = [:]
        for id in arrived.all where seen.insert(id).inserted {
            let number = Int(id.dropFirst()) ?? -1
            #expect(number > last[number % 3] ?? -1)
            last[number % 3] = number
        }
        await store.close()
    }
}
