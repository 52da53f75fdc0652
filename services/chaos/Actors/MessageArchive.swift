import Synchronization

/// Messages that were overheard, for when they are old; and the poison that was sent.
final class MessageArchive: Sendable {
    private struct State {
        var kept: [CapturedMessage] = []
        var poison = PoisonList()
    }

    /// Beyond it nothing more is kept: the oldest are the best.
    private static let most = 2000

    private let state = Mutex(State())
    private let start = ContinuousClock.now

    func keep(_ messages: [CapturedMessage]) {
        state.withLock { $0.kept += messages.prefix(max(0, Self.most - $0.kept.count)) }
    }

    /// Some of the older half that went to an inbox; none while nothing is kept of it.
    func old(_ count: Int, for inbox: String, _ random: inout ChaosRandom) -> [CapturedMessage] {
        let all = state.withLock { $0.kept.filter { $0.inbox == inbox } }
        return Array(all.prefix(max(1, all.count / 2)).shuffled(using: &random).prefix(count))
    }

    /// What belongs into the dead letters.
    var poison: PoisonList { state.withLock { $0.poison } }
    func noteSending(of id: String, to place: String) {
        state.withLock { $0.poison.send(id, to: place, at: now) }
    }
    func noteArrival(of id: String) { state.withLock { $0.poison.arrive(id) } }
    func noteDeletion(of inbox: String) { state.withLock { $0.poison.delete(inbox, at: now) } }

    private var now: Int64 { Int64((ContinuousClock.now - start) / .milliseconds(1)) }
}
