import DurableStore
import GRDB
import KitTestSupport
import Messaging
import Synchronization
import Testing

@Suite struct DueWorkTests {
    struct Job: Sendable, Identifiable {
        let id: Int
        let due: Timestamp
    }

    final class Jobs: Sendable {
        let jobs = Mutex<[Int: Timestamp]>([:])
        let running = Mutex<(now: Int, most: Int)>((0, 0))
        let done = Recorder<Int>()

        func due(_ now: Timestamp, _ limit: Int, _ excluding: Set<Int>) -> [Job] {
            jobs.withLock { jobs in
                jobs.filter { $0.value <= now && !excluding.contains($0.key) }.map { Job(id: $0.key, due: $0.value) }
                    .sorted { $0.id < $1.id }.prefix(limit).map { $0 }
            }
        }

        func next(_ excluding: Set<Int>) -> Timestamp? {
            jobs.withLock { jobs in jobs.filter { !excluding.contains($0.key) }.values.min() }
        }

        func perform(_ job: Job) async {
            running.withLock { $0 = ($0.now + 1, max($0.most, $0.now + 1)) }
            try? await Task.sleep(for: .milliseconds(2))
            running.withLock { $0.now -= 1 }
            jobs.withLock { $0[job.id] = nil }
            done.add(job.id)
        }
    }

    private func runner(_ jobs: Jobs, concurrency: Int, clock: any WallClock) -> DueWorkRunner<Job> {
        DueWorkRunner(
            name: "test",
            concurrency: concurrency,
            fetchDue: { jobs.due($0, $1, $2) },
            nextDue: { jobs.next($0) },
            perform: { await jobs.perform($0) },
            clock: clock
        )
    }

    @Test func everyJobIsDoneOnceWithinTheBound() async throws {
        let jobs = Jobs()
        let clock = ManualClock()
        jobs.jobs.withLock { list in for id in 0..<60 { list[id] = clock.now() } }
        let runner = runner(jobs, concurrency: 4, clock: clock)
        let task = Task { try await runner.run() }
        #expect(await eventually { jobs.done.count == 60 })
        #expect(jobs.running.withLock { $0.most } <= 4)
        // Later work: known to the table, and the runner is woken by the unit that wrote it.
        jobs.jobs.withLock { $0[100] = clock.now().advanced(by: .seconds(60)) }
        runner.wake()
        clock.advance(by: .seconds(61))
        runner.wake()
        #expect(await eventually { jobs.done.all.contains(100) })
        task.cancel()
        try await task.value
        #expect(jobs.done.all.sorted() == Array(0..<60) + [100])
    }

    @Test func aShutdownWaitsForWhatIsBeingDone() async throws {
        let started = Recorder<Int>()
        let finished = Recorder<Bool>()
        let release = AsyncStream<Void>.makeStream()
        let runner = DueWorkRunner<Job>(
            name: "test",
            concurrency: 1,
            fetchDue: { now, _, busy in busy.isEmpty && started.count == 0 ? [Job(id: 1, due: now)] : [] },
            nextDue: { _ in nil },
            perform: { job in
                started.add(job.id)
                for await _ in release.stream { break }
                finished.add(Task.isCancelled)
            },
            clock: ManualClock()
        )
        let task = Task { try await runner.run() }
        #expect(await eventually { started.count == 1 })
        task.cancel()
        release.continuation.yield()
        try await task.value
        #expect(finished.all == [false])
    }

    @Test func fetchingThatFailsIsTriedAgain() async throws {
        let tries = Recorder<Int>()
        let done = Recorder<Int>()
        let runner = DueWorkRunner<Job>(
            name: "test",
            concurrency: 2,
            fetchDue: { now, _, _ in
                tries.add(1)
                if tries.count < 2 { throw Failure(.retryable, code: "busy", "Busy.") }
                return done.count == 0 ? [Job(id: 1, due: now)] : []
            },
            nextDue: { _ in nil },
            perform: { done.add($0.id) },
            clock: ManualClock()
        )
        let task = Task { try await runner.run() }
        #expect(await eventually { done.count >= 1 })
        task.cancel()
        try await task.value
    }

    @Test func wakesInCloseSuccessionAreOneLook() async throws {
        let looks = Recorder<Int>()
        let spacing = Duration.milliseconds(40)
        let runner = DueWorkRunner<Job>(
            name: "test",
            concurrency: 1,
            spacing: spacing,
            fetchDue: { _, _, _ in
                looks.add(1)
                return []
            },
            nextDue: { _ in nil },
            perform: { _ in },
            clock: ManualClock()
        )
        let began = ContinuousClock.now
        let task = Task { try await runner.run() }
        // Woken as fast as it can be, it goes on looking, and no more often than it may.
        #expect(
            await eventually {
                runner.wake()
                return looks.count >= 4
            }
        )
        let most = Int((ContinuousClock.now - began) / spacing) + 1
        #expect(looks.count <= most)
        task.cancel()
        try await task.value
    }

    @Test func aFatalFailureEndsTheRunner() async throws {
        let runner = DueWorkRunner<Job>(
            name: "test",
            concurrency: 2,
            fetchDue: { _, _, _ in throw Failure(.fatal, code: "gone", "Gone.") },
            nextDue: { _ in nil },
            perform: { _ in },
            clock: ManualClock()
        )
        await #expect(throws: Failure.self) { try await runner.run() }
    }
}
