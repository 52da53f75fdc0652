/// How many publishes ended in which way.
public struct RabbitMQPublishTally: Sendable, Hashable {
    /// Confirmed by the broker.
    public var confirmed = 0
    /// Handed back because no queue was bound.
    public var returned = 0
    /// Refused by a queue.
    public var nacked = 0
    /// Sent with unknown outcome.
    public var unknown = 0
    /// Certainly not taken: not sent in time, or refused by a channel error.
    public var failed = 0

    /// All zero.
    public init() {}

    mutating func count(_ result: RabbitMQPublishResult) {
        switch result {
        case .confirmed: confirmed += 1
        case .returned: returned += 1
        case .nacked: nacked += 1
        case .unknown: unknown += 1
        case .tooLarge, .invalid, .noExchange, .refused, .notConnected: failed += 1
        }
    }
}

/// Receives what a publisher or a consumer counts. Meant for metrics.
///
/// Called on the connection's own thread: an implementation must return quickly and must not block. All requirements have
/// empty default implementations.
public protocol RabbitMQObserver: Sendable {
    /// The state of the named connection changed.
    func stateChanged(_ state: RabbitMQConnectionState, connection: String)
    /// Publishes have ended; the counts are those since the last call.
    func published(_ tally: RabbitMQPublishTally, connection: String)
    /// Deliveries have arrived from a queue.
    func delivered(count: Int, queue: String, connection: String)
    /// Settlements have been sent.
    func settled(acknowledged: Int, requeued: Int, rejected: Int, connection: String)
}

extension RabbitMQObserver {
    /// Does nothing.
    public func stateChanged(_ state: RabbitMQConnectionState, connection: String) {}
    /// Does nothing.
    public func published(_ tally: RabbitMQPublishTally, connection: String) {}
    /// Does nothing.
    public func delivered(count: Int, queue: String, connection: String) {}
    /// Does nothing.
    public func settled(acknowledged: Int, requeued: Int, rejected: Int, connection: String) {}
}
