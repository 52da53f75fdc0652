/// One line of an order as the customer asked for it.
public struct OrderedItem: Sendable, Hashable, Codable {
    /// The article.
    public let sku: SKU
    /// How many.
    public let quantity: Quantity

    /// Makes a line.
    public init(sku: SKU, quantity: Quantity) {
        self.sku = sku
        self.quantity = quantity
    }
}

/// One line of an order with the price that held when it was placed.
public struct OrderLine: Sendable, Hashable, Codable {
    /// The article.
    public let sku: SKU
    /// How many.
    public let quantity: Quantity
    /// The price of one piece, from the catalogue, never from the client.
    public let unitPrice: Money

    /// Makes a line.
    public init(sku: SKU, quantity: Quantity, unitPrice: Money) {
        self.sku = sku
        self.quantity = quantity
        self.unitPrice = unitPrice
    }

    /// The line without its price.
    public var item: OrderedItem { OrderedItem(sku: sku, quantity: quantity) }
}

/// Bounds of an order.
public enum OrderLimits {
    /// Lines of one order. Each article appears once.
    public static let lines = 1...100
}
