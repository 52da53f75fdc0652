public import Messaging
public import PaymentCore

/// Told what happens at the edges, for metrics and logs. Must not block.
public protocol PaymentObserver: Sendable {
    /// One exchange with the gateway. `operation` is an intent's kind or `lookup`.
    func exchanged(_ operation: String, _ answer: GatewayAnswer, _ duration: Duration)
    /// An answer could not be stored; it will be asked for again.
    func storeFailed(_ failure: Failure)
    /// A callback was dealt with: `applied`, `noop`, `duplicate`, `unknown-key`, `mismatch`, `unsigned`, `unreadable`.
    func calledBack(_ outcome: String)
}

/// Told nothing.
public struct NoObserver: PaymentObserver {
    /// Makes one.
    public init() {}

    public func exchanged(_ operation: String, _ answer: GatewayAnswer, _ duration: Duration) {}
    public func storeFailed(_ failure: Failure) {}
    public func calledBack(_ outcome: String) {}
}
