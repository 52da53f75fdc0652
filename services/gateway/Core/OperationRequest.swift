/// A request as it arrived, checked for form only.
public struct OperationRequest: Sendable, Hashable {
    /// What is asked.
    public enum Content: Sendable, Hashable {
        /// Set an amount aside. `reference` is the merchant's name for it.
        case authorize(reference: String, amount: Int64, currency: String, card: String)
        /// Take an authorization's amount.
        case capture(authorization: String)
        /// Set an authorization's amount free.
        case void(authorization: String)
        /// Give back a capture's amount, or a part of it.
        case refund(capture: String, amount: Int64?)
    }

    /// The idempotency key: 1…128 printable ASCII characters.
    public let key: String
    /// What is asked.
    public let content: Content

    /// Makes a request.
    public init(key: String, content: Content) {
        self.key = key
        self.content = content
    }

    /// The operation.
    public var operation: GatewayOperation {
        switch content {
        case .authorize: .authorize
        case .capture: .capture
        case .void: .void
        case .refund: .refund
        }
    }
}
