import Failpoints
public import Messaging

/// Fires deadlines: removes the row and runs the handler in one unit, so that each fires once, also across restarts.
///
/// A handler that throws is rolled back, its row stays and is tried again after 1 s, 2 s … 60 s; others do not wait for it.
/// The runner looks at the clock at least once a second, so a clock that jumps is noticed.
public final class DeadlineRunner: Sendable {
    /// The longest time between two looks at the rows, in milliseconds.
    static let longestPause: Int64 = 1000

    private let store: DurableStore
    private let handler: @Sendable (_ name: String, _ subject: String, Transaction) throws -> Void
    private let clock: any WallClock
    private let observer: @Sendable (DeadlineObservation) -> Void

    /// Makes a runner. One per store.
    ///
    /// - Parameters:
    ///   - clock: what is compared with the deadlines; the store's unless given.
    ///   - observer: told of each deadline after its commit; must not block.
    ///   - handler: what a deadline does, on the writer's thread; no network, no waiting. A failure of class `fatal` ends
    ///     ``run()``.
    public init(
        store: DurableStore,
        clock: (any WallClock)? = nil,
        observer: @escaping @Sendable (DeadlineObservation) -> Void = { _ in },
        handler: @escaping @Sendable (_ name: String, _ subject: String, Transaction) throws -> Void
    ) {
        self.store = store
        self.clock = clock ?? store.clock
        self.observer = observer
        self.handler = handler
    }

    /// Makes the runner look at the rows and the clock now: for tests that move a clock by hand.
    public func wake() { store.deadlineWake.signal() }

    /// Fires deadlines until the task is cancelled.
    ///
    /// - Throws: a ``Failure`` of class fatal, from a handler or the store.
    public func run() async throws {
        var failures = 0
        while !Task.isCancelled {
            do {
                if try await fireDue() > 0 { continue }
                failures = 0
                let next = try await store.read { try DeadlineTable.next(in: $0) }
                let untilNext = next.map { max(1, $0.milliseconds(since: clock.now())) } ?? Self.longestPause
                await store.deadlineWake.wait(atMost: .milliseconds(min(untilNext, Self.longestPause)))
            } catch is CancellationError {
                return
            } catch {
                let failure = Failure(classifyingStoreError: error)
                if failure.failureClass == .fatal { throw failure }
                if failure.code == Failure.storeClosed.code { return }
                failures += 1
                await store.deadlineWake.wait(atMost: .milliseconds(min(5000, 100 << min(failures, 6))))
            }
        }
    }

    /// Fires what is due now, at most 256 deadlines.
    ///
    /// - Returns: how many were due.
    @discardableResult
    public func fireDue() async throws -> Int {
        let now = clock.now()
        let due = try await store.read { try DeadlineTable.due(at: now, limit: 256, in: $0) }
        if !due.isEmpty { Failpoints.reach("deadlines.before-fire", about: due.map(\.subject)) }
        if Sabotage.isOn("deadline-in-its-own-transaction") {
            _ = try await store.write { tx in for deadline in due { _ = try DeadlineTable.take(deadline, in: tx.db) } }
        }
        let results = await store.writeEach(
            due.map { deadline in
                RecoverableUnit<DeadlineObservation?>(
                    run: { [handler] transaction in
                        guard
                            try DeadlineTable.take(deadline, in: transaction.db)
                                || Sabotage.isOn("deadline-in-its-own-transaction")
                        else { return nil }
                        try handler(deadline.name, deadline.subject, transaction)
                        Failpoints.reach("deadlines.after-handler", about: [deadline.subject])
                        return DeadlineObservation(deadline, failure: nil)
                    },
                    recover: { error, transaction in
                        let failure = Failure(classifyingStoreError: error)
                        if failure.failureClass == .fatal || failure.failureClass == .interrupted { throw failure }
                        let pause = Int64(min(60_000, 1000 << min(deadline.failures, 6)))
                        try DeadlineTable.postpone(
                            deadline,
                            until: now.advanced(byMilliseconds: pause),
                            error: failure.description,
                            in: transaction.db
                        )
                        return DeadlineObservation(deadline, failure: failure)
                    }
                )
            }
        )
        if !due.isEmpty { Failpoints.reach("deadlines.after-fire", about: due.map(\.subject)) }
        for result in results {
            if let observation = try result.get() { observer(observation) }
        }
        return due.count
    }
}

/// One deadline that came due.
public struct DeadlineObservation: Sendable {
    /// The kind of deadline.
    public let name: String
    /// What it was about.
    public let subject: String
    /// When it was due.
    public let dueAt: Timestamp
    /// Why it did not fire; `nil` when it did.
    public let failure: Failure?

    init(_ due: DeadlineTable.Due, failure: Failure?) {
        name = due.name
        subject = due.subject
        dueAt = due.dueAt
        self.failure = failure
    }
}
