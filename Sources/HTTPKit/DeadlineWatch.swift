import Synchronization

/// Cancels what takes too long.
///
/// Deadlines are set by the thousand and hardly ever met, so none has a timer of its own: one alarm rings at the earliest of them, looks
/// which are due, and sleeps on until the next.
final class DeadlineWatch: Sendable {
    private struct Entry {
        let end: ContinuousClock.Instant
        let cancel: @Sendable () -> Void
    }

    private struct Alarm {
        let id: UInt64
        let rings: ContinuousClock.Instant
        let task: Task<Void, Never>
    }

    private struct State {
        var entries: [UInt64: Entry] = [:]
        var nextEntry: UInt64 = 0
        var alarm: Alarm?
        var nextAlarm: UInt64 = 0
    }

    private let state = Mutex(State())

    deinit { state.withLock { $0.alarm?.task.cancel() } }

    /// Runs the operation and cancels it at its deadline. Waits for its end in any case.
    ///
    /// - Returns: what the operation returned, and whether it was cancelled here. The caller's cancellation reaches it as well.
    func run<Output: Sendable>(
        within limit: Duration,
        _ operation: @escaping @Sendable () async -> Output
    ) async -> (output: Output, isLate: Bool) {
        let task = Task { await operation() }
        let id = add(until: .now + limit, cancel: task.cancel)
        let output = await withTaskCancellationHandler {
            await task.value
        } onCancel: {
            task.cancel()
        }
        let isLate = state.withLock { $0.entries.removeValue(forKey: id) == nil }
        return (output, isLate)
    }

    private func add(until end: ContinuousClock.Instant, cancel: @escaping @Sendable () -> Void) -> UInt64 {
        state.withLock { state in
            state.nextEntry += 1
            state.entries[state.nextEntry] = Entry(end: end, cancel: cancel)
            if let alarm = state.alarm, alarm.rings <= end { return state.nextEntry }
            state.alarm?.task.cancel()
            state.nextAlarm += 1
            state.alarm = alarm(state.nextAlarm, rings: end)
            return state.nextEntry
        }
    }

    private func alarm(_ id: UInt64, rings: ContinuousClock.Instant) -> Alarm {
        let task = Task { [weak self] in
            var next: ContinuousClock.Instant? = rings
            while let rings = next {
                do { try await Task.sleep(until: rings, clock: .continuous) } catch { return }
                next = self?.ring(id)
            }
        }
        return Alarm(id: id, rings: rings, task: task)
    }

    /// - Returns: when the alarm is to ring again; nil when there is nothing to wait for.
    private func ring(_ id: UInt64) -> ContinuousClock.Instant? {
        let now = ContinuousClock.now
        let (due, next) = state.withLock { state -> ([Entry], ContinuousClock.Instant?) in
            guard let alarm = state.alarm, alarm.id == id else { return ([], nil) }
            let due = state.entries.filter { $0.value.end <= now }
            for id in due.keys { state.entries[id] = nil }
            let next = state.entries.values.lazy.map(\.end).min()
            state.alarm = next.map { Alarm(id: id, rings: $0, task: alarm.task) }
            return (Array(due.values), next)
        }
        for entry in due { entry.cancel() }
        return next
    }
}
