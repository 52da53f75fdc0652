/// Where an order stands.
///
/// ```
/// placed ──► awaitingStock ──► awaitingPayment ──► confirming ──► completed
///                  │                  │                 │
///                  │ refused          └──────┬──────────┘ declined, failed, customer, deadline
///                  ▼                         ▼
///              rejected                  cancelling ──► cancelled
///                  ▲ (also from awaitingStock: customer, deadline ──► cancelling)
/// ```
///
/// `needsOperator` is reached only from `cancelling`, for a fault that was declared unresolvable.
public enum OrderStatus: String, Sendable, Hashable, Codable, CaseIterable {
    /// Accepted and stored; nothing asked of anyone yet.
    case placed
    /// Stock has been asked for.
    case awaitingStock
    /// Stock is held; the payment has been asked for.
    case awaitingPayment
    /// The payment is authorized; it is being captured, then the stock is consumed.
    case confirming
    /// Paid and consumed. Terminal.
    case completed
    /// Never had stock. Terminal.
    case rejected
    /// Being undone: every finished step is compensated.
    case cancelling
    /// Undone. Terminal.
    case cancelled
    /// A person must decide. Terminal for the machine.
    case needsOperator

    /// Whether nothing follows.
    public var isTerminal: Bool {
        switch self {
        case .completed, .rejected, .cancelled, .needsOperator: true
        case .placed, .awaitingStock, .awaitingPayment, .confirming, .cancelling: false
        }
    }
}
