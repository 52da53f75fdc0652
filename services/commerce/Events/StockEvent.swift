/// A reservation changed. Keyed by order; sequence counts per reservation.
///
/// The CloudEvents type is `waybill.stock.<kind>.v1`.
public struct ReservationEvent: Codable, Sendable, Hashable {
    /// What can happen to a reservation.
    public enum Kind: String, Codable, Sendable, CaseIterable {
        case reserved, refused, committed, released, expired
    }

    /// The order.
    public let orderID: OrderID
    /// What happened.
    public let kind: Kind
    /// What is concerned; empty on `refused` and on a release that found nothing.
    public let items: [OrderedItem]
    /// Why, where there is a reason.
    public let reason: String?

    /// Makes an event.
    public init(orderID: OrderID, kind: Kind, items: [OrderedItem], reason: String? = nil) {
        self.orderID = orderID
        self.kind = kind
        self.items = items
        self.reason = reason
    }

    /// The type text of an event of a kind.
    public static func messageType(for kind: Kind) -> String {
        "waybill.stock.\(kind.rawValue).v1"
    }
}

/// The stock of an article was set by a person. Keyed by article; sequence counts per article.
public struct StockAdjusted: CommerceMessage {
    public static let messageType = "waybill.stock.adjusted.v1"
    /// The article.
    public let sku: SKU
    /// Pieces on hand afterwards.
    public let onHand: Int
    /// Pieces added, negative when taken away.
    public let change: Int

    /// Makes an event.
    public init(sku: SKU, onHand: Int, change: Int) {
        self.sku = sku
        self.onHand = onHand
        self.change = change
    }
}
