/// Something happened to a payment. Keyed by order; sequence counts per payment.
///
/// The CloudEvents type is `waybill.payment.<kind>.v1`.
public struct PaymentEvent: Codable, Sendable, Hashable {
    /// What can happen.
    public enum Kind: String, Codable, Sendable, CaseIterable {
        case authorized, declined, captured, voided, refunded, failed, cancelled
    }

    /// The order.
    public let orderID: OrderID
    /// The payment.
    public let paymentID: PaymentID
    /// What happened.
    public let kind: Kind
    /// The amount that it happened to.
    public let amount: Money
    /// Why, where there is a reason.
    public let reason: String?

    /// Makes an event.
    public init(orderID: OrderID, paymentID: PaymentID, kind: Kind, amount: Money, reason: String? = nil) {
        self.orderID = orderID
        self.paymentID = paymentID
        self.kind = kind
        self.amount = amount
        self.reason = reason
    }

    /// The type text of an event of a kind.
    public static func messageType(for kind: Kind) -> String {
        "waybill.payment.\(kind.rawValue).v1"
    }
}
