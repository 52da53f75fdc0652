import DurableStore
import GRDB
import KitTestSupport
import Messaging
import Synchronization
import Testing

/// A retryable failure of a record holds its key: the partition moves on, later records of the key wait in order.
@Suite struct ParkingTests {
    /// Subjects whose records fail now, and how.
    private final class Trouble: Sendable {
        private let state = Mutex<[String: Failure]>([:])
        func begins(_ subject: String, _ failureClass: FailureClass = .retryable) {
            state.withLock { $0[subject] = Failure(failureClass, code: "down", "Down.") }
        }
        func ends(_ subject: String) { state.withLock { $0[subject] = nil } }
        func failure(_ envelope: Envelope) -> (any Error)? { state.withLock { $0[envelope.subject] } }
    }

    private struct World {
        let clock = ManualClock()
        let trouble = Trouble()
        let seen = Recorder<ProcessingObservation>()
        let store: DurableStore
        let processor: EventProcessor

        init(_ path: String? = nil, limits: EventProcessor.Limits = .init(), trouble: Trouble? = nil) throws {
            store = try makeStore(path, clock: clock)
            let trouble = trouble ?? self.trouble
            processor = EventProcessor(
                store: store,
                consumer: "reader",
                handler: EffectHandler(lateFailures: { trouble.failure($0) }),
                limits: limits,
                observer: { [seen] in seen.add($0) }
            )
        }

        /// Lets time pass and everything be tried that is due then.
        func pass(_ duration: Duration) async throws {
            clock.advance(by: duration)
            while try await ParkedRecordRunner(processor).retryNext() {}
        }

        var offsets: [String] {
            get async throws {
                try await EventProcessor.startOffsets(consumer: "reader", in: store).map {
                    "\($0.topic)/\($0.partition)@\($0.offset)"
                }
            }
        }

        func effects() async throws -> [String] {
            try await store.strings("SELECT message_id FROM effect ORDER BY rowid")
        }
    }

    private let acknowledged = Verdict.acknowledge

    @Test func theKeyWaitsInOrderAndThePartitionMovesOn() async throws {
        let world = try World()
        world.trouble.begins("bad")
        let first = [
            record("a1", offset: 0, subject: "good"), record("b1", offset: 1, subject: "bad"),
            record("a2", offset: 2, subject: "good"), record("b2", offset: 3, subject: "bad"),
        ]
        #expect(await world.processor.process(first) == Array(repeating: acknowledged, count: 4))
        #expect(try await world.effects() == ["a1", "a2"])
        #expect(try await world.offsets == ["events/0@4"])
        let key = try #require(try await world.store.parkedKeys().first)
        #expect(key.subject == "bad" && key.records == 2 && key.offset == 1 && key.attempts == 1)
        #expect(key.error == "down: Down.")

        // The cause is gone, but the key's turn has not come: what arrives now waits behind the others all the same.
        world.trouble.ends("bad")
        #expect(await world.processor.process([record("b3", offset: 4, subject: "bad")]) == [acknowledged])
        #expect(try await world.effects() == ["a1", "a2"])
        try await world.pass(.milliseconds(250))
        #expect(try await world.effects() == ["a1", "a2", "b1", "b2", "b3"])
        #expect(try await world.store.parkedCounts() == [])
        #expect(
            world.seen.all.map(\.outcome) == [
                .handled, .parked, .handled, .parked, .parked, .handled, .handled, .handled,
            ]
        )

