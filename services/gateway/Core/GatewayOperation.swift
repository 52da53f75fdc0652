/// What a merchant can ask of the gateway.
public enum GatewayOperation: String, Sendable, Hashable, CaseIterable {
    /// Set an amount aside on a card.
    case authorize
    /// Take what was set aside.
    case capture
    /// Set it free.
    case void
    /// Give back what was taken.
    case refund

    /// How the gateway's names for such operations begin: `auth_17`.
    var namePrefix: String {
        switch self {
        case .authorize: "auth_"
        case .capture: "cap_"
        case .void: "void_"
        case .refund: "ref_"
        }
    }
}

/// What the gateway recorded an operation as.
public enum GatewayResult: String, Sendable, Hashable, CaseIterable {
    /// Done.
    case succeeded
    /// The card's issuer said no.
    case declined
    /// The request makes no sense in the present state of what it names.
    case refused
}
