public import Messaging
import Synchronization

/// Works through rows that ask for a call to the outside: a row first, then a call, then a row.
///
/// The runner decides only when and how many at a time. What is due, what the call is and what it leaves in which row is
/// the owner's: an item must change its own due time before `perform` returns, or it is picked again after `repeatPause`.
public final class DueWorkRunner<Item: Sendable & Identifiable>: Sendable where Item.ID: Hashable & Sendable {
    private let name: String
    private let concurrency: Int
    private let repeatPause: Duration
    private let spacing: Duration
    private let fetchDue: @Sendable (_ now: Timestamp, _ limit: Int, _ excluding: Set<Item.ID>) async throws -> [Item]
    private let nextDue: @Sendable (_ excluding: Set<Item.ID>) async throws -> Timestamp?
    private let perform: @Sendable (Item) async -> Void
    private let clock: any WallClock
    private let signal = WakeSignal()
    private let running = Mutex<[Item.ID: Task<Void, Never>]>([:])

    /// Makes a runner.
    ///
    /// - Parameters:
    ///   - name: for messages.
    ///   - concurrency: the most items performed at the same time, at least 1.
    ///   - repeatPause: the shortest time between two looks at the table when there was work but nothing woke the runner.
    ///   - spacing: the shortest time between two looks however often it is woken: wakes in close succession are one look, and
    ///     the first after a quiet time does not wait.
    ///   - fetchDue: items due at `now`, oldest first, at most `limit`, none of `excluding` (those being performed).
    ///   - nextDue: when the next item that is not excluded is due; `nil` when there is none.
    ///   - perform: the call and the row after it. Has a deadline of its own; is not cancelled by a shutdown.
    ///   - clock: what is compared with due times.
    public init(
        name: String,
        concurrency: Int,
        repeatPause: Duration = .milliseconds(5),
        spacing: Duration = .zero,
        fetchDue:
            @escaping @Sendable (_ now: Timestamp, _ limit: Int, _ excluding: Set<Item.ID>) async throws -> [Item],
        nextDue: @escaping @Sendable (_ excluding: Set<Item.ID>) async throws -> Timestamp?,
        perform: @escaping @Sendable (Item) async -> Void,
        clock: any WallClock
    ) {
        self.name = name
        self.concurrency = max(1, concurrency)
        self.repeatPause = repeatPause
        self.spacing = spacing
        self.fetchDue = fetchDue
        self.nextDue = nextDue
        self.perform = perform
        self.clock = clock
    }

    /// Makes the runner look at the table. Call it from ``Transaction/afterCommit(_:)`` of the unit that made work.
    public func wake() { signal.signal() }

    /// Picks and performs until the task is cancelled, then waits for what is being performed.
    ///
    /// - Throws: a ``Failure`` of class fatal that fetching met; others are retried with backoff.
    public func run() async throws {
        var failures = 0
        var fatal: Failure?
        var nextLook = ContinuousClock.now
        while !Task.isCancelled {
            do {
                if nextLook > .now { try await Task.sleep(until: nextLook) }
                nextLook = .now + spacing
                try await pick()
                failures = 0
            } catch is CancellationError {
                break
            } catch {
                let failure = Failure(classifyingStoreError: error)
                if failure.failureClass == .fatal {
                    fatal = failure
                    break
                }
                failures += 1
                await signal.wait(atMost: .milliseconds(min(5000, 100 << min(failures, 6))))
            }
        }
        for task in running.withLock({ Array($0.values) }) { await task.value }
        if let fatal { throw fatal }
    }

    /// Starts what is due and waits until there may be more.
    private func pick() async throws {
        let busy = Set(running.withLock { $0.keys })
        let room = concurrency - busy.count
        guard room > 0 else {
            await signal.wait()
            return
        }
        let items = try await fetchDue(clock.now(), room, busy)
        for item in items.prefix(room) where !busy.contains(item.id) { start(item) }
        if items.count >= room { return }
        let excluded = Set(running.withLock { $0.keys })
        let untilNext = try await nextDue(excluded).map { $0.milliseconds(since: clock.now()) } ?? 1000
        // At least once a second, so that a clock that jumps is noticed; never in a hot loop.
        await signal.wait(atMost: max(repeatPause, .milliseconds(min(max(untilNext, 0), 1000))))
    }

    private func start(_ item: Item) {
        running.withLock { running in
            guard running[item.id] == nil else { return }
            // Not a child task: a shutdown lets calls run to their own deadlines instead of cutting them.
            running[item.id] = Task { [self] in
                await perform(item)
                finish(item.id)
                signal.signal()
            }
        }
    }

    private func finish(_ id: Item.ID) {
        _ = running.withLock { $0.removeValue(forKey: id) }
    }
}
