import DurableStore
import GRDB
import KitTestSupport
import Messaging
import Testing

@Suite struct EventProcessorTests {
    private func processor(
        _ store: DurableStore,
        seen: Recorder<ProcessingObservation>? = nil,
        late: @escaping @Sendable (Envelope) -> (any Error)? = { _ in nil }
    ) -> EventProcessor {
        EventProcessor(
            store: store,
            consumer: "reader",
            handler: EffectHandler(lateFailures: late),
            observer: { seen?.add($0) }
        )
    }

    private func offsets(_ store: DurableStore) async throws -> [String] {
        try await EventProcessor.startOffsets(consumer: "reader", in: store).map {
            "\($0.topic)/\($0.partition)@\($0.offset)"
        }
    }

    @Test func effectsAndOffsetsAreCommittedTogetherAndDuplicatesAbsorbed() async throws {
        let store = try makeStore()
        let seen = Recorder<ProcessingObservation>()
        let processor = processor(store, seen: seen)
        let batch = [record("a", offset: 10), record("b", offset: 4, partition: 1), record("c", offset: 11)]
        #expect(await processor.process(batch) == Array(repeating: .acknowledge, count: 3))
        #expect(try await offsets(store) == ["events/0@12", "events/1@5"])
        #expect(await processor.process(batch) == Array(repeating: .acknowledge, count: 3))
        #expect(try await store.strings("SELECT message_id FROM effect") == ["a", "b", "c"])
        #expect(seen.all.map(\.outcome) == [.handled, .handled, .handled, .duplicate, .duplicate, .duplicate])
    }

    @Test func poisonBecomesARowAndThePartitionMovesOn() async throws {
        let store = try makeStore()
        let processor = processor(store) { envelope in
            switch envelope.id {
            case "p": Failure(.poison, code: "bad", "Bad.")
            case "r": Failure(.permanent, code: "no", "No.")
            default: nil
            }
        }
        let unreadable = ReceivedMessage(
            source: .record(topic: "events", partition: 0, offset: 2),
            headers: [("k", "v")],
            body: [0, 255]
        )
        let batch = [
            record("a", offset: 0), record("p", offset: 1), unreadable, record("r", offset: 3),
            record("a", offset: 4, body: "{\"other\":true}"), record("z", offset: 5),
        ]
        for _ in 0..<2 { #expect(await processor.process(batch) == Array(repeating: .acknowledge, count: 6)) }
        #expect(try await store.strings("SELECT message_id FROM effect") == ["a", "z"])
        #expect(try await offsets(store) == ["events/0@6"])
        let letters = try await store.deadLetters().sorted { $0.source < $1.source }
        #expect(letters.map(\.source) == ["events/0@1", "events/0@2", "events/0@4"])
        #expect(letters.map(\.code) == ["bad", "envelope-invalid", "message-id-reused"])
        #expect(letters[1].body == [0, 255])
        #expect(letters[1].headers.map(\.name) == ["k"])
        #expect(try await store.count("SELECT count(*) FROM inbox") == 3)
    }

    @Test func fatalStopsAndKeepsWhatCameBefore() async throws {
        let store = try makeStore()
        let fatal = Failure(.fatal, code: "broken", "Broken.")
        let processor = processor(store) { $0.id == "f" ? fatal : nil }
        let batch = [record("a", offset: 0), record("f", offset: 1), record("c", offset: 0, partition: 1)]
        #expect(await processor.process(batch) == [.acknowledge, .stop(fatal), .stop(fatal)])
        #expect(try await store.strings("SELECT message_id FROM effect") == ["a"])
        #expect(try await offsets(store) == ["events/0@1"])
    }

    @Test func anInterruptionUsesNoAttempt() async throws {
        let store = try makeStore()
        let processor = processor(store) { $0.id == "i" ? CancellationError() : nil }
        let verdicts = await processor.process([record("a", offset: 0), record("i", offset: 1), record("c", offset: 2)])
        #expect(verdicts[0] == .acknowledge)
        for verdict in verdicts.dropFirst() {
            guard case .giveBack(let failure) = verdict else { return #expect(Bool(false)) }
            #expect(failure.failureClass == .interrupted)
        }
        #expect(try await store.count("SELECT count(*) FROM parked_records") == 0)
    }

    @Test func aFailureOfTheStoreCommitsNothingOfTheBatch() async throws {
        let store = try makeStore()
        let full = processor(store) {
            $0.id == "b" ? DatabaseError(resultCode: .SQLITE_FULL, message: "simulated") : nil
        }
        let batch = [record("a", offset: 0), record("b", offset: 1)]
        for verdict in await full.process(batch) {
            guard case .giveBack(let failure) = verdict else { return #expect(Bool(false)) }
            #expect(failure.code == "store-full")
        }
        #expect(try await store.count("SELECT count(*) FROM effect") == 0)
        #expect(try await offsets(store) == [])
        let broken = processor(store) { $0.id == "b" ? ioError : nil }
        for verdict in await broken.process(batch) {
            guard case .stop(let failure) = verdict else { return #expect(Bool(false)) }
            #expect(failure.code == "store-io")
        }
    }

    @Test func aForgottenConsumerReadsEverythingAgain() async throws {
        let clock = ManualClock()
        let store = try makeStore(clock: clock)
        let batch = (0..<25).map { record("m\($0)", offset: Int64($0)) }
        _ = await processor(store).process(batch)
        try await store.forgetConsumer("reader", batch: 10)
        #expect(try await store.count("SELECT count(*) FROM inbox") == 0)
        #expect(try await offsets(store) == [])
        _ = await processor(store).process(batch)
        #expect(try await store.count("SELECT count(*) FROM effect") == 50)
        clock.advance(by: .seconds(10))
        _ = await processor(store).process([record("late", offset: 25)])
        #expect(try await store.purgeInbox(receivedBefore: clock.now(), batch: 7) == 25)
        #expect(try await store.strings("SELECT message_id FROM inbox") == ["late"])
    }
}
