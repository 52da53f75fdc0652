import Synchronization

/// Gathers results that come in any order and hands them over when the last one is there.
final class ResultCollector<Value: Sendable>: Sendable {
    private struct State {
        var results: [Result<Value, any Error>?]
        var missing: Int
    }

    private let state: Mutex<State>
    private let done: @Sendable ([Result<Value, any Error>]) -> Void

    init(count: Int, done: @escaping @Sendable ([Result<Value, any Error>]) -> Void) {
        state = Mutex(State(results: Array(repeating: nil, count: count), missing: count))
        self.done = done
    }

    func put(_ result: Result<Value, any Error>, at index: Int) {
        let all = state.withLock { state -> [Result<Value, any Error>]? in
            guard state.results[index] == nil else { return nil }
            state.results[index] = result
            state.missing -= 1
            return state.missing == 0 ? state.results.compactMap { $0 } : nil
        }
        if let all { done(all) }
    }
}
