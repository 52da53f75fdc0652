/// The webhook sender's tables.
public struct WebhookEvidence: Sendable {
    /// One event on its way to one endpoint.
    public struct Delivery: Sendable, Hashable {
        /// Its number.
        public var number: Int64
        /// The event: the `webhook-id`.
        public var event: String
        /// The endpoint.
        public var endpoint: String
        /// Where it stands, as text.
        public var state: String
        /// Attempts so far.
        public var attempts: Int64

        /// Makes a delivery.
        public init(number: Int64, event: String, endpoint: String, state: String, attempts: Int64) {
            self.number = number
            self.event = event
            self.endpoint = endpoint
            self.state = state
            self.attempts = attempts
        }
    }

    /// One request.
    public struct Attempt: Sendable, Hashable {
        /// The delivery.
        public var delivery: Int64
        /// 1, 2 … within the delivery.
        public var number: Int64
        /// `scheduled`, `manual`, `recovery` or `test`.
        public var trigger: String
        /// `started`, `succeeded`, `failed` or `interrupted`.
        public var state: String
        /// When its row was written, in milliseconds since the Unix epoch.
        public var startedAt: Int64
        /// When the next one was due after it, if one was.
        public var nextAt: Int64?

        /// Makes an attempt.
        public init(
            delivery: Int64,
            number: Int64,
            trigger: String,
            state: String,
            startedAt: Int64,
            nextAt: Int64? = nil
        ) {
            self.delivery = delivery
            self.number = number
            self.trigger = trigger
            self.state = state
            self.startedAt = startedAt
            self.nextAt = nextAt
        }
    }

    /// All deliveries that are still kept.
    public var deliveries: [Delivery]
    /// All attempts that are still kept, by delivery and number.
    public var attempts: [Attempt]
    /// The events that are kept.
    public var events: Set<String>
    /// Endpoints that take deliveries now: enabled, not failing, not asking to wait.
    public var ready: Set<String> = []
    /// Whether old deliveries have been removed: what is missing then proves nothing.
    public var isPruned: Bool

    /// Makes evidence.
    public init(
        deliveries: [Delivery] = [],
        attempts: [Attempt] = [],
        events: Set<String> = [],
        isPruned: Bool = false
    ) {
        self.deliveries = deliveries
        self.attempts = attempts
        self.events = events
        self.isPruned = isPruned
    }
}

/// One request as the receiver of webhooks saw it.
public struct WebhookReceipt: Sendable, Hashable {
    /// The `webhook-id`; empty when the request could not be verified.
    public var event: String
    /// A digest of the body.
    public var digest: String
    /// Whether signature, timestamp and body fit together.
    public var isVerified: Bool
    /// The status that was answered; 0 for no answer.
    public var status: Int
    /// The endpoint as which the receiver is known to the sender, if it knows that.
    public var endpoint: String?

    /// Makes a receipt.
    public init(event: String, digest: String, isVerified: Bool, status: Int, endpoint: String? = nil) {
        self.event = event
        self.digest = digest
        self.isVerified = isVerified
        self.status = status
        self.endpoint = endpoint
    }
}
