import DurableStore
import GRDB
import KitTestSupport
import Messaging
import Testing

@Suite struct DeadLetterTests {
    private let poison: @Sendable (Envelope) -> (any Error)? = { _ in
        Failure(.poison, code: "bad-json", String(repeating: "é", count: 10_000))
    }

    private func processor(_ store: DurableStore) -> CommandProcessor {
        CommandProcessor(store: store, inbox: "test.inbox", handler: EffectHandler(failures: poison))
    }

    private func lastDeadLetter(_ store: DurableStore) async throws -> ReceivedMessage {
        delivered(try #require(try await store.outboxRows().last).message, from: "test.inbox.dead")
    }

    @Test func drainingKeepsBytesAndHeadersAndIsIdempotent() async throws {
        let store = try makeStore()
        let original = command("m1", body: "\u{1F600}{", extra: [("x-a", "1"), ("x-a", "2"), ("X-B", "\"quoted\"\n")])
        _ = await processor(store).process([original])
        _ = await processor(store).process([original])
        let drain = DeadLetterDrain(store: store, inbox: "test.inbox")
        let rows = try await store.outboxRows()
        #expect(rows.count == 2)
        let copies = rows.map { delivered($0.message, from: "test.inbox.dead") }
        #expect(await drain.process(copies + copies) == Array(repeating: .acknowledge, count: 4))
        let letters = try await store.deadLetters()
        #expect(letters.count == 1)
        let letter = try #require(letters.first)
        #expect(letter.body == original.body)
        #expect(letter.headers.map { [$0.name, $0.value] } == original.headers.map { [$0.name, $0.value] })
        #expect(letter.code == "bad-json")
        #expect(letter.failureClass == "poison")
        #expect(letter.error.utf8.count == 8192)
        #expect(letter.messageID == "m1")
        #expect(letter.consumer == "test.inbox")
        #expect(letter.attempts == 1)
        #expect(try await store.deadLetterCounts().map(\.count) == [1])
    }

    @Test func unreadableMessagesAndTheBrokersOwnAreDrainedToo() async throws {
        let store = try makeStore()
        let unreadable = ReceivedMessage(source: .queue("test.inbox"), headers: [("odd", "x")], body: [0, 1, 2, 255])
        _ = await processor(store).process([unreadable])
        let byBroker = command("m7", extra: [("x-death", "count=21"), ("x-first-death-reason", "delivery_limit")])
        let drain = DeadLetterDrain(store: store, inbox: "test.inbox")
        let letter = try await lastDeadLetter(store)
        _ = await drain.process([letter, byBroker, letter, byBroker])
        let letters = try await store.deadLetters().sorted { $0.code < $1.code }
        #expect(letters.map(\.code) == ["broker-delivery-limit", "envelope-invalid"])
        #expect(letters[0].messageID == "m7")
        #expect(letters[0].xDeath == "count=21")
        #expect(letters[1].body == [0, 1, 2, 255])
        #expect(letters[1].messageID == nil)
        #expect(letters[1].headers.map(\.name) == ["odd"])
    }

    @Test func whileTheDiskIsFullTheDrainKeepsItsLetters() async throws {
        let disk = FullDisk(commits: 50)
        let store = try makeStore(pausing: { _ in }, onStep: { try disk.reach($0) })
        let recorded = Recorder<String?>()
        let drain = DeadLetterDrain(store: store, inbox: "test.inbox") { recorded.add($0.messageID) }
        #expect(await drain.process([command("m1"), command("m2")]) == [.acknowledge, .acknowledge])
        #expect(disk.refused == 50)
        #expect(recorded.all == ["m1", "m2"])
        #expect(try await store.deadLetters().count == 2)
    }

    /// It was handled as an empty message and acknowledged: its headers say nothing of it.
    @Test func aBodyThatWasTooLongToTakeIsADeadLetterThatNobodyCanSendBack() async throws {
        let store = try makeStore()
        let large = ReceivedMessage(
            source: .queue("test.inbox"),
            headers: EnvelopeHeaders.encode(envelope("m1")),
            body: [],
            fault: .oversizedBody
        )
        let healthy = CommandProcessor(store: store, inbox: "test.inbox", handler: EffectHandler())
        #expect(await healthy.process([large]) == [.acknowledge])
        #expect(try await store.count("SELECT count(*) FROM effect") == 0)
        #expect(try await store.count("SELECT count(*) FROM inbox") == 0)
        let drain = DeadLetterDrain(store: store, inbox: "test.inbox")
        let sent = try await lastDeadLetter(store)
        #expect(await drain.process([sent]) == [.acknowledge])
        let letter = try #require(try await store.deadLetters().first)
        #expect(letter.code == "envelope-body-too-long")
        #expect(letter.messageID == "m1")
        #expect(try await store.requeueDeadLetter(letter.id) == false)
        #expect(try await store.deadLetter(letter.id)?.state == .held)
    }

    @Test func hugeHeadersAreCutNotLost() async throws {
        let store = try makeStore()
        let big = (0..<200).map { (name: "h\($0)", value: String(repeating: "v", count: 2000)) }
        _ = await processor(store).process([ReceivedMessage(source: .queue("test.inbox"), headers: big, body: [1])])
        let letter = try await lastDeadLetter(store)
        #expect(letter.headers.reduce(0) { $0 + $1.name.utf8.count + $1.value.utf8.count } < 100_000)
        #expect(letter.headers.contains { $0.name == DeadLetterHeaders.truncated })
        #expect(await DeadLetterDrain(store: store, inbox: "test.inbox").process([letter]) == [.acknowledge])
        #expect(try await store.deadLetters().first?.code == "envelope-too-many")
    }

    @Test func requeueingIsOneUnitWithTheMarkAndTwiceIsOnce() async throws {
        let store = try makeStore()
        _ = await processor(store).process([command("m1", attempt: 4)])
        let drain = DeadLetterDrain(store: store, inbox: "test.inbox")
        _ = await drain.process([try await lastDeadLetter(store)])
        let first = try #require(try await store.deadLetters().first)
        #expect(try await store.requeueDeadLetter(first.id))
        #expect(try await store.requeueDeadLetter(first.id) == false)
        let sent = try #require(try await store.outboxRows().last).message
        #expect(sent.destination == .inbox("test.inbox"))
        #expect(sent.envelope == envelope("m1"))
        #expect(try await store.count("SELECT count(*) FROM outbox") == 2)

        // It fails again: a new letter that names the first one.
        _ = await processor(store).process([delivered(sent)])
        _ = await drain.process([try await lastDeadLetter(store)])
        let letters = try await store.deadLetters(DeadLetterFilter(state: nil))
        #expect(letters.count == 2)
        let second = try #require(letters.first { $0.id != first.id })
        #expect(second.previousID == first.id)
        #expect(second.state == .held)

        // And at last it is handled; a copy that comes late changes nothing.
        #expect(try await store.requeueDeadLetter(second.id, reason: "repaired"))
        let again = delivered(try #require(try await store.outboxRows().last).message)
        let healthy = CommandProcessor(store: store, inbox: "test.inbox", handler: EffectHandler())
        #expect(await healthy.process([again, again]) == [.acknowledge, .acknowledge])
        #expect(try await store.strings("SELECT message_id FROM effect") == ["m1"])
    }

    @Test func discardedLettersCanBeRestored() async throws {
        let store = try makeStore()
        _ = await processor(store).process([command("m1")])
        _ = await DeadLetterDrain(store: store, inbox: "test.inbox").process([try await lastDeadLetter(store)])
        let id = try #require(try await store.deadLetters().first).id
        #expect(try await store.discardDeadLetter(id, reason: "test"))
        #expect(try await store.requeueDeadLetter(id) == false)
        #expect(try await store.deadLetters().isEmpty)
        #expect(try await store.restoreDeadLetter(id))
        #expect(try await store.deadLetter(id)?.state == .held)
        #expect(try await store.restoreDeadLetter(id) == false)
    }
}
