import GRDB
import KitTestSupport
import Messaging
import Testing

@testable import DurableStore

@Suite struct DeadLetterJobTests {
    private let actor = LetterFixture.actor

    private func names(_ count: Int) -> [String] { (1...count).map { "m\($0)" } }

    /// Takes steps until the job has ended; `between` is what happens meanwhile.
    private func finish(
        _ fixture: LetterFixture,
        _ job: DeadLetterJob,
        between: (Int) async throws -> Void = { _ in }
    ) async throws -> DeadLetterJob {
        let runner = DeadLetterJobRunner(desk: fixture.desk)
        for step in 0..<500 {
            let next = try await runner.step()
            if next == .idle { break }
            try await between(step)
        }
        return try #require(try await fixture.store.deadLetterJob(job.id))
    }

    @Test func batchesGrowAndEveryLetterIsHandledOnce() async throws {
        let fixture = try LetterFixture()
        try await fixture.failCommands(names(40))
        let job = try await fixture.desk.startJob(DeadLetterFilter(code: "bad"), actor)
        #expect(job.total == 40 && job.waiting == 40)
        var seq: Int64 = 0
        let ended = try await finish(fixture, job) { _ in seq = try await fixture.deliver(after: seq) }
        #expect(ended.state == .finished && ended.outcomes == [.handled: 40] && ended.batch == 6)
        #expect(try await fixture.store.count("SELECT count(*) FROM effect") == 40)
        #expect(try await fixture.store.count("SELECT count(DISTINCT message_id) FROM effect") == 40)
        let sizes = try await fixture.store.strings(
            "SELECT count(*) FROM dead_letter_job_items GROUP BY batch ORDER BY batch"
        )
        #expect(sizes == ["1", "2", "5", "10", "20", "2"])
        let acts = try await fixture.acts()
        #expect(acts.first == "start-job 40" && acts.last == "finish-job finished" && acts.count == 42)
        #expect(try await fixture.store.deadLetterActs(job: job.id, limit: 1000).count == 42)
        #expect(try await fixture.store.deadLetterJobItems(job.id, after: 38).map(\.position) == [39, 40])
    }

    @Test func itStopsByItselfAfterTheFirstLetterThatFailsAgain() async throws {
        let fixture = try LetterFixture()
        try await fixture.failCommands(names(30))
        let job = try await fixture.desk.startJob(DeadLetterFilter(), actor)
        fixture.mood.error = LetterFixture.poison
        var seq: Int64 = 0
        let ended = try await finish(fixture, job) { _ in seq = try await fixture.deliver(after: seq) }
        #expect(ended.state == .stopped && ended.outcomes == [.failed: 1] && ended.waiting == 29)
        #expect(ended.detail == "batch 1: of 1 letter, 1 failed again and 0 did not end in time")
        let letters = try await fixture.store.deadLetters()
        #expect(letters.count == 30)
        #expect(letters.filter { $0.previousID != nil }.count == 1)
        // Some may fail: the rest goes on.
        fixture.mood.error = nil
        let second = try await fixture.desk.startJob(DeadLetterFilter(), pace: .init(failurePercent: 50), actor)
        #expect(
            try await finish(fixture, second) { _ in seq = try await fixture.deliver(after: seq) }.state == .finished
        )
    }

    @Test func whatDoesNotEndInTimeStopsItToo() async throws {
        let fixture = try LetterFixture()
        try await fixture.failCommands(names(3))
        let job = try await fixture.desk.startJob(DeadLetterFilter(), pace: .init(settle: .seconds(10)), actor)
        let runner = DeadLetterJobRunner(desk: fixture.desk)
        #expect(try await runner.step() == .again)
        #expect(try await runner.step() == .wait(.milliseconds(200)))
        fixture.clock.advance(by: .seconds(11))
        #expect(try await finish(fixture, job).state == .stopped)
    }

    @Test func itGoesOnAfterAKillAtAnyStepAndSendsNothingTwice() async throws {
        for crash in 0..<14 {
            let database = try TemporaryDatabase()
            var job: DeadLetterJob
            do {
                let fixture = try LetterFixture(database.path)
                try await fixture.failCommands(names(9))
                job = try await fixture.desk.startJob(DeadLetterFilter(), actor)
                let runner = DeadLetterJobRunner(desk: fixture.desk)
                var seq: Int64 = 0
                for step in 0..<crash {
                    _ = try await runner.step()
                    if step % 2 == 1 { seq = try await fixture.deliver(after: seq) }
                }
                await fixture.store.close()
            }
            let fixture = try LetterFixture(database.path)
            var seq: Int64 = 0
            job = try await finish(fixture, job) { _ in seq = try await fixture.deliver(after: seq) }
            #expect(job.state == .finished && job.waiting == 0, "crash after step \(crash)")
            #expect(try await fixture.store.count("SELECT count(*) FROM effect") == 9)
            let sent = try await fixture.store.count("SELECT count(*) FROM outbox WHERE target = 'test.inbox'")
            #expect(sent == 9, "crash after step \(crash)")
            await fixture.store.close()
        }
    }

    @Test func cancellingEndsItAndOnlyOneRunsAtATime() async throws {
        let fixture = try LetterFixture()
        await #expect(throws: Failure.self) { try await fixture.desk.startJob(DeadLetterFilter(), actor) }
        try await fixture.failCommands(names(10))
        let job = try await fixture.desk.startJob(DeadLetterFilter(), pace: .init(ratePerMinute: 60), actor)
        await #expect(throws: Failure.self) { try await fixture.desk.startJob(DeadLetterFilter(), actor) }
        let runner = DeadLetterJobRunner(desk: fixture.desk)
        #expect(try await runner.step() == .wait(.milliseconds(1000)))
        #expect(try await fixture.desk.cancelJob(job.id, actor))
        #expect(try await fixture.desk.cancelJob(job.id, actor) == false)
        #expect(try await runner.step() == .idle)
        let ended = try #require(try await fixture.store.deadLetterJobs().first)
        #expect(ended.state == .cancelled && ended.waiting == 9 && ended.detail == "cancelled by ada: because")
        #expect(try await fixture.store.deadLetterCount(DeadLetterFilter(state: .requeued)) == 1)
    }

    @Test func theRunnerIsWokenByANewJobAndHandlesLettersOfTopicsItself() async throws {
        let fixture = try LetterFixture()
        for index in 0..<5 { _ = try await fixture.failRecord("e\(index)", offset: Int64(index)) }
        let running = Task { try await DeadLetterJobRunner(desk: fixture.desk).run() }
        let job = try await fixture.desk.startJob(DeadLetterFilter(), actor)
        #expect(
            try await eventually(within: .seconds(10)) {
                try await fixture.store.deadLetterJob(job.id)?.state == .finished
            }
        )
        running.cancel()
        try await running.value
        #expect(try await fixture.store.deadLetterJob(job.id)?.outcomes == [.handled: 5])
    }
}
