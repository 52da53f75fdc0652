import DurableStore
import GRDB
import KitTestSupport
import Messaging
import Synchronization
import Testing

/// What a handler does, changeable while it is used.
final class Mood: Sendable {
    private let state = Mutex<(any Error)?>(nil)
    var error: (any Error)? {
        get { state.withLock { $0 } }
        set { state.withLock { $0 = newValue } }
    }
}

/// Letters of an inbox and of a topic, made the way in which services make them.
struct LetterFixture {
    static let poison = Failure(.poison, code: "bad", "It is bad.")
    static let actor = DeadLetterActor("ada", reason: "because")
    let store: DurableStore
    let clock: ManualClock
    let desk: DeadLetterDesk
    let mood = Mood()
    let handler: EffectHandler

    init(_ path: String? = nil, window: Duration = .seconds(86_400)) throws {
        let clock = ManualClock()
        self.clock = clock
        let mood = mood
        let handler = EffectHandler(failures: { _ in mood.error })
        self.handler = handler
        store = try makeStore(path, clock: clock)
        desk = DeadLetterDesk(
            store: store,
            handlers: ["test.inbox": handler, "reader": handler],
            requeueWindow: window
        )
    }

    /// Lets commands fail and drains them.
    @discardableResult
    func failCommands(
        _ ids: [String],
        body: String = "{}",
        error: Failure = LetterFixture.poison
    ) async throws -> [String] {
        mood.error = error
        defer { mood.error = nil }
        let last = try await store.count("SELECT coalesce(max(seq), 0) FROM outbox")
        let processor = CommandProcessor(store: store, inbox: "test.inbox", handler: handler)
        _ = await processor.process(ids.map { command($0, body: body) })
        try await drain(after: Int64(last))
        return try await store.deadLetters().reversed().map(\.id)
    }

    func drain(after seq: Int64) async throws {
        let rows = try await store.outboxRows(after: seq, limit: 1000).filter {
            $0.message.destination == .exchange("test.inbox.dead", routingKey: "test.inbox.dead")
        }
        _ = await DeadLetterDrain(store: store, inbox: "test.inbox").process(
            rows.map { delivered($0.message, from: "test.inbox.dead") }
        )
    }

    func failRecord(_ id: String, offset: Int64 = 0) async throws -> String {
        mood.error = Self.poison
        defer { mood.error = nil }
        let processor = EventProcessor(store: store, consumer: "reader", handler: handler)
        _ = await processor.process([record(id, offset: offset)])
        return try #require(try await store.deadLetters(DeadLetterFilter(transport: "kafka")).first).id
    }

    /// What the inbox would be given now: everything sent to it since a row of the outbox.
    func deliver(after seq: Int64) async throws -> Int64 {
        let rows = try await store.outboxRows(.all, after: seq, limit: 1000)
        let processor = CommandProcessor(store: store, inbox: "test.inbox", handler: handler)
        _ = await processor.process(
            rows.filter { $0.message.destination == .inbox("test.inbox") }.map { delivered($0.message) }
        )
        try await drain(after: rows.last?.seq ?? seq)
        return rows.last?.seq ?? seq
    }

    func acts(_ id: String? = nil) async throws -> [String] {
        try await store.deadLetterActs(letter: id).reversed().map { "\($0.verb.rawValue) \($0.outcome)" }
    }
}

@Suite struct DeadLetterDeskTests {
    private let actor = LetterFixture.actor

