import DurableStore
import GRDB
import KitTestSupport
import Messaging
import Testing

@Suite struct CommandProcessorTests {
    private func processor(
        _ store: DurableStore,
        retry: RetryPolicy = .standard,
        seen: Recorder<ProcessingObservation>? = nil,
        late: @escaping @Sendable (Envelope) -> (any Error)? = { _ in nil },
        _ failures: @escaping @Sendable (Envelope) -> (any Error)? = { _ in nil }
    ) -> CommandProcessor {
        CommandProcessor(
            store: store,
            inbox: "test.inbox",
            handler: EffectHandler(failures: failures, lateFailures: late),
            retry: retry,
            observer: { seen?.add($0) }
        )
    }

    @Test func aMessageHasOneEffectHoweverOftenItComes() async throws {
        let store = try makeStore()
        let seen = Recorder<ProcessingObservation>()
        let processor = processor(store, seen: seen)
        #expect(
            await processor.process([command("m1"), command("m2"), command("m1")]) == [
                .acknowledge, .acknowledge, .acknowledge,
            ]
        )
        #expect(await processor.process([command("m1", attempt: 4)]) == [.acknowledge])
        #expect(try await store.strings("SELECT message_id FROM effect") == ["m1", "m2"])
        #expect(try await store.strings("SELECT message_id FROM inbox WHERE outcome = 'handled'") == ["m1", "m2"])
        #expect(try await store.count("SELECT count(*) FROM outbox") == 2)
        #expect(seen.all.map(\.outcome) == [.handled, .handled, .duplicate, .duplicate])
    }

    @Test func anIDWithOtherContentIsADeadLetterAndHasNoEffect() async throws {
        let store = try makeStore()
        let processor = processor(store)
        _ = await processor.process([command("m1", body: "{}")])
        #expect(await processor.process([command("m1", body: "{\"x\":1}")]) == [.acknowledge])
        #expect(try await store.count("SELECT count(*) FROM effect") == 1)
        let letter = try #require(try await store.outboxRows().last)
        #expect(letter.message.destination == .exchange("test.inbox.dead", routingKey: "test.inbox.dead"))
        #expect(letter.message.extraHeaders[DeadLetterHeaders.reason] == "message-id-reused")
    }

    @Test func aRefusalIsRecordedAndLeavesNothingElse() async throws {
        let store = try makeStore()
        let processor = processor(store, late: { _ in Failure(.permanent, code: "too-late", "Too late.") })
        #expect(await processor.process([command("m1")]) == [.acknowledge])
        #expect(try await store.count("SELECT count(*) FROM effect") == 0)
        #expect(try await store.count("SELECT count(*) FROM outbox") == 0)
        #expect(try await store.strings("SELECT code FROM inbox WHERE outcome = 'refused'") == ["too-late"])
        #expect(await self.processor(store).process([command("m1")]) == [.acknowledge])
        #expect(try await store.count("SELECT count(*) FROM effect") == 0)
    }

    @Test func aRetryableFailureWaitsOutsideAndEndsInADeadLetter() async throws {
        let clock = ManualClock()
        let store = try makeStore(clock: clock)
        let processor = processor(store, late: { _ in Failure(.retryable, code: "gone-away", "Gone away.") })
        var next = command("m1", extra: [("x-trace", "kept"), ("x-death", "broker")])
        for (index, level) in RetryPolicy.standard.levels.enumerated() {
            #expect(await processor.process([next]) == [.acknowledge])
            let row = try #require(try await store.outboxRows().last)
            #expect(
                row.message.destination == .exchange("test.inbox.retry", routingKey: "test.inbox.retry." + level.name)
            )
            #expect(row.message.envelope.attempt == index + 2)
            #expect(row.message.expirationMilliseconds == level.delay.wholeMilliseconds)
            #expect(row.message.extraHeaders["x-trace"] == "kept")
            #expect(row.message.extraHeaders["x-death"] == nil)
            #expect(row.message.extraHeaders[DeadLetterHeaders.firstFailedAt] == "2026-01-01T00:00:00.000Z")
            next = delivered(row.message)
            clock.advance(by: .seconds(10))
        }
        #expect(await processor.process([next]) == [.acknowledge])
        let letter = try #require(try await store.outboxRows().last)
        #expect(letter.message.extraHeaders[DeadLetterHeaders.attempts] == "6")
        #expect(letter.message.extraHeaders[DeadLetterHeaders.firstFailedAt] == "2026-01-01T00:00:00.000Z")
        #expect(letter.message.extraHeaders[DeadLetterHeaders.failedAt] == "2026-01-01T00:00:50.000Z")
        #expect(try await store.count("SELECT count(*) FROM inbox") == 0)
        #expect(try await store.count("SELECT count(*) FROM effect") == 0)
    }

    @Test func aRetriedMessageIsHandledOnceItCanBe() async throws {
        let store = try makeStore()
        let processor = processor(store) { envelope in
            envelope.attempt < 3 ? Failure(.retryable, code: "not-yet", "Not yet.") : nil
        }
        _ = await processor.process([command("m1")])
        _ = await processor.process([delivered(try #require(try await store.outboxRows().last).message)])
        _ = await processor.process([delivered(try #require(try await store.outboxRows().last).message)])
        #expect(try await store.strings("SELECT message_id FROM effect") == ["m1"])
    }

    @Test func brokenConstraintsAreRetriedNotFatal() async throws {
        let store = try makeStore()
        let seen = Recorder<ProcessingObservation>()
        let processor = processor(
            store,
            seen: seen,
            late: { _ in DatabaseError(resultCode: .SQLITE_CONSTRAINT, message: "UNIQUE") }
        )
        #expect(await processor.process([command("m1")]) == [.acknowledge])
        #expect(seen.all.map(\.failure?.code) == ["sql-constraint"])
        #expect(seen.all.map(\.outcome) == [.retried])
    }

    @Test func poisonAndUnreadableMessagesAreDeadLettersAtOnceAndOthersGoOn() async throws {
        let store = try makeStore()
        let processor = processor(store) { envelope in
            envelope.body == [UInt8]("bad".utf8) ? Failure(.poison, code: "bad-json", "Not JSON.") : nil
        }
        let unreadable = ReceivedMessage(
            source: .queue("test.inbox"),
            headers: [("ce_id", "x"), ("ce_id", "y"), ("other", "\u{0}é")],
            body: [0, 255, 128]
        )
        let verdicts = await processor.process([
            command("m1"), command("m2", body: "bad"), unreadable, command("m3"),
        ])
        #expect(verdicts == Array(repeating: .acknowledge, count: 4))
        #expect(try await store.strings("SELECT message_id FROM effect") == ["m1", "m3"])
        let letters = try await store.outboxRows(.all).filter {
            $0.message.destination == .exchange("test.inbox.dead", routingKey: "test.inbox.dead")
        }
        #expect(letters.map { $0.message.extraHeaders[DeadLetterHeaders.reason] } == ["bad-json", "envelope-repeated"])
        #expect(letters[1].message.envelope.body == [0, 255, 128])
    }

    @Test func fatalStopsAndInterruptedGivesBack() async throws {
        let store = try makeStore()
        let processor = processor(store) { envelope in
            switch envelope.id {
            case "f": Failure(.fatal, code: "broken", "Broken.")
            case "i": CancellationError()
            default: nil
            }
        }
        let verdicts = await processor.process([command("m1"), command("f"), command("i"), command("m2")])
        #expect(verdicts[0] == .acknowledge)
        #expect(verdicts[1] == .stop(Failure(.fatal, code: "broken", "Broken.")))
        guard case .giveBack(let failure) = verdicts[2] else { return #expect(Bool(false)) }
        #expect(failure.failureClass == .interrupted)
        #expect(verdicts[3] == .acknowledge)
        #expect(try await store.strings("SELECT message_id FROM effect") == ["m1", "m2"])
        #expect(try await store.count("SELECT count(*) FROM inbox") == 2)
        #expect(try await store.count("SELECT count(*) FROM outbox") == 2)
    }

    /// Twenty returns make a quorum queue give up on a message, so each must last.
    @Test func aDiskThatStaysFullGivesBackAfterMinutesAndUsesNoAttempt() async throws {
        let pauses = Recorder<Duration>()
        let seen = Recorder<ProcessingObservation>()
        let store = try makeStore(pausing: { pauses.add($0) })
        let processor = processor(
            store,
            seen: seen,
            late: { _ in DatabaseError(resultCode: .SQLITE_FULL, message: "simulated") }
        )
        guard case .giveBack(let failure) = await processor.process([command("m1")])[0] else {
            return #expect(Bool(false))
        }
        #expect(failure.code == "store-full")
        #expect(seen.all.map(\.outcome) == [.givenBack])
        // 100 ms … 3.2 s, then 54 times 5 s.
        #expect(pauses.all.reduce(Duration.zero, +) == .milliseconds(276_300))
        #expect(pauses.all.allSatisfy { $0 <= .milliseconds(250) })
        #expect(try await store.count("SELECT count(*) FROM outbox") == 0)
        await store.close()
        guard case .giveBack(let closed) = await processor.process([command("m1")])[0] else {
            return #expect(Bool(false))
        }
        #expect(closed.failureClass == .interrupted)
    }

    @Test func whileTheDiskIsFullMessagesWaitAndAreHandledOnce() async throws {
        let disk = FullDisk(commits: 50)
        let seen = Recorder<ProcessingObservation>()
        let store = try makeStore(pausing: { _ in }, onStep: { try disk.reach($0) })
        let processor = processor(store, seen: seen)
        let verdicts = await processor.process([command("m1"), command("m2"), command("m3")])
        #expect(verdicts == [.acknowledge, .acknowledge, .acknowledge])
        #expect(disk.refused == 50)
        #expect(try await store.strings("SELECT message_id FROM effect ORDER BY rowid") == ["m1", "m2", "m3"])
        #expect(try await store.count("SELECT count(*) FROM inbox") == 3)
        #expect(try await store.count("SELECT count(*) FROM outbox") == 3)
        // Whoever watches sees at once that they wait, and later that they did not wait in vain.
        let waited: [ProcessingObservation.Outcome] = [.givenBack, .givenBack, .givenBack]
        #expect(seen.all.map(\.outcome) == waited + [.handled, .handled, .handled])
        #expect(seen.all.prefix(3).allSatisfy { $0.failure?.code == "store-full" })
    }

    @Test func onlyMessagesThatFoundNoRoomAreTriedAgain() async throws {
        let tries = Recorder<String>()
        let store = try makeStore(pausing: { _ in })
        let processor = processor(store) { envelope in
            tries.add(envelope.id)
            guard envelope.id == "m2", tries.all.count(where: { $0 == "m2" }) < 4 else { return nil }
            return DatabaseError(resultCode: .SQLITE_FULL, message: "simulated")
        }
        let verdicts = await processor.process([command("m1"), command("m2"), command("m3")])
        #expect(verdicts == [.acknowledge, .acknowledge, .acknowledge])
        #expect(tries.all == ["m1", "m2", "m3", "m2", "m2", "m2"])
        #expect(try await store.strings("SELECT message_id FROM effect ORDER BY rowid") == ["m1", "m3", "m2"])
    }

    @Test func closingTheStoreEndsTheWaitingForIt() async throws {
        let (isWaiting, waiting) = AsyncStream<Void>.makeStream()
        let (isClosed, closed) = AsyncStream<Void>.makeStream()
        let disk = FullDisk()
        let store = try makeStore(
            pausing: { _ in
                waiting.yield()
                for await _ in isClosed {}
            },
            onStep: { try disk.reach($0) }
        )
        let processor = processor(store)
        let verdicts = Task { await processor.process([command("m1")]) }
        for await _ in isWaiting { break }
        await store.close()
        closed.finish()
        guard case .giveBack(let failure) = await verdicts.value[0] else { return #expect(Bool(false)) }
        #expect(failure.code == "store-closed")
        #expect(disk.refused == 1)
    }

    @Test func aConsumerThatEndsDoesNotWaitForTheStore() async throws {
        let pauses = Recorder<Duration>()
        let disk = FullDisk()
        let store = try makeStore(pausing: { pauses.add($0) }, onStep: { try disk.reach($0) })
        let processor = processor(store)
        let verdicts = await processor.process([command("m1")], until: { true })
        guard case .giveBack(let failure) = verdicts[0] else { return #expect(Bool(false)) }
        #expect(failure.code == "store-full")
        #expect(disk.refused == 1)
        #expect(pauses.all.isEmpty)
        // And one that begins to end while it waits stops waiting.
        _ = await processor.process([command("m1")], until: { pauses.count >= 3 })
        #expect(pauses.count == 3)
    }

    @Test func aDiskErrorStops() async throws {
        let store = try makeStore()
        let processor = processor(store, late: { _ in ioError })
        guard case .stop(let failure) = await processor.process([command("m1")])[0] else { return #expect(Bool(false)) }
        #expect(failure.code == "store-io")
    }

    @Test func noOperationsAreRecordedAsSuch() async throws {
        struct Idle: MessageHandler {
            let consumer = "idle"
            func handle(_ envelope: Envelope, in transaction: Transaction) { transaction.noteNoOperation() }
        }
        let store = try makeStore()
        let processor = CommandProcessor(store: store, inbox: "idle.inbox", handler: Idle())
        #expect(await processor.process([command("m1")]) == [.acknowledge])
        #expect(try await store.strings("SELECT outcome FROM inbox") == ["noop"])
    }
}
