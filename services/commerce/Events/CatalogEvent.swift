/// An article was put into the catalogue, or changed. Keyed by article; sequence counts per article.
public struct CatalogItemPut: CommerceMessage {
    public static let messageType = "waybill.catalog.itemPut.v1"
    /// The article.
    public let sku: SKU
    /// Its name, 1…200 characters.
    public let name: String
    /// The price of one piece.
    public let price: Money
    /// Whether it can be ordered.
    public let active: Bool

    /// Makes an event.
    public init(sku: SKU, name: String, price: Money, active: Bool) {
        self.sku = sku
        self.name = name
        self.price = price
        self.active = active
    }
}