        // Free again: handled at once.
        #expect(await world.processor.process([record("b4", offset: 5, subject: "bad")]) == [acknowledged])
        #expect(try await world.effects().last == "b4")
    }

    @Test func attemptsSurviveRestartsAndEndInADeadLetterBehindWhichTheKeyGoesOn() async throws {
        let database = try TemporaryDatabase()
        let limits = EventProcessor.Limits(maximumAttempts: 4, firstPause: .seconds(1), longestPause: .seconds(2))
        let trouble = Trouble()
        trouble.begins("bad")
        for attempt in 1...3 {
            let world = try World(database.path, limits: limits, trouble: trouble)
            if attempt == 1 {
                let batch = [record("b1", offset: 0, subject: "bad"), record("b2", offset: 1, subject: "bad")]
                #expect(await world.processor.process(batch) == [acknowledged, acknowledged])
            } else {
                try await world.pass(.seconds(10 * attempt))
            }
            #expect(try await world.store.parkedKeys().map(\.attempts) == [attempt])
            #expect(try await world.store.deadLetters().isEmpty)
            await world.store.close()
        }
        let world = try World(database.path, limits: limits, trouble: trouble)
        // The first uses its last attempt; the one behind it begins with its first.
        try await world.pass(.seconds(40))
        #expect(
            try await world.store.deadLetters().map { "\($0.messageID ?? "") \($0.attempts) \($0.code)" } == [
                "b1 4 down"
            ]
        )
        #expect(try await world.store.parkedKeys().map { "\($0.offset) \($0.attempts)" } == ["1 1"])
        trouble.ends("bad")
        try await world.pass(.seconds(2))
        #expect(try await world.effects() == ["b2"])
        #expect(try await world.store.parkedCounts() == [])
        await world.store.close()
    }

    @Test func withoutRoomThePartitionIsHeldAndNothingIsSkipped() async throws {
        let world = try World(limits: EventProcessor.Limits(maximumParked: 2))
        world.trouble.begins("bad")
        world.trouble.begins("worse")
        let batch = [
            record("b1", offset: 0, subject: "bad"), record("b2", offset: 1, subject: "bad"),
            record("g1", offset: 2, subject: "good"), record("b3", offset: 3, subject: "bad"),
            record("g2", offset: 4, subject: "good"), record("h1", offset: 0, partition: 1, subject: "other"),
            record("w1", offset: 1, partition: 1, subject: "worse"),
        ]
        let first = await world.processor.process(batch)
        #expect(Array(first[0...2]) == [acknowledged, acknowledged, acknowledged] && first[5] == acknowledged)
        // As the subscription does: what is held is read again, from the first record that was given back.
        let held = [batch[3], batch[4], batch[6]]
        for _ in 0..<3 {
            let codes = await world.processor.process(held).map { verdict in
                guard case .giveBack(let failure) = verdict else { return "\(verdict)" }
                return failure.code
            }
            #expect(codes == ["parking-full", "parking-full", "down"])
            #expect(try await world.offsets == ["events/0@3", "events/1@1"])
        }
        // Held, not counted: no attempt was used up by being read again and again.
        #expect(try await world.store.parkedKeys().map(\.attempts) == [1])
        world.trouble.ends("bad")
        world.trouble.ends("worse")
        try await world.pass(.seconds(1))
        #expect(await world.processor.process(held) == Array(repeating: acknowledged, count: 3))
        #expect(try await world.effects() == ["g1", "h1", "b1", "b2", "b3", "g2", "w1"])
        #expect(try await world.offsets == ["events/0@5", "events/1@2"])
    }

    @Test func aRecordReadAgainIsParkedOnceAndADuplicateBehindItIsAbsorbed() async throws {
        let world = try World()
        world.trouble.begins("bad")
        let batch = [record("b1", offset: 0, subject: "bad"), record("b1", offset: 1, subject: "bad")]
        for _ in 0..<2 { #expect(await world.processor.process(batch) == [acknowledged, acknowledged]) }
        #expect(try await world.store.parkedCounts().map(\.records) == [2])
        world.trouble.ends("bad")
        try await world.pass(.seconds(1))
        #expect(try await world.effects() == ["b1"])
        #expect(world.seen.all.suffix(2).map(\.outcome) == [.handled, .duplicate])
    }

    @Test func poisonAndRefusalsOfAParkedKeyAreSettledInTheirTurn() async throws {
        let world = try World()
        world.trouble.begins("bad")
        _ = await world.processor.process((0..<3).map { record("b\($0)", offset: Int64($0), subject: "bad") })
        world.trouble.begins("bad", .poison)
        try await world.pass(.seconds(1))
        #expect(try await world.store.deadLetters().compactMap(\.messageID).sorted() == ["b0", "b1", "b2"])
        #expect(try await world.store.parkedCounts() == [])
    }

    @Test func anInterruptionUsesNoAttemptOfAParkedKey() async throws {
        let world = try World()
        world.trouble.begins("bad")
        _ = await world.processor.process([record("b1", offset: 0, subject: "bad")])
        world.trouble.begins("bad", .interrupted)
        try await world.pass(.milliseconds(250))
        #expect(try await world.store.parkedKeys().map(\.attempts) == [1])
        world.trouble.ends("bad")
        try await world.pass(.milliseconds(250))
        #expect(try await world.effects() == ["b1"])
    }

    @Test func aLongKeyIsWorkedOffInBoundedUnits() async throws {
        let world = try World()
        world.trouble.begins("bad")
        _ = await world.processor.process((0..<250).map { record("b\($0)", offset: Int64($0), subject: "bad") })
        world.trouble.ends("bad")
        world.clock.advance(by: .seconds(1))
        let runner = ParkedRecordRunner(world.processor)
        var units = 0
        while try await runner.retryNext() { units += 1 }
        #expect(units == 3)
        #expect(try await world.effects() == (0..<250).map { "b\($0)" })
    }

    @Test func aFatalFailureOfAParkedKeyStopsAndKeepsIt() async throws {
        let world = try World()
        world.trouble.begins("bad")
        _ = await world.processor.process([record("b1", offset: 0, subject: "bad")])
        world.trouble.begins("bad", .fatal)
        world.clock.advance(by: .seconds(1))
        await #expect(throws: Failure(.fatal, code: "down", "Down.")) {
            try await ParkedRecordRunner(world.processor).run()
        }
        #expect(try await world.store.parkedKeys().map(\.attempts) == [1])
    }

    @Test func forgettingAConsumerForgetsWhatIsParked() async throws {
        let world = try World()
        world.trouble.begins("bad")
        _ = await world.processor.process([record("b1", offset: 0, subject: "bad")])
        try await world.store.forgetConsumer("reader")
        #expect(try await world.store.parkedCounts() == [])
    }
}
