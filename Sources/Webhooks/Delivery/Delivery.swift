public import Messaging

/// One event on its way to one endpoint.
///
/// ```
///             ┌──────────────────────── failed, more attempts ────────────┐
///             ▼                                                            │
/// waiting ─► pending ──row before the first byte──► sending ──2xx──► delivered
///  (order)    │  ▲ ▲                                │
///             │  │ └── process ended: interrupted ──┤
///             │  └───────── resend, recover ────────┼──► exhausted (dead letter) ; parked (ordered, waits for a person)
///             └─ endpoint deleted ─► cancelled      └──
/// skipped: the endpoint was disabled when the event came.
/// ```
public struct Delivery: Sendable, Identifiable {
    /// Where a delivery stands.
    public enum State: String, Sendable, CaseIterable {
        case pending, sending, waiting, delivered, exhausted, parked, skipped, cancelled
    }

    /// What brings about an attempt.
    public enum Trigger: String, Sendable, CaseIterable {
        case scheduled, manual, recovery, test
        /// Tells whether an endpoint is well again, behind an open breaker. Of attempts only.
        case probe
    }

    /// Position in the order of arrival, also the cursor of lists.
    public let seq: Int64
    /// A UUID of version 7.
    public let id: String
    /// The event, `webhook-id`.
    public let messageID: String
    /// The endpoint.
    public let endpointID: String
    /// The event's type.
    public let type: String
    /// What the event is about.
    public let subject: String
    /// The subject that it waits in line for; `nil` without order.
    public let orderingKey: String?
    /// Where it stands.
    public let state: State
    /// What brings about the next attempt, or brought about the last.
    public let trigger: Trigger
    /// When the next attempt is due; a hold or an open breaker of the endpoint may move it further.
    public let nextAttemptAt: Timestamp?
    /// Attempts so far, of every kind.
    public let attempts: Int
    /// Attempts of the present budget that failed.
    public let failures: Int
    /// The last status.
    public let lastStatus: Int?
    /// The last fault.
    public let lastCode: String?
    /// Why it ended without success.
    public let reason: String?
    /// When it was made.
    public let createdAt: Timestamp
    /// The first failure.
    public let firstFailedAt: Timestamp?
    /// When it ended.
    public let completedAt: Timestamp?
    /// In which form every attempt carries the event.
    public let form: DeliveryForm
    let resume: (state: State, at: Timestamp?)?
}

/// One attempt: one request on the wire, or none when the address was denied.
public struct DeliveryAttempt: Sendable, Identifiable {
    /// A UUID of version 7.
    public let id: String
    /// 1, 2 … within the delivery.
    public let number: Int
    /// What brought it about.
    public let trigger: Delivery.Trigger
    /// `started`, `succeeded`, `failed` or `interrupted`.
    public let state: String
    /// When its row was written, before the first byte left.
    public let startedAt: Timestamp
    /// When it was over.
    public let endedAt: Timestamp?
    /// The URL as it was called.
    public let url: String
    /// The address as it was called.
    public let address: String?
    /// The answer's status.
    public let status: Int?
    /// The fault.
    public let code: String?
    /// What more is known about the fault.
    public let detail: String?
    /// Headers as sent, JSON; values that a person set are not shown, nor are signatures.
    public let requestHeaders: String
    /// Headers of the answer, JSON.
    public let responseHeaders: String?
    /// The beginning of the answer's body.
    public let responseBody: [UInt8]?
    /// Whether there was more of it.
    public let isTruncated: Bool
    /// How long the phases took.
    public let timings: WebhookExchange.Timings
    /// When the next attempt was due after it.
    public let nextAttemptAt: Timestamp?
}

/// What is kept of an event.
public struct StoredWebhook: Sendable, Identifiable {
    /// `webhook-id`.
    public let id: String
    /// The type.
    public let type: String
    /// What it is about.
    public let subject: String
    /// Position among the events about the subject.
    public let sequence: Int64?
    /// The whole event; empty once it was erased.
    public let body: [UInt8]
    /// Whether it is a test.
    public let isTest: Bool
    let traceparent: String?
    let dataref: String?
    let createdAt: Timestamp
}
