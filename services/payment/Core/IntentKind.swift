/// What a call to the gateway is meant to do. One idempotency key belongs to one intent, for ever.
public enum IntentKind: String, Sendable, Hashable, CaseIterable {
    /// Set the amount aside on the card.
    case authorize
    /// Take the amount that was set aside.
    case capture
    /// Set the amount free again.
    case void
    /// Give back what was taken.
    case refund

    /// Whether the intent may be given up after a window. Only the two that ask for money: an order must not wait for ever
    /// for them. Giving money back is tried until it is done.
    public var isGivenUp: Bool {
        switch self {
        case .authorize, .capture: true
        case .void, .refund: false
        }
    }
}
