public import Commerce

/// The payment of one order: what is known of it, and how far each of its intents has come.
///
/// At most one per order. A *tombstone* is a payment without an amount in phase `cancelled`: the cancellation came first, and
/// whatever comes later finds it.
public struct Payment: Sendable, Hashable {
    /// What is charged, to what. Absent on a tombstone.
    public struct Charge: Sendable, Hashable {
        /// The whole amount.
        public let amount: Money
        /// The card.
        public let card: CardToken

        /// Makes a charge.
        public init(amount: Money, card: CardToken) {
            self.amount = amount
            self.card = card
        }
    }

    /// The account that a capture was booked to; the refund is booked against the same side.
    public enum CaptureAccount: String, Sendable, Hashable, CaseIterable {
        /// The order goes on: it is income.
        case revenue
        /// The order is over: the money is not ours and goes back.
        case suspense
    }

    /// The order.
    public let orderID: OrderID
    /// The payment.
    public let paymentID: PaymentID
    /// What is charged; `nil` on a tombstone.
    public let charge: Charge?
    /// Where it stands.
    public var phase: PaymentPhase
    /// Why it was declined or failed.
    public var reason: String?
    /// Why it is to end without money; `nil` while it is not.
    public var cancelReason: String?
    /// Whether a CancelPayment waits for its answer.
    public var answerOwed: Bool
    /// The gateway's name for the authorization.
    public var authorization: String?
    /// The gateway's name for the capture.
    public var capture: String?
    /// What the capture was booked to; `nil` until there is one.
    public var captureAccount: CaptureAccount?
    /// Whether the captured amount was given back.
    public var refunded: Bool
    /// Events announced so far, which is the sequence of the last one.
    public var version: Int64
    /// What was announced last.
    public var milestone: PaymentEvent.Kind?
    /// How far the intents are, the last round of each.
    public var intents: [IntentKind: IntentState]

    /// Makes a payment; see the properties.
    public init(
        orderID: OrderID,
        paymentID: PaymentID,
        charge: Charge?,
        phase: PaymentPhase,
        reason: String? = nil,
        cancelReason: String? = nil,
        answerOwed: Bool = false,
        authorization: String? = nil,
        capture: String? = nil,
        captureAccount: CaptureAccount? = nil,
        refunded: Bool = false,
        version: Int64 = 0,
        milestone: PaymentEvent.Kind? = nil,
        intents: [IntentKind: IntentState] = [:]
    ) {
        self.orderID = orderID
        self.paymentID = paymentID
        self.charge = charge
        self.phase = phase
        self.reason = reason
        self.cancelReason = cancelReason
        self.answerOwed = answerOwed
        self.authorization = authorization
        self.capture = capture
        self.captureAccount = captureAccount
        self.refunded = refunded
        self.version = version
        self.milestone = milestone
        self.intents = intents
    }

    /// Whether the gateway holds an authorization that was neither used up nor voided, as far as is known.
    public var isHolding: Bool {
        authorization != nil && capture == nil && intents[.void] != .succeeded
    }
}
