public import Commerce

/// Everything that one input changes.
public struct PaymentDecision: Sendable, Hashable {
    /// An answer to the order service.
    public enum Reply: Sendable, Hashable {
        case authorized
        case declined(reason: String)
        case captured(Money)
        case failed(reason: String)
        case cancelled(refunded: Money?)
    }

    /// Something that is announced: one history row and one event each, numbered from the payment's version.
    public struct Milestone: Sendable, Hashable {
        /// What happened.
        public let kind: PaymentEvent.Kind
        /// Why.
        public let reason: String?

        /// Makes a milestone.
        public init(_ kind: PaymentEvent.Kind, reason: String? = nil) {
            self.kind = kind
            self.reason = reason
        }
    }

    /// The payment afterwards; `nil` when there is none and none was made.
    public var payment: Payment?
    /// What is announced, in order.
    public var milestones: [Milestone] = []
    /// What is answered, in order.
    public var replies: [Reply] = []
    /// The intents to create. At most one of each kind.
    public var begin: [IntentKind] = []
    /// The intents to take back; each is `prepared`.
    public var withdraw: [IntentKind] = []
    /// The intents to ask the gateway about at once.
    public var hasten: [IntentKind] = []
    /// The moves of money to book.
    public var postings: [Posting] = []

    /// A decision that changes nothing.
    public init(_ payment: Payment?) {
        self.payment = payment
    }
}
