public import Messaging
import Synchronization

/// A broker in memory: keeps what it confirmed, and fails as it is told.
public final class InMemoryPublisher: MessagePublisher {
    /// Decides a message's fate. The number says how many messages were tried before this one.
    public typealias Fate = @Sendable (_ message: OutgoingMessage, _ index: Int) -> PublishOutcome

    private struct State {
        var fate: Fate
        var tried = 0
        var confirmed: [OutgoingMessage] = []
        var calls = 0
        var waiters: [(count: Int, continuation: CheckedContinuation<Void, Never>)] = []
    }

    private let state: Mutex<State>

    /// Makes a publisher; unless told otherwise every message is confirmed.
    public init(fate: @escaping Fate = { _, _ in .confirmed }) { state = Mutex(State(fate: fate)) }

    /// Changes how messages fare from now on.
    public func setFate(_ fate: @escaping Fate) { state.withLock { $0.fate = fate } }

    /// What was confirmed, in order, duplicates included.
    public var confirmed: [OutgoingMessage] { state.withLock { $0.confirmed } }

    /// How many messages were tried.
    public var tried: Int { state.withLock { $0.tried } }

    /// How many calls were made.
    public var calls: Int { state.withLock { $0.calls } }

    /// Waits until at least `count` messages are confirmed.
    public func waitForConfirmed(_ count: Int) async {
        await withCheckedContinuation { continuation in
            let now = state.withLock { state -> Bool in
                if state.confirmed.count >= count { return true }
                state.waiters.append((count, continuation))
                return false
            }
            if now { continuation.resume() }
        }
    }

    /// Decides the fate of each message, in order, and keeps those that were confirmed.
    public func publish(_ messages: [OutgoingMessage]) async -> [PublishOutcome] {
        await Task.yield()
        let (outcomes, due) = state.withLock { state -> ([PublishOutcome], [CheckedContinuation<Void, Never>]) in
            state.calls += 1
            var outcomes: [PublishOutcome] = []
            for message in messages {
                let outcome = state.fate(message, state.tried)
                state.tried += 1
                if outcome == .confirmed { state.confirmed.append(message) }
                outcomes.append(outcome)
            }
            let count = state.confirmed.count
            let due = state.waiters.filter { $0.count <= count }.map(\.continuation)
            state.waiters.removeAll { $0.count <= count }
            return (outcomes, due)
        }
        for continuation in due { continuation.resume() }
        return outcomes
    }
}
