public import Commerce

/// Something that a payment must answer to.
public enum PaymentInput: Sendable, Hashable {
    /// AuthorizePayment. `paymentID` is used only when there is no payment yet.
    case authorize(Payment.Charge, paymentID: PaymentID)
    /// CapturePayment.
    case capture
    /// CancelPayment. `paymentID` is used only when there is no payment yet.
    case cancel(reason: String, paymentID: PaymentID)
    /// One of the payment's intents came to something, or is certain not to have been sent.
    case settled(IntentKind, Intent.Outcome)
}

/// Why an input cannot be taken at all.
public enum PaymentRejection: String, Error, Sendable, Hashable {
    /// An AuthorizePayment for a known order with another amount or card. The first one stands.
    case chargeDiffers = "payment-charge-differs"
    /// An intent's outcome without a payment.
    case noPayment = "payment-unknown"
}
