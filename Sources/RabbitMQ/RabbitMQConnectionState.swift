/// What a publisher's or consumer's connection is doing.
///
/// `idle → connecting → ready ⇄ blocked`, from each of these `→ disconnected → connecting`, and from every state `→
/// stopped`, which is final.
public enum RabbitMQConnectionState: Sendable, Hashable {
    /// `run()` has not been called yet.
    case idle
    /// Connecting, logging in and declaring the topology. The first attempt has number 1; the number starts again
    /// after a connection that lasted.
    case connecting(attempt: Int)
    /// Usable: the topology is declared, confirms are on or consumers are subscribed.
    case ready
    /// Connected, but the broker takes no publishes for now (an alarm on memory or disk).
    case blocked(reason: String)
    /// Not connected; the next attempt follows after `retryIn`.
    case disconnected(RabbitMQError, retryIn: Duration)
    /// Ended for good.
    case stopped

    /// Whether the connection is up (``ready`` or ``blocked(reason:)``).
    public var isConnected: Bool {
        switch self {
        case .ready, .blocked: return true
        case .idle, .connecting, .disconnected, .stopped: return false
        }
    }
}
