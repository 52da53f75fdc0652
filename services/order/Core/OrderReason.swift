/// Why an order left the way to completion: a short kebab-case word that is safe to store, show and log.
public struct OrderReason: Sendable, Hashable, CustomStringConvertible {
    /// 1…64 lower-case letters, digits and hyphens.
    public let text: String

    /// The customer asked for the end.
    public static let customer = OrderReason(known: "customer")
    /// An answer did not come in time.
    public static let deadline = OrderReason(known: "deadline")
    /// Payment says that it took another amount than was asked for.
    public static let amountMismatch = OrderReason(known: "amount-mismatch")
    /// Stands for a reason from outside that is not a word of this form.
    public static let other = OrderReason(known: "other")

    private init(known text: String) {
        self.text = text
    }

    /// Takes a reason from a message or a row; anything that is not 1…64 lower-case letters, digits and hyphens becomes
    /// ``other``.
    public init(_ text: String) {
        let acceptable =
            (1...64).contains(text.utf8.count)
            && text.utf8.allSatisfy {
                (0x61...0x7A).contains($0) || (0x30...0x39).contains($0) || $0 == UInt8(ascii: "-")
            }
        self = acceptable ? OrderReason(known: text) : .other
    }

    /// The word itself.
    public var description: String { text }
}
