/// How a sender behaves, beside what each endpoint's settings say.
public struct SenderOptions: Sendable {
    /// Delays after failures, for endpoints without their own.
    public var schedule = RetrySchedule.standard
    /// When breakers open.
    public var breaker = Breaker.Policy()
    /// An endpoint without success for so long is disabled.
    public var disableAfter: Duration = .seconds(5 * 86_400)
    /// An endpoint for which so many deliveries in a row were given up is disabled, at least 1.
    public var disableAfterExhausted = 100
    /// The most requests at the same time. Half of them are reserved for endpoints that have none under way.
    public var concurrency = 1024
    /// `user-agent`.
    public var userAgent = "Waybill-Webhooks/1"
    /// How long a stopping sender waits for what is on the wire before it interrupts it.
    public var stopGrace: Duration = .seconds(6)
    /// `webhook-request-origin` for endpoints that were asked for their consent.
    public var origin = "waybill.local"
    /// Requests per minute that a receiver is asked for, unless its endpoint has a throttle.
    public var requestedPerMinute = 6000
    /// Where a receiver may agree later: the handshake's token is appended. `nil` for no such place.
    public var consentURL: String?
    /// `source` of the sender's own events.
    public var source = "/webhooks"

    /// The defaults.
    public init() {}
}
