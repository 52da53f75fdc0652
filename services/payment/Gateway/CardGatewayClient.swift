public import Commerce
import Messaging
public import PaymentCore

/// Everything that a call to the gateway may need.
public struct GatewayCall: Sendable, Hashable {
    /// The idempotency key.
    public let key: String
    /// What is to happen.
    public let kind: IntentKind
    /// The order, which is the gateway's `reference`.
    public let orderID: OrderID
    /// The whole amount.
    public let amount: Money
    /// The card.
    public let card: CardToken
    /// The authorization; needed by captures and voids.
    public let authorization: String?
    /// The capture; needed by refunds.
    public let capture: String?
    /// The trace that the call belongs to.
    public let traceparent: String?

    /// Makes a call.
    public init(
        key: String,
        kind: IntentKind,
        orderID: OrderID,
        amount: Money,
        card: CardToken,
        authorization: String? = nil,
        capture: String? = nil,
        traceparent: String? = nil
    ) {
        self.key = key
        self.kind = kind
        self.orderID = orderID
        self.amount = amount
        self.card = card
        self.authorization = authorization
        self.capture = capture
        self.traceparent = traceparent
    }
}

extension GatewayCall {
    /// The same call under another key: the mistake that ``Sabotage`` can make.
    func again(at now: Timestamp) -> GatewayCall {
        GatewayCall(
            key: key + "-\(now.millisecondsSinceEpoch)",
            kind: kind,
            orderID: orderID,
            amount: amount,
            card: card,
            authorization: authorization,
            capture: capture,
            traceparent: traceparent
        )
    }
}

/// The port to the card gateway. An adapter never throws: whatever happens is an answer.
public protocol CardGatewayClient: Sendable {
    /// Carries an operation out, with a deadline of its own (4 s).
    func call(_ call: GatewayCall) async -> GatewayAnswer

    /// Asks what became of a key, with a deadline of its own (2 s). `notFound` only on the gateway's own word.
    func lookUp(_ call: GatewayCall) async -> GatewayAnswer
}
