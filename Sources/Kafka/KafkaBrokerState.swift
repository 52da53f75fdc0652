/// Whether a client has a usable connection to a broker.
public enum KafkaBrokerState: String, Sendable, Hashable {
    /// Not started, or nothing heard yet.
    case unknown
    /// At least one broker answers.
    case up
    /// No broker can be reached; the client keeps trying.
    case down
}

/// Decides the broker state from what a client hears: a value, without locks or I/O.
///
/// ```
/// unknown ──(answer | a broker is connected)──► up ──(all down | none connected twice)──► down
///    └──────────(all down)──────────────────────────────────────────────────► down ──(answer | connected)──► up
/// ```
///
/// Faults arrive at once as errors of the C library. Recovery has no event of its own: it shows in the next answer (a record delivered
/// or received) or in the statistics, once per interval. A single snapshot without a connection is not taken as down: during a normal
/// reconnect one can fall into the gap.
struct BrokerStateTracker: Sendable {
    private(set) var state: KafkaBrokerState = .unknown
    private var snapshotsWithoutConnection = 0

    /// Something the broker answered. Returns the new state if it changed.
    mutating func answered() -> KafkaBrokerState? {
        snapshotsWithoutConnection = 0
        return become(.up)
    }

    /// The C library says that no broker can be reached.
    mutating func allBrokersDown() -> KafkaBrokerState? { become(.down) }

    /// A snapshot with the number of connected brokers.
    mutating func snapshot(connectedBrokers: Int) -> KafkaBrokerState? {
        if connectedBrokers > 0 {
            snapshotsWithoutConnection = 0
            return become(.up)
        }
        snapshotsWithoutConnection += 1
        return snapshotsWithoutConnection >= 2 ? become(.down) : nil
    }

    private mutating func become(_ next: KafkaBrokerState) -> KafkaBrokerState? {
        guard next != state else { return nil }
        state = next
        return next
    }
}
