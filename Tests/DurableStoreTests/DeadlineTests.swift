import GRDB
import KitTestSupport
import Messaging
import Testing

@testable import DurableStore

@Suite struct DeadlineTests {
    private func fired(_ fired: Recorder<String>) -> @Sendable (String, String, Transaction) throws -> Void {
        { name, subject, transaction in
            transaction.afterCommit { fired.add(name + ":" + subject) }
        }
    }

    @Test func eachFiresOnceWhenItIsDue() async throws {
        let clock = ManualClock()
        let store = try makeStore(clock: clock)
        let list = Recorder<String>()
        let runner = DeadlineRunner(store: store, handler: fired(list))
        try await store.write { transaction in
            try transaction.setDeadline("pay", for: "o1", at: transaction.now.advanced(by: .seconds(10)))
            try transaction.setDeadline("pay", for: "o2", at: transaction.now.advanced(by: .seconds(20)))
            try transaction.setDeadline("ship", for: "o1", at: transaction.now.advanced(by: .seconds(5)))
            try transaction.setDeadline("pay", for: "o3", at: transaction.now.advanced(by: .seconds(5)))
            try transaction.clearDeadline("ship", for: "o1")
            try transaction.clearDeadline("ship", for: "none")
            try transaction.setDeadline("pay", for: "o3", at: transaction.now.advanced(by: .seconds(30)))
        }
        #expect(try await runner.fireDue() == 0)
        clock.advance(by: .seconds(10))
        #expect(try await runner.fireDue() == 1)
        #expect(try await runner.fireDue() == 0)
        clock.advance(by: .seconds(100))
        #expect(try await runner.fireDue() == 2)
        #expect(list.all == ["pay:o1", "pay:o2", "pay:o3"])
    }

    @Test func aFailingHandlerIsTriedAgainAndBlocksNobody() async throws {
        let clock = ManualClock()
        let store = try makeStore(clock: clock)
        let list = Recorder<String>()
        let tries = Recorder<Int>()
        let runner = DeadlineRunner(store: store) { name, subject, transaction in
            try transaction.db.execute(sql: "INSERT INTO item(id) VALUES (?)", arguments: [subject])
            if subject == "bad" {
                tries.add(1)
                if tries.count < 3 { throw Failure(.retryable, code: "wait", "Wait.") }
            }
            transaction.afterCommit { list.add(subject) }
        }
        try await store.write { transaction in
            try transaction.setDeadline("d", for: "bad", at: transaction.now)
            try transaction.setDeadline("d", for: "good", at: transaction.now.advanced(byMilliseconds: 1))
        }
        clock.advance(by: .seconds(1))
        #expect(try await runner.fireDue() == 2)
        #expect(list.all == ["good"])
        #expect(try await store.strings("SELECT id FROM item") == ["good"])
        #expect(try await runner.fireDue() == 0)
        for seconds in [1, 2] {
            clock.advance(by: .seconds(seconds))
            #expect(try await runner.fireDue() == 1)
        }
        #expect(list.all == ["good", "bad"])
        #expect(try await store.count("SELECT count(*) FROM deadlines") == 0)
    }

    @Test func deadlinesSurviveARestart() async throws {
        let database = try TemporaryDatabase()
        let clock = ManualClock()
        let first = try makeStore(database.path, clock: clock)
        try await first.write { try $0.setDeadline("d", for: "s", at: $0.now.advanced(by: .seconds(1))) }
        await first.close()
        clock.advance(by: .seconds(3600))
        let store = try makeStore(database.path, clock: clock)
        let list = Recorder<String>()
        let runner = DeadlineRunner(store: store, handler: fired(list))
        let task = Task { try await runner.run() }
        #expect(await eventually { list.all == ["d:s"] })
        // A deadline set while the runner sleeps wakes it.
        try await store.write { try $0.setDeadline("d", for: "t", at: $0.now) }
        #expect(await eventually { list.all == ["d:s", "d:t"] })
        task.cancel()
        try await task.value
        await store.close()
    }

    /// The runner looks every second by itself: only what is due before that must wake it, and what it is woken for costs a read.
    @Test func onlyADeadlineWithinASecondWakesTheRunner() async throws {
        let store = try makeStore()
        let wake = store.deadlineWake
        try await store.write { try $0.setDeadline("d", for: "soon", at: $0.now.advanced(by: .milliseconds(999))) }
        #expect(await ContinuousClock().measure { await wake.wait(atMost: .seconds(30)) } < .seconds(20))
        try await store.write { try $0.setDeadline("d", for: "later", at: $0.now.advanced(by: .milliseconds(1000))) }
        #expect(await ContinuousClock().measure { await wake.wait(atMost: .milliseconds(50)) } >= .milliseconds(50))
    }

    @Test func aFatalFailureEndsTheRunnerAndKeepsTheRow() async throws {
        let store = try makeStore()
        let runner = DeadlineRunner(store: store) { _, _, _ in throw Failure(.fatal, code: "broken", "Broken.") }
        try await store.write { try $0.setDeadline("d", for: "s", at: $0.now) }
        await #expect(throws: Failure.self) { try await runner.run() }
        #expect(try await store.count("SELECT count(*) FROM deadlines") == 1)
    }
}
