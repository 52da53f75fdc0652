/// The port through which a consumer receives: one adapter per transport.
///
/// Pull, never push: nothing is buffered beyond what the adapter's own bound (prefetch, fetch size) allows.
public protocol Subscription: Sendable {
    /// What the adapter needs to settle a delivery; opaque to the loop.
    associatedtype Receipt: Sendable

    /// The next deliveries, in order; waits for at least one.
    ///
    /// - Parameter limit: the most deliveries to return, at least 1.
    /// - Returns: between 1 and `limit` deliveries, or an empty array when the subscription has ended.
    /// - Throws: `CancellationError` when the task is cancelled. Connection losses are not errors here: the adapter
    ///   reconnects and goes on.
    func next(limit: Int) async throws -> [(receipt: Receipt, message: ReceivedMessage)]

    /// Settles deliveries. Receipts of a connection that is gone are skipped: their messages come again.
    func settle(_ settlements: [(receipt: Receipt, settlement: Settlement)]) async

    /// Whether it was asked to end: what is not settled soon comes again anyhow. Cheap; asked in the task that reads.
    var isEnding: Bool { get }
}

extension Subscription {
    /// For subscriptions whose end is the cancellation of the task that reads them.
    public var isEnding: Bool { false }
}

/// What the broker is told about a delivery.
public enum Settlement: Sendable, Hashable {
    /// Done with it: its effects are committed.
    case acknowledge
    /// Not handled; deliver it again, to whoever is there. Uses no attempt.
    case giveBack
}
