public import Commerce

/// Everything that can happen to an order.
public enum OrderInput: Sendable, Hashable {
    /// The order was stored.
    case start
    /// Inventory holds everything.
    case stockReserved
    /// Inventory holds nothing.
    case stockRefused(OrderReason)
    /// Inventory has consumed what it held.
    case stockCommitted
    /// Inventory held nothing that it could consume.
    case stockCommitRefused(OrderReason)
    /// Inventory holds nothing any more, and never will.
    case stockReleased
    /// The amount is set aside.
    case paymentAuthorized
    /// The issuer said no.
    case paymentDeclined(OrderReason)
    /// The amount is taken.
    case paymentCaptured(Money)
    /// The authorization or capture could not be had, or is unknown for too long.
    case paymentFailed(OrderReason)
    /// No money is held or taken, and none will be.
    case paymentCancelled
    /// The customer wants the order undone.
    case cancelRequested
    /// A deadline passed.
    case deadline(OrderDeadline)
    /// What was asked for, or its answer, may be lost with the broker that carried it: ask again.
    case republish

    /// A stable word for metrics and the journal: `stock-reserved`, `deadline-payment` …
    public var name: String {
        switch self {
        case .start: "placed"
        case .stockReserved: "stock-reserved"
        case .stockRefused: "stock-refused"
        case .stockCommitted: "stock-committed"
        case .stockCommitRefused: "stock-commit-refused"
        case .stockReleased: "stock-released"
        case .paymentAuthorized: "payment-authorized"
        case .paymentDeclined: "payment-declined"
        case .paymentCaptured: "payment-captured"
        case .paymentFailed: "payment-failed"
        case .paymentCancelled: "payment-cancelled"
        case .cancelRequested: "cancel-requested"
        case .deadline(let deadline): "deadline-" + deadline.rawValue
        case .republish: "republish"
        }
    }
}

/// The deadlines that an order can have; at most one at a time. The raw values are the names of the rows.
public enum OrderDeadline: String, Sendable, Hashable, CaseIterable {
    /// For inventory's answer to `ReserveStock`.
    case stock
    /// For payment's answer to `AuthorizePayment`.
    case payment
    /// For payment's answer to `CapturePayment`, then for inventory's to `CommitStock`.
    case confirmation
    /// For the answers to the compensations; repeated.
    case compensation
}
