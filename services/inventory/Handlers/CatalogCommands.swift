public import Commerce
public import DurableStore
import InventoryCore
import Messaging

/// What a person does to the catalogue and the stock. Transport-free; each runs in one unit.
public struct CatalogCommands: Sendable {
    /// What came of setting a stock.
    public enum SetStockOutcome: Sendable, Equatable {
        case done(onHand: Int, reserved: Int)
        case unknownArticle
        /// Fewer than are set aside for orders.
        case belowReserved(Int)
    }

    /// Makes the commands.
    public init() {}

    /// Puts an article and announces it; putting the same again announces nothing.
    public func put(_ item: CatalogItemPut, traceparent: String?, in tx: Transaction) throws {
        guard let version = try CatalogStore(db: tx.db).put(item) else { return }
        try tx.enqueue(
            context(item.sku, traceparent, tx).event(
                item,
                type: CatalogItemPut.messageType,
                topic: Channels.catalogTopic,
                id: tx.newID(),
                subject: item.sku.text,
                sequence: version
            )
        )
    }

    /// Sets the pieces in the house and announces the change.
    public func setStock(_ sku: SKU, onHand: Int, traceparent: String?, in tx: Transaction) throws -> SetStockOutcome {
        let store = CatalogStore(db: tx.db)
        guard let (level, version) = try store.stock(of: sku) else { return .unknownArticle }
        guard onHand >= level.reserved else { return .belowReserved(level.reserved) }
        let change = onHand - level.onHand
        guard change != 0 else { return .done(onHand: onHand, reserved: level.reserved) }
        try store.setOnHand(onHand, of: sku, change: change, version: version + 1, at: tx.now)
        try tx.enqueue(
            context(sku, traceparent, tx).event(
                StockAdjusted(sku: sku, onHand: onHand, change: change),
                type: StockAdjusted.messageType,
                topic: Channels.inventoryTopic,
                id: tx.newID(),
                subject: sku.text,
                sequence: version + 1
            )
        )
        return .done(onHand: onHand, reserved: level.reserved)
    }

    private func context(_ sku: SKU, _ traceparent: String?, _ tx: Transaction) -> MessageContext {
        MessageContext(
            source: "/waybill/inventory",
            correlationID: sku.text,
            causationID: nil,
            traceparent: traceparent,
            now: tx.now
        )
    }
}
