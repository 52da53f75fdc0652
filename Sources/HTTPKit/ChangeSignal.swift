import Synchronization

/// Wakes whoever waits for news about a key, such as the event stream of one aggregate.
///
/// Subscribe *before* reading the state; then a change between the reading and the waiting is not missed:
///
/// ```
/// guard let ticket = signal.subscribe(to: id) else { … too many … }
/// while true {
///     let rows = try read(after: cursor)
///     if !rows.isEmpty { return rows }
///     guard await ticket.wait(upTo: remaining) else { return [] }
/// }
/// ```
///
/// A signal carries no data and may be spurious. At most ``maxTickets`` subscriptions. Safe to use from any thread.
public final class ChangeSignal<Key: Hashable & Sendable>: Sendable {
    private struct State {
        var nextID: UInt64 = 0
        var tickets: [Key: [UInt64: Waiter]] = [:]
        var count = 0
    }

    /// Most subscriptions at a time.
    public let maxTickets: Int
    private let state = Mutex(State())

    /// Creates a signal without subscribers.
    public init(maxTickets: Int = 4096) {
        self.maxTickets = maxTickets
    }

    /// Open subscriptions.
    public var count: Int { state.withLock { $0.count } }

    /// Starts to listen for `key`; nil when there are ``maxTickets`` already. The subscription ends with the ticket's life.
    public func subscribe(to key: Key) -> Ticket? {
        let waiter = Waiter()
        let id = state.withLock { state -> UInt64? in
            guard state.count < maxTickets else { return nil }
            state.count += 1
            state.nextID += 1
            state.tickets[key, default: [:]][state.nextID] = waiter
            return state.nextID
        }
        return id.map { Ticket(signal: self, key: key, id: $0, waiter: waiter) }
    }

    /// Says that something about `key` has changed.
    public func notify(_ key: Key) {
        let waiters = state.withLock { $0.tickets[key].map { Array($0.values) } ?? [] }
        for waiter in waiters { waiter.signal() }
    }

    private func remove(_ key: Key, _ id: UInt64) {
        state.withLock { state in
            guard state.tickets[key]?.removeValue(forKey: id) != nil else { return }
            state.count -= 1
            if state.tickets[key]?.isEmpty == true { state.tickets[key] = nil }
        }
    }

    /// One subscription; for one task at a time.
    public final class Ticket: Sendable {
        private let signal: ChangeSignal
        private let key: Key
        private let id: UInt64
        private let waiter: Waiter

        fileprivate init(signal: ChangeSignal, key: Key, id: UInt64, waiter: Waiter) {
            self.signal = signal
            self.key = key
            self.id = id
            self.waiter = waiter
        }

        deinit { signal.remove(key, id) }

        /// Waits for a signal since the last call (or the subscription); false when `timeout` passes or the task is cancelled first.
        public func wait(upTo timeout: Duration) async -> Bool {
            await waiter.wait(upTo: timeout)
        }
    }
}

/// A flag that one task can wait for.
private final class Waiter: Sendable {
    private struct State {
        var isSignalled = false
        var continuation: CheckedContinuation<Bool, Never>?
    }

    private let state = Mutex(State())

    func signal() {
        let continuation = state.withLock { state -> CheckedContinuation<Bool, Never>? in
            guard let continuation = state.continuation else {
                state.isSignalled = true
                return nil
            }
            state.continuation = nil
            return continuation
        }
        continuation?.resume(returning: true)
    }

    func wait(upTo timeout: Duration) async -> Bool {
        await withTaskGroup(of: Bool.self) { group in
            group.addTask { await self.nextSignal() }
            group.addTask {
                try? await Task.sleep(for: timeout)
                return false
            }
            let first = await group.next() ?? false
            group.cancelAll()
            // A signal that came while the timer won must not be lost.
            var result = first
            for await other in group where other { result = true }
            return result
        }
    }

    private func nextSignal() async -> Bool {
        await withTaskCancellationHandler {
            await withCheckedContinuation { (continuation: CheckedContinuation<Bool, Never>) in
                let answer = state.withLock { state -> Bool? in
                    if state.isSignalled {
                        state.isSignalled = false
                        return true
                    }
                    if Task.isCancelled || state.continuation != nil { return false }
                    state.continuation = continuation
                    return nil
                }
                if let answer { continuation.resume(returning: answer) }
            }
        } onCancel: {
            let continuation = state.withLock { state -> CheckedContinuation<Bool, Never>? in
                defer { state.continuation = nil }
                return state.continuation
            }
            continuation?.resume(returning: false)
        }
    }
}
