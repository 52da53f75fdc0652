import Synchronization

/// Pauses that all end at once when the process is to stop.
final class Patience: Sendable {
    private struct State {
        var sleepers: [Int: Task<Void, Never>] = [:]
        var nextID = 0
        var isOver = false
    }

    private let state = Mutex(State())

    /// Waits.
    /// - Returns: whether the whole time passed; no when the pause was ended or the caller cancelled.
    func pause(milliseconds: Int64) async -> Bool {
        let sleeper = Task<Void, Never> { try? await Task.sleep(for: .milliseconds(milliseconds)) }
        let id: Int? = state.withLock { state in
            guard !state.isOver else { return nil }
            state.nextID += 1
            state.sleepers[state.nextID] = sleeper
            return state.nextID
        }
        guard let id else {
            sleeper.cancel()
            return false
        }
        await withTaskCancellationHandler {
            await sleeper.value
        } onCancel: {
            sleeper.cancel()
        }
        let wasEnded = sleeper.isCancelled
        state.withLock { _ = $0.sleepers.removeValue(forKey: id) }
        return !wasEnded
    }

    /// Ends every pause, now and later.
    func end() {
        let sleepers = state.withLock { state in
            state.isOver = true
            return Array(state.sleepers.values)
        }
        for sleeper in sleepers { sleeper.cancel() }
    }
}
