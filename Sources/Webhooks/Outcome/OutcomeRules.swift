public import Messaging

/// What an attempt's result means, for the delivery and for its endpoint: a pure function.
///
/// | result | delivery | endpoint |
/// |---|---|---|
/// | 200–299 | delivered | breaker closes |
/// | 410, or another terminal status of the endpoint | terminal `gone` / `terminal_status` | 410: disabled `gone` |
/// | 429 | again | held until `Retry-After`, else 60 s; concurrency halved |
/// | 502, 504 | again | concurrency halved |
/// | any other status but 2xx with `Retry-After` | again | held until then |
/// | 1xx, 3xx (never followed), other 4xx and 5xx | again | |
/// | `webhook-delivery: abort-message` on a status but 2xx | terminal `aborted_by_receiver` | |
/// | `webhook-delivery: disable` on a status but 2xx | again, once enabled | disabled `receiver_request` |
/// | no answer | again | |
public struct AttemptVerdict: Sendable, Hashable {
    /// What becomes of the delivery.
    public enum Fate: Sendable, Hashable {
        /// Done.
        case delivered
        /// To be tried again, as the schedule says.
        case again
        /// Given up at once, for this reason.
        case terminal(reason: String)
    }

    /// What becomes of the delivery.
    public var fate: Fate
    /// Nothing more may be sent to the endpoint before this.
    public var holdUntil: Timestamp?
    /// The endpoint is to be disabled for this reason.
    public var disable: EndpointState.Reason?
    /// Fewer requests at the same time.
    public var slowsDown = false

    /// The hold after a 429 without `Retry-After`.
    public static let holdAfterTooMany: Duration = .seconds(60)

    /// Judges a result.
    ///
    /// - Parameter terminalStatuses: statuses that end a delivery at once; 410 by default.
    public init(_ result: AttemptResult, terminalStatuses: Set<Int>, now: Timestamp) {
        guard case .answered(let answer) = result else {
            fate = .again
            return
        }
        guard !(200...299).contains(answer.status) else {
            fate = .delivered
            return
        }
        fate = Sabotage.isOn("webhook-failure-is-success") ? .delivered : .again
        holdUntil = answer.header("retry-after").flatMap { RetryAfter.time($0, at: now) }
        switch answer.status {
        case 429:
            holdUntil = holdUntil ?? now.advanced(by: Self.holdAfterTooMany)
            slowsDown = true
        case 502, 504: slowsDown = true
        default: break
        }
        if terminalStatuses.contains(answer.status) {
            fate = .terminal(reason: answer.status == 410 ? "gone" : "terminal_status")
        }
        if answer.status == 410, terminalStatuses.contains(410) { disable = .gone }
        switch answer.header("webhook-delivery")?.lowercased() {
        case "abort-message": fate = .terminal(reason: "aborted_by_receiver")
        case "disable": disable = .receiverRequest
        default: break
        }
    }
}
