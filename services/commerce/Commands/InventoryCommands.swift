/// Asks inventory to hold stock for an order, all lines or none.
public struct ReserveStock: CommerceMessage {
    public static let messageType = "waybill.inventory.reserve.v1"
    /// The order.
    public let orderID: OrderID
    /// What to hold.
    public let items: [OrderedItem]
    /// When an unused hold ends by itself, RFC 3339.
    public let expiresAt: String

    /// Makes the command.
    public init(orderID: OrderID, items: [OrderedItem], expiresAt: String) {
        self.orderID = orderID
        self.items = items
        self.expiresAt = expiresAt
    }
}

/// Asks inventory to consume what it holds for an order.
public struct CommitStock: CommerceMessage {
    public static let messageType = "waybill.inventory.commit.v1"
    /// The order.
    public let orderID: OrderID

    /// Makes the command.
    public init(orderID: OrderID) {
        self.orderID = orderID
    }
}

/// Asks inventory to let go of what it holds for an order, and to refuse any later hold for it (tombstone).
public struct ReleaseStock: CommerceMessage {
    public static let messageType = "waybill.inventory.release.v1"
    /// The order.
    public let orderID: OrderID
    /// Why.
    public let reason: String

    /// Makes the command.
    public init(orderID: OrderID, reason: String) {
        self.orderID = orderID
        self.reason = reason
    }
}

/// Inventory holds everything that was asked for.
public struct StockReserved: CommerceMessage {
    public static let messageType = "waybill.inventory.reserved.v1"
    /// The order.
    public let orderID: OrderID

    /// Makes the reply.
    public init(orderID: OrderID) {
        self.orderID = orderID
    }
}

/// Inventory holds nothing for the order.
public struct StockRefused: CommerceMessage {
    public static let messageType = "waybill.inventory.refused.v1"
    /// The order.
    public let orderID: OrderID
    /// `out-of-stock`, `unknown-sku`, `order-cancelled`.
    public let reason: String
    /// The article that was missing, if one was.
    public let sku: SKU?

    /// Makes the reply.
    public init(orderID: OrderID, reason: String, sku: SKU? = nil) {
        self.orderID = orderID
        self.reason = reason
        self.sku = sku
    }
}

/// Inventory has consumed what it held.
public struct StockCommitted: CommerceMessage {
    public static let messageType = "waybill.inventory.committed.v1"
    /// The order.
    public let orderID: OrderID

    /// Makes the reply.
    public init(orderID: OrderID) {
        self.orderID = orderID
    }
}

/// Inventory held nothing that it could consume: the hold had ended.
public struct StockCommitRefused: CommerceMessage {
    public static let messageType = "waybill.inventory.commitRefused.v1"
    /// The order.
    public let orderID: OrderID
    /// `expired`, `released`, `unknown`.
    public let reason: String

    /// Makes the reply.
    public init(orderID: OrderID, reason: String) {
        self.orderID = orderID
        self.reason = reason
    }
}

/// Inventory holds nothing for the order any more, and never will.
public struct StockReleased: CommerceMessage {
    public static let messageType = "waybill.inventory.released.v1"
    /// The order.
    public let orderID: OrderID

    /// Makes the reply.
    public init(orderID: OrderID) {
        self.orderID = orderID
    }
}
