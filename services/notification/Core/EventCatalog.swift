import Commerce

/// Which events subscribers can have, and how they may write what they want.
public enum EventCatalog {
    /// All event types, in the order in which lists show them.
    public static let types: [String] =
        OrderStatus.allCases.map(OrderEvent.messageType(for:))
        + PaymentEvent.Kind.allCases.map(PaymentEvent.messageType(for:))
        + ReservationEvent.Kind.allCases.map(ReservationEvent.messageType(for:)) + [StockAdjusted.messageType]

    private static let prefix = "waybill."

    /// The channel of everything that concerns a customer and says so.
    public static func channel(ofCustomer id: String) -> String { "customer:" + id }

    /// Whether the subject of a type's events is an order.
    public static func isAboutOrder(_ type: String) -> Bool { type != StockAdjusted.messageType }

    /// The full pattern for what a person wrote: `order.*` and `order.completed` mean `waybill.order.*` and
    /// `waybill.order.completed.*`. What is full already stays as it is, and so do the sender's own events (`webhook.*`).
    public static func pattern(_ text: String) -> String {
        guard !text.isEmpty, text != "*", !text.hasPrefix("webhook.") else { return text }
        let full = text.hasPrefix(prefix) ? text : prefix + text
        let parts = full.split(separator: ".", omittingEmptySubsequences: false)
        return parts.count == 3 && parts[2] != "*" ? full + ".*" : full
    }
}
