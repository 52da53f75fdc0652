/// How a sender behaves, beside what each endpoint's settings say.
public struct SenderOptions: Sendable {
    /// Delays after failures, for endpoints without their own.
    public var schedule = RetrySchedule.standard
    /// When breakers open.
    public var breaker = Breaker.Policy()
    /// An endpoint without success for so long is disabled.
    public var disableAfter: Duration = .seconds(5 * 86_400)
    /// The most requests at the same time. Half of them are reserved for endpoints that have none under way.
    public var concurrency = 1024
    /// `user-agent`.
    public var userAgent = "Waybill-Webhooks/1"
    /// How long a stopping sender waits for what is on the wire before it interrupts it.
    public var stopGrace: Duration = .seconds(6)
    /// `webhook-request-origin` for endpoints that were asked for their consent.
    public var origin = "waybill.local"

    /// The defaults.
    public init() {}
}
