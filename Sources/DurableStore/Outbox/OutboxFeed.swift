import DequeModule
import Messaging
import Synchronization

/// A row that the relay has yet to send. An object, because it passes through many hands and has a dozen texts.
final class PendingRow: Sendable {
    let seq: Int64
    /// Failed attempts that counted so far.
    let attempts: Int
    let message: OutgoingMessage

    init(seq: Int64, attempts: Int, message: OutgoingMessage) {
        self.seq = seq
        self.attempts = attempts
        self.message = message
    }

    var key: OutboxKey { OutboxKey(message.destination, subject: message.envelope.subject) }
}

/// What keeps order: rows for one destination about one subject.
struct OutboxKey: Hashable, Sendable {
    let destination: Destination
    let subject: String

    init(_ destination: Destination, subject: String) {
        self.destination = destination
        self.subject = subject
    }
}

/// Freshly committed rows on their way from the writer to one relay, in memory and bounded.
///
/// ```
/// detached ──follow──► following ──full──► overflowed ──follow──► following
/// ```
/// Rows are in order of `seq`. After an overflow the feed holds nothing: the relay reads the table, which has it all.
final class OutboxFeed: Sendable {
    enum Mode {
        case detached, following, overflowed
    }

    private struct State {
        var mode = Mode.detached
        var rows = Deque<PendingRow>()
        var changes: [OutboxChange] = []
        var wake: WakeSignal?
    }

    private let state = Mutex(State())
    private let capacity: Int

    init(capacity: Int) { self.capacity = capacity }

    /// Called by the writer after each commit.
    func append(_ rows: some Sequence<PendingRow>) {
        let wake = state.withLock { state -> WakeSignal? in
            switch state.mode {
            case .detached: return nil
            case .overflowed: return state.wake
            case .following:
                state.rows.append(contentsOf: rows)
                if state.rows.count > capacity {
                    state.rows.removeAll()
                    state.mode = .overflowed
                }
                return state.wake
            }
        }
        wake?.signal()
    }

    /// Tells the relay that rows of a key were parked, or are not parked any more.
    func append(_ change: OutboxChange) {
        let wake = state.withLock { state -> WakeSignal? in
            guard state.mode != .detached else { return nil }
            state.changes.append(change)
            return state.wake
        }
        wake?.signal()
    }

    /// From now on the feed holds every new row; the caller reads older ones from the table afterwards.
    func follow(_ wake: WakeSignal) {
        state.withLock { state in
            state.mode = .following
            state.rows.removeAll()
            state.wake = wake
        }
    }

    func detach() {
        state.withLock { state in
            state.mode = .detached
            state.rows.removeAll()
            state.changes.removeAll()
            state.wake = nil
        }
    }

    /// Takes up to `limit` rows and all changes.
    func take(_ limit: Int) -> (rows: [PendingRow], changes: [OutboxChange], mode: Mode) {
        state.withLock { state in
            let rows = Array(state.rows.prefix(limit))
            state.rows.removeFirst(rows.count)
            defer { state.changes.removeAll() }
            return (rows, state.changes, state.mode)
        }
    }
}

/// What a committed unit, an operator's or the relay's own, made of a key.
enum OutboxChange: Sendable {
    /// The key's rows may be sent again: look at the table.
    case released(OutboxKey)
    /// The key has a parked row: nothing of it may be sent.
    case parked(OutboxKey)
}

/// One feed per transport.
struct OutboxFeeds: Sendable {
    let amqp: OutboxFeed
    let kafka: OutboxFeed

    init(capacity: Int) {
        amqp = OutboxFeed(capacity: capacity)
        kafka = OutboxFeed(capacity: capacity)
    }

    func feed(_ transport: Transport) -> OutboxFeed {
        switch transport {
        case .amqp: amqp
        case .kafka: kafka
        }
    }

    func append(_ rows: [PendingRow]) {
        for transport in Transport.allCases {
            let own = rows.lazy.filter { $0.message.destination.transport == transport }
            if !own.isEmpty { feed(transport).append(own) }
        }
    }
}
