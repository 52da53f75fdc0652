public import Messaging

/// Told of what the sender does, for metrics and logs. Calls come from any thread and must not block.
public protocol WebhookObserver: Sendable {
    /// An attempt is over and stored.
    func attempted(_ observation: AttemptObservation)
    /// Attempts that the process before left open; each has its row and was told of by nobody.
    func interrupted(_ endpointID: String, count: Int)
    /// The store could not take what came of an attempt, or could not be read.
    func storeFailed(_ failure: Failure)
}

/// One attempt as the sender saw it.
public struct AttemptObservation: Sendable {
    /// The endpoint.
    public let endpointID: String
    /// The delivery.
    public let deliveryID: String
    /// The event's subject and type, for logs.
    public let subject: String
    /// See ``subject``.
    public let type: String
    /// 1, 2 …
    public let number: Int
    /// `delivered`, `failed` or `interrupted`.
    public let outcome: String
    /// The status or the fault.
    public let code: String
    /// How long the request took.
    public let duration: Duration
    /// From the delivery's making to its success; `nil` unless it was delivered by this.
    public let latency: Duration?
    /// The event's trace.
    public let traceparent: String?
    /// Whether the endpoint's breaker opened by it.
    public let breakerOpened: Bool
    /// Whether the endpoint is held by its answer.
    public let held: Bool
    /// Why the endpoint was disabled by it.
    public let disabled: EndpointState.Reason?
    /// Whether it became a dead letter.
    public let deadLettered: Bool
}

/// Ignores everything.
public struct SilentObserver: WebhookObserver {
    /// Makes it.
    public init() {}
    public func attempted(_ observation: AttemptObservation) {}
    public func interrupted(_ endpointID: String, count: Int) {}
    public func storeFailed(_ failure: Failure) {}
}
