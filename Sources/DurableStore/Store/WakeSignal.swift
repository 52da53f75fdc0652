import Synchronization

/// Wakes one waiting loop. Signals that come while nobody waits are kept as one.
///
/// ```
/// quiet ──signal──► pending ──wait──► quiet
///   └──wait──► waiting ──signal, time-out, cancellation──► quiet
/// ```
/// One task waits at a time: a second one takes the first one's place, which then returns.
///
/// A busy loop waits thousands of times in a second with a limit that it hardly ever meets, so a wait does not start a timer of its own:
/// one alarm serves all waits whose limit is not before it, and sleeps on when it rings too early.
final class WakeSignal: Sendable {
    private struct Waiter {
        let continuation: CheckedContinuation<Void, Never>
        let round: UInt64
        let limit: ContinuousClock.Instant?
    }

    private struct Alarm {
        let id: UInt64
        let rings: ContinuousClock.Instant
        let task: Task<Void, Never>
    }

    private struct State {
        var isPending = false
        var waiter: Waiter?
        /// Rises with each wait, so that a late cancellation cannot wake a new wait.
        var round: UInt64 = 0
        var alarm: Alarm?
        var nextAlarm: UInt64 = 0
    }

    private let state = Mutex(State())

    deinit { state.withLock { $0.alarm?.task.cancel() } }

    /// Wakes the waiter, or the next one. From any thread; never blocks.
    func signal() {
        let waiter = state.withLock { state -> Waiter? in
            if state.waiter == nil { state.isPending = true }
            return state.waiter.take()
        }
        waiter?.continuation.resume()
    }

    /// Waits for a signal, for the time to pass, or for the task's cancellation.
    ///
    /// - Parameter limit: the longest wait; `nil` for no limit.
    func wait(atMost limit: Duration? = nil) async {
        let (round, isOver) = state.withLock { state -> (UInt64, Bool) in
            state.round += 1
            let isOver = state.isPending || limit.map { $0 <= .zero } == true
            if isOver { state.isPending = false }
            return (state.round, isOver)
        }
        if isOver { return }
        let end = limit.map { ContinuousClock.now + $0 }
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let (now, replaced) = state.withLock { state -> (Bool, Waiter?) in
                    // A round that is over by now was cancelled, or replaced, before it began to wait.
                    if state.isPending || state.round != round || Task.isCancelled {
                        state.isPending = false
                        return (true, nil)
                    }
                    let replaced = state.waiter
                    state.waiter = Waiter(continuation: continuation, round: round, limit: end)
                    if let end { setAlarm(for: end, &state) }
                    return (false, replaced)
                }
                replaced?.continuation.resume()
                if now { continuation.resume() }
            }
        } onCancel: {
            cancel(round)
        }
    }

    private func cancel(_ round: UInt64) {
        let waiter = state.withLock { state -> Waiter? in
            guard state.round == round else { return nil }
            state.round += 1
            return state.waiter.take()
        }
        waiter?.continuation.resume()
    }

    // MARK: The alarm

    private func setAlarm(for end: ContinuousClock.Instant, _ state: inout State) {
        if let alarm = state.alarm {
            if alarm.rings <= end { return }
            alarm.task.cancel()
        }
        state.nextAlarm += 1
        let id = state.nextAlarm
        let task = Task { [weak self] in
            var next: ContinuousClock.Instant? = end
            while let rings = next {
                do { try await Task.sleep(until: rings, clock: .continuous) } catch { return }
                next = self?.ring(id)
            }
        }
        state.alarm = Alarm(id: id, rings: end, task: task)
    }

    /// - Returns: when the alarm is to ring again; nil when nobody needs it.
    private func ring(_ id: UInt64) -> ContinuousClock.Instant? {
        let now = ContinuousClock.now
        let (waiter, next) = state.withLock { state -> (Waiter?, ContinuousClock.Instant?) in
            guard let alarm = state.alarm, alarm.id == id else { return (nil, nil) }
            if let limit = state.waiter?.limit, limit > now {
                state.alarm = Alarm(id: id, rings: limit, task: alarm.task)
                return (nil, limit)
            }
            state.alarm = nil
            return (state.waiter?.limit == nil ? nil : state.waiter.take(), nil)
        }
        waiter?.continuation.resume()
        return next
    }
}
