import Synchronization

/// Messages that were overheard, for when they are old; and what was done by hand.
final class MessageArchive: Sendable {
    private struct State {
        var kept: [CapturedMessage] = []
        var notes: [Int: String] = [:]
        var poison: [String] = []
    }

    /// Beyond it nothing more is kept: the oldest are the best.
    private static let most = 2000

    private let state = Mutex(State())

    func keep(_ messages: [CapturedMessage]) {
        state.withLock { $0.kept += messages.prefix(max(0, Self.most - $0.kept.count)) }
    }

    /// Some of the older half that went to an inbox.
    func old(_ count: Int, for inbox: String, _ random: inout ChaosRandom) -> [CapturedMessage] {
        let all = state.withLock { $0.kept.filter { $0.inbox == inbox } }
        return Array(all.prefix(max(1, all.count / 2)).shuffled(using: &random).prefix(count))
    }

    /// What came of a replay, known only when it is over.
    func note(_ fault: Int, _ text: String) { state.withLock { $0.notes[fault] = text } }
    func note(of fault: Int) -> String? { state.withLock { $0.notes[fault] } }

    /// The ids of messages that belong into the dead letters.
    func notePoison(_ id: String) { state.withLock { $0.poison.append(id) } }
    var poison: [String] { state.withLock { $0.poison } }
}