    @Test func everyActIsInTheJournalAndTheJournalOnlyGrows() async throws {
        let fixture = try LetterFixture()
        let id = try #require(try await fixture.failCommands(["m1"]).first)
        #expect(try await fixture.desk.discard(id, actor).kind == .done)
        #expect(try await fixture.desk.discard(id, actor).code == "not-held")
        #expect(try await fixture.desk.restore(id, actor).kind == .done)
        #expect(try await fixture.desk.requeue(id, actor).kind == .sent)
        #expect(try await fixture.desk.requeue(id, actor).code == "not-held")
        #expect(try await fixture.desk.requeue("none", actor).kind == .unknown)
        #expect(
            try await fixture.acts(id) == [
                "discard done", "discard impossible", "restore done", "requeue sent", "requeue impossible",
            ]
        )
        let act = try #require(try await fixture.store.deadLetterActs(letter: id).last)
        #expect(act.actor == "ada" && act.reason == "because" && act.at == fixture.clock.now())
        for sql in ["DELETE FROM dead_letter_acts", "UPDATE dead_letter_acts SET actor = 'eve'"] {
            await #expect(throws: (any Error).self) {
                try await fixture.store.write { try $0.db.execute(sql: sql) }
            }
        }
        #expect(try await fixture.acts(id).count == 5)
        let page = try await fixture.store.deadLetterActs(limit: 2)
        #expect(try await fixture.store.deadLetterActs(before: page.last?.id).count == 3)
    }

    @Test func rehearsalSaysWhatWouldHappenAndLeavesNothing() async throws {
        let fixture = try LetterFixture()
        let id = try #require(try await fixture.failCommands(["m1"]).first)
        let before = try await fixture.store.count("SELECT count(*) FROM outbox")
        #expect(try await fixture.desk.rehearse(id).kind == .handled)
        fixture.mood.error = LetterFixture.poison
        let bad = try await fixture.desk.rehearse(id)
        #expect(bad.kind == .failed && bad.code == "bad" && bad.sentence == "It is bad.")
        fixture.mood.error = Failure(.permanent, code: "closed", "Closed.")
        #expect(try await fixture.desk.rehearse(id).kind == .refused)
        fixture.mood.error = nil
        #expect(try await fixture.store.count("SELECT count(*) FROM outbox") == before)
        #expect(try await fixture.store.count("SELECT count(*) FROM effect") == 0)
        #expect(try await fixture.store.count("SELECT count(*) FROM inbox") == 0)
        // The same message came by another way and was handled.
        _ = await CommandProcessor(store: fixture.store, inbox: "test.inbox", handler: fixture.handler)
            .process([command("m1")])
        #expect(try await fixture.desk.rehearse(id).kind == .duplicate)
        #expect(try await fixture.desk.requeue(id, actor).kind == .duplicate)
        #expect(try await fixture.store.deadLetter(id)?.state == .requeued)
        #expect(try await fixture.store.strings("SELECT message_id FROM effect") == ["m1"])
    }

    @Test func aReusedIDAndAnOldLetterAreNotSentUnderTheirOwnID() async throws {
        let fixture = try LetterFixture(window: .seconds(60))
        let id = try #require(try await fixture.failCommands(["m1"]).first)
        _ = await CommandProcessor(store: fixture.store, inbox: "test.inbox", handler: fixture.handler)
            .process([command("m1", body: "{\"other\":1}")])
        #expect(try await fixture.desk.requeue(id, actor).code == "message-id-reused")
        fixture.clock.advance(by: .seconds(61))
        #expect(try await fixture.desk.requeue(id, actor).code == "too-old")
        #expect(try await fixture.store.deadLetter(id)?.state == .held)
        let edited = try await fixture.desk.edit(id, body: [UInt8]("{\"fixed\":1}".utf8), actor)
        #expect(try await fixture.desk.requeue(try #require(edited.newID), actor).kind == .sent)
    }

    @Test func lettersOfATopicAreHandledAgainInOneUnitExactlyOnce() async throws {
        let fixture = try LetterFixture()
        let id = try await fixture.failRecord("e1")
        fixture.mood.error = Failure(.retryable, code: "busy", "Busy.")
        #expect(try await fixture.desk.requeue(id, actor).kind == .failed)
        let again = try #require(try await fixture.store.deadLetter(id))
        #expect(again.state == .held && again.code == "busy" && again.attempts == 2)
        fixture.mood.error = nil
        #expect(try await fixture.desk.requeue(id, actor).kind == .handled)
        #expect(try await fixture.desk.requeue(id, actor).code == "not-held")
        #expect(try await fixture.store.strings("SELECT message_id FROM effect") == ["e1"])
        #expect(try await fixture.acts(id) == ["requeue failed", "requeue handled", "requeue impossible"])
        // The record itself, read again from the log, is a duplicate now.
        _ = await EventProcessor(store: fixture.store, consumer: "reader", handler: fixture.handler)
            .process([record("e1", offset: 0)])
        #expect(try await fixture.store.strings("SELECT message_id FROM effect") == ["e1"])
        let refused = try await fixture.failRecord("e2", offset: 1)
        fixture.mood.error = Failure(.permanent, code: "closed", "Closed.")
        #expect(try await fixture.desk.requeue(refused, actor).kind == .refused)
        #expect(try await fixture.store.strings("SELECT code FROM inbox WHERE message_id = 'e2'") == ["closed"])
        #expect(try await DeadLetterDesk(store: fixture.store).rehearse(refused).code == "not-held")
    }

    @Test func anEditHasANewIDAndOnlyOneVersionIsEverSent() async throws {
        let fixture = try LetterFixture()
        let id = try #require(try await fixture.failCommands(["m1"]).first)
        fixture.mood.error = LetterFixture.poison
        #expect(try await fixture.desk.edit(id, body: [1], actor).code == "edit-invalid")
        fixture.mood.error = nil
        #expect(try await fixture.desk.edit(id, body: [UInt8]("{}".utf8), actor).code == "edit-empty")
        let result = try await fixture.desk.edit(id, body: [UInt8]("{\"fixed\":true}".utf8), actor)
        let newID = try #require(result.newID)
        let original = try #require(try await fixture.store.deadLetter(id))
        let copy = try #require(try await fixture.store.deadLetter(newID))
        #expect(original.state == .discarded && original.stateReason == "edited as \(newID): because")
        #expect(copy.editedFrom == id && copy.state == .held && copy.messageID != "m1")
        #expect(copy.subject == original.subject && copy.correlationID == original.correlationID)
        let kept: (DeadLetter) -> [[String]] = { letter in
            letter.headers.filter { $0.name != "ce_id" }.map { [$0.name, $0.value] }
        }
        #expect(kept(copy) == kept(original))
        #expect(try await fixture.desk.restore(id, actor).code == "edited")
        #expect(try await fixture.desk.requeue(newID, actor).kind == .sent)
        #expect(try await fixture.desk.restore(id, actor).code == "edited")
        let sent = try #require(try await fixture.store.outboxRows().last).message
        #expect(sent.envelope.body == [UInt8]("{\"fixed\":true}".utf8))
        #expect(sent.extraHeaders[DeadLetterHeaders.previous] == newID)
        // Deleting the newer version first would let the older one be restored: the older one goes first.
        let purged = try await fixture.desk.purge(DeadLetterFilter(state: .requeued), actor)
        #expect(purged == 0)
        #expect(try await fixture.desk.purge(DeadLetterFilter(state: nil), actor) == 2)
    }

    @Test func aDiscardedEditGivesTheOriginalFree() async throws {
        let fixture = try LetterFixture()
        let id = try #require(try await fixture.failCommands(["m1"]).first)
        let newID = try #require(try await fixture.desk.edit(id, body: [UInt8]("[]".utf8), actor).newID)
        #expect(try await fixture.desk.discard(newID, actor).kind == .done)
        #expect(try await fixture.desk.restore(id, actor).kind == .done)
        #expect(try await fixture.desk.restore(newID, actor).code == "edited")
        let second = try #require(try await fixture.desk.edit(id, body: [UInt8]("[1]".utf8), actor).newID)
        #expect(try await fixture.desk.restore(newID, actor).code == "edited")
        #expect(try await fixture.desk.discard(second, actor).kind == .done)
        #expect(try await fixture.desk.restore(newID, actor).kind == .done)
    }

    @Test func purgeAndRetentionNeverTakeHeldLetters() async throws {
        let fixture = try LetterFixture()
        let ids = try await fixture.failCommands(["m1", "m2", "m3"])
        _ = try await fixture.desk.discard(ids[0], actor)
        fixture.clock.advance(by: .seconds(100))
        _ = try await fixture.desk.discard(ids[1], actor)
        let retention = DeadLetterRetention(desk: fixture.desk, retention: .seconds(50))
        #expect(try await retention.purge() == 1)
        #expect(try await fixture.desk.purge(DeadLetterFilter(state: .held), actor) == 0)
        #expect(try await fixture.desk.purge(DeadLetterFilter(state: nil), actor) == 1)
        #expect(try await fixture.store.deadLetters(DeadLetterFilter(state: nil)).map(\.id) == [ids[2]])
        #expect(try await fixture.acts().filter { $0.hasPrefix("purge") } == ["purge 1", "purge 1"])
    }

    @Test func filtersAndPagesFindEveryLetterOnce() async throws {
        let fixture = try LetterFixture()
        for index in 0..<7 {
            try await fixture.failCommands(["m\(index)"], body: "{\"needle\":\(index)}")
            if index % 2 == 0 { fixture.clock.advance(by: .seconds(1)) }
        }
        _ = try await fixture.failRecord("e1")
        var seen: [String] = []
        var cursor: DeadLetterCursor?
        while true {
            let page = try await fixture.store.deadLetters(limit: 3, after: cursor)
            guard let last = page.last else { break }
            seen += page.map(\.id)
            cursor = DeadLetterCursor(DeadLetterCursor(last).text)
            #expect(cursor == DeadLetterCursor(last))
        }
        #expect(Set(seen).count == 8 && seen.count == 8)
        #expect(DeadLetterCursor("x") == nil && DeadLetterCursor("1.") == nil)
        func count(_ filter: DeadLetterFilter) async throws -> Int { try await fixture.store.deadLetterCount(filter) }
        #expect(try await count(DeadLetterFilter(transport: "kafka")) == 1)
        #expect(try await count(DeadLetterFilter(consumer: "test.inbox")) == 7)
        #expect(try await count(DeadLetterFilter(text: "\"needle\":4")) == 1)
        #expect(try await count(DeadLetterFilter(text: "events/0@0")) == 1)
        #expect(try await count(DeadLetterFilter(code: "bad", text: "It is bad")) == 8)
        #expect(try await count(DeadLetterFilter(subject: "nobody")) == 0)
        #expect(DeadLetterFilter(type: "t", text: "x").description == "state=held type=t text=x")
    }

    @Test func lifetimesThatWouldApplyAMessageTwiceAreRefused() throws {
        try MessageLifetimes.standard.check()
        var lifetimes = MessageLifetimes.standard
        lifetimes.inboxRetention = .seconds(23 * 86_400)
        let failure = #expect(throws: Failure.self) { try lifetimes.check() }
        #expect(failure?.code == "retention-too-short")
        #expect(failure?.description.contains("after 23 d, but a message can come back after 24 d 26 min") == true)
        lifetimes = .standard
        lifetimes.decidedRetention = .seconds(60)
        #expect(throws: Failure.self) { try lifetimes.check() }
    }
}
