import Synchronization

/// What the outside knows of and wants from one connection: its state, who waits for it, and whether it should end.
final class ConnectionControl: Sendable {
    /// How urgently the connection should end.
    enum Ending: Int, Sendable, Comparable {
        case no, graceful, immediate
        static func < (left: Ending, right: Ending) -> Bool { left.rawValue < right.rawValue }
    }

    private struct State {
        var connection = RabbitMQConnectionState.idle
        var ending = Ending.no
        var isRunning = false
        var nextID = 0
        var readyWaiters: [Int: CheckedContinuation<Bool, Never>] = [:]
        var observers: [Int: AsyncStream<RabbitMQConnectionState>.Continuation] = [:]
    }

    private let state = Mutex(State())
    let wake = WakeDescriptor()

    var connectionState: RabbitMQConnectionState { state.withLock { $0.connection } }
    var ending: Ending { state.withLock { $0.ending } }

    /// False when `run()` has been called before.
    func begin() -> Bool {
        state.withLock { state in
            defer { state.isRunning = true }
            return !state.isRunning
        }
    }

    func end(_ ending: Ending) {
        state.withLock { $0.ending = max($0.ending, ending) }
        wake.signal()
    }

    func publish(_ new: RabbitMQConnectionState) {
        let (waiters, observers) = state.withLock { state in
            state.connection = new
            var waiters: [CheckedContinuation<Bool, Never>] = []
            if new.isConnected || new == .stopped {
                waiters = Array(state.readyWaiters.values)
                state.readyWaiters = [:]
            }
            let observers = Array(state.observers.values)
            if new == .stopped { state.observers = [:] }
            return (waiters, observers)
        }
        for observer in observers {
            observer.yield(new)
            if new == .stopped { observer.finish() }
        }
        for waiter in waiters { waiter.resume(returning: new.isConnected) }
    }

    /// The state now and every later one; of states that nobody reads, the newest 16 are kept. Ends after `stopped`.
    func states() -> AsyncStream<RabbitMQConnectionState> {
        AsyncStream(bufferingPolicy: .bufferingNewest(16)) { continuation in
            let id = state.withLock { state in
                // Under the lock, so that no state gets in between.
                continuation.yield(state.connection)
                if state.connection == .stopped {
                    continuation.finish()
                    return -1
                }
                state.nextID += 1
                state.observers[state.nextID] = continuation
                return state.nextID
            }
            continuation.onTermination = { [weak self] _ in
                // Not while another call of this object holds the lock: `publish` finishes streams outside of it.
                _ = self?.state.withLock { $0.observers.removeValue(forKey: id) }
            }
        }
    }

    func waitUntilReady() async throws {
        let id = state.withLock { state in
            state.nextID += 1
            return state.nextID
        }
        let isReady = await withTaskCancellationHandler {
            await withCheckedContinuation { (continuation: CheckedContinuation<Bool, Never>) in
                let immediate: Bool? = state.withLock { state in
                    if state.connection.isConnected { return true }
                    if state.connection == .stopped || Task.isCancelled { return false }
                    state.readyWaiters[id] = continuation
                    return nil
                }
                if let immediate { continuation.resume(returning: immediate) }
            }
        } onCancel: {
            let waiter = state.withLock { $0.readyWaiters.removeValue(forKey: id) }
            waiter?.resume(returning: false)
        }
        guard isReady else {
            try Task.checkCancellation()
            throw RabbitMQError(.stopped, "the connection has been stopped")
        }
    }
}
