/// Asks payment to have the card issuer set the amount aside.
public struct AuthorizePayment: CommerceMessage {
    public static let messageType = "waybill.payment.authorize.v1"
    /// The order.
    public let orderID: OrderID
    /// The whole amount.
    public let amount: Money
    /// The card.
    public let card: CardToken

    /// Makes the command.
    public init(orderID: OrderID, amount: Money, card: CardToken) {
        self.orderID = orderID
        self.amount = amount
        self.card = card
    }
}

/// Asks payment to take the authorized amount.
public struct CapturePayment: CommerceMessage {
    public static let messageType = "waybill.payment.capture.v1"
    /// The order.
    public let orderID: OrderID

    /// Makes the command.
    public init(orderID: OrderID) {
        self.orderID = orderID
    }
}

/// Asks payment to end with no money taken: void what is authorized, refund what is captured, refuse what comes later.
public struct CancelPayment: CommerceMessage {
    public static let messageType = "waybill.payment.cancel.v1"
    /// The order.
    public let orderID: OrderID
    /// Why.
    public let reason: String

    /// Makes the command.
    public init(orderID: OrderID, reason: String) {
        self.orderID = orderID
        self.reason = reason
    }
}

/// The amount is set aside.
public struct PaymentAuthorized: CommerceMessage {
    public static let messageType = "waybill.payment.authorizedReply.v1"
    /// The order.
    public let orderID: OrderID
    /// The payment.
    public let paymentID: PaymentID

    /// Makes the reply.
    public init(orderID: OrderID, paymentID: PaymentID) {
        self.orderID = orderID
        self.paymentID = paymentID
    }
}

/// The issuer said no.
public struct PaymentDeclined: CommerceMessage {
    public static let messageType = "waybill.payment.declinedReply.v1"
    /// The order.
    public let orderID: OrderID
    /// `card-declined`, `insufficient-funds`, `unknown-card`.
    public let reason: String

    /// Makes the reply.
    public init(orderID: OrderID, reason: String) {
        self.orderID = orderID
        self.reason = reason
    }
}

/// The amount is taken.
public struct PaymentCaptured: CommerceMessage {
    public static let messageType = "waybill.payment.capturedReply.v1"
    /// The order.
    public let orderID: OrderID
    /// What was taken.
    public let amount: Money

    /// Makes the reply.
    public init(orderID: OrderID, amount: Money) {
        self.orderID = orderID
        self.amount = amount
    }
}

/// An authorization or capture could not be had: the gateway refused it, or never gave a clear answer in time. Should it
/// turn out later that money moved, payment gives it back by itself.
public struct PaymentFailed: CommerceMessage {
    public static let messageType = "waybill.payment.failedReply.v1"
    /// The order.
    public let orderID: OrderID
    /// `gateway-unresolved`, `capture-refused`, `cancelled`.
    public let reason: String

    /// Makes the reply.
    public init(orderID: OrderID, reason: String) {
        self.orderID = orderID
        self.reason = reason
    }
}

/// No money is held or taken, and none will be.
public struct PaymentCancelled: CommerceMessage {
    public static let messageType = "waybill.payment.cancelledReply.v1"
    /// The order.
    public let orderID: OrderID
    /// What was given back, when something had been taken.
    public let refunded: Money?

    /// Makes the reply.
    public init(orderID: OrderID, refunded: Money? = nil) {
        self.orderID = orderID
        self.refunded = refunded
    }
}
