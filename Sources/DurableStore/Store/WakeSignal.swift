import Synchronization

/// Wakes one waiting loop. Signals that come while nobody waits are kept as one.
///
/// ```
/// quiet ──signal──► pending ──wait──► quiet
///   └──wait──► waiting ──signal, time-out, cancellation──► quiet
/// ```
/// One task waits at a time: a second one takes the first one's place, which then returns.
final class WakeSignal: Sendable {
    private struct State {
        var isPending = false
        var waiter: CheckedContinuation<Void, Never>?
        /// Rises with each wait, so that an old timer cannot wake a new wait.
        var round: UInt64 = 0
    }

    private let state = Mutex(State())

    /// Wakes the waiter, or the next one. From any thread; never blocks.
    func signal() {
        let waiter = state.withLock { state -> CheckedContinuation<Void, Never>? in
            guard let waiter = state.waiter else {
                state.isPending = true
                return nil
            }
            state.waiter = nil
            return waiter
        }
        waiter?.resume()
    }

    /// Waits for a signal, for the time to pass, or for the task's cancellation.
    ///
    /// - Parameter limit: the longest wait; `nil` for no limit.
    func wait(atMost limit: Duration? = nil) async {
        if let limit, limit <= .zero {
            state.withLock { $0.isPending = false }
            return
        }
        let round = state.withLock { state -> UInt64 in
            state.round += 1
            return state.round
        }
        let timer = limit.map { limit in
            Task {
                try await Task.sleep(for: limit)
                self.end(round)
            }
        }
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let (now, replaced) = state.withLock { state -> (Bool, CheckedContinuation<Void, Never>?) in
                    // A round that is over by now was timed out or cancelled before it began to wait.
                    if state.isPending || state.round != round || Task.isCancelled {
                        state.isPending = false
                        return (true, nil)
                    }
                    let replaced = state.waiter
                    state.waiter = continuation
                    return (false, replaced)
                }
                replaced?.resume()
                if now { continuation.resume() }
            }
        } onCancel: {
            end(round)
        }
        timer?.cancel()
    }

    private func end(_ round: UInt64) {
        let waiter = state.withLock { state -> CheckedContinuation<Void, Never>? in
            guard state.round == round else { return nil }
            state.round += 1
            let waiter = state.waiter
            state.waiter = nil
            return waiter
        }
        waiter?.resume()
    }
}
