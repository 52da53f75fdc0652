public import Commerce
import Messaging

/// What happens to a reservation.
public enum ReservationInput: Sendable, Hashable {
    /// Set these aside, all or none. `stock` holds the level of each known article among them.
    case reserve([OrderedItem], stock: [SKU: StockLevel])
    /// The order is paid: the pieces leave.
    case commit
    /// The order is being undone.
    case release(reason: String)
    /// The hold's time is over.
    case expire
}

/// How the pieces of an article change. Added to the level; never leaves `0 ≤ reserved ≤ onHand`.
public struct StockChange: Sendable, Hashable {
    /// The article.
    public let sku: SKU
    /// Added to the pieces in the house.
    public let onHand: Int
    /// Added to the pieces set aside.
    public let reserved: Int

    /// Makes a change.
    public init(sku: SKU, onHand: Int, reserved: Int) {
        self.sku = sku
        self.onHand = onHand
        self.reserved = reserved
    }
}

/// What the order service is told.
public enum ReservationReply: Sendable, Hashable {
    case reserved
    case refused(reason: String, sku: SKU?)
    case committed
    case commitRefused(reason: String)
    case released
}

/// What follows from an input.
public struct ReservationDecision: Sendable, Hashable {
    /// The reservation afterwards, when it changed; its version is one higher than before.
    public let changed: Reservation?
    /// What happens to the stock.
    public let stock: [StockChange]
    /// The event that announces the change.
    public let event: ReservationEvent.Kind?
    /// The answer; `nil` when nobody asked.
    public let reply: ReservationReply?

    static func unchanged(_ reply: ReservationReply?) -> ReservationDecision {
        ReservationDecision(changed: nil, stock: [], event: nil, reply: reply)
    }
}

extension Reservation {
    /// Decides. Total: every state answers every input; nothing is thrown and nothing traps.
    public static func decide(
        _ current: Reservation?,
        orderID: OrderID,
        _ input: ReservationInput
    ) -> ReservationDecision {
        switch (input, current?.status) {
        case (.reserve(let items, let stock), nil):
            return reserve(orderID, items, stock)
        case (.reserve, .held), (.reserve, .committed):
            return .unchanged(.reserved)
        case (.reserve, .refused):
            return .unchanged(.refused(reason: current?.reason ?? "out-of-stock", sku: current?.missing))
        case (.reserve, .released):
            return .unchanged(.refused(reason: "order-cancelled", sku: nil))
        case (.reserve, .expired):
            return .unchanged(.refused(reason: "expired", sku: nil))

        case (.commit, .held):
            return change(
                current,
                orderID,
                to: .committed,
                event: .committed,
                reply: .committed,
                stock: { StockChange(sku: $0.sku, onHand: -$0.quantity.count, reserved: -$0.quantity.count) }
            )
        case (.commit, .committed) where Sabotage.isOn("stock-sold-twice"):
            return change(
                current,
                orderID,
                to: .committed,
                event: .committed,
                reply: .committed,
                stock: { StockChange(sku: $0.sku, onHand: -$0.quantity.count, reserved: 0) }
            )
        case (.commit, .committed):
            return .unchanged(.committed)
        case (.commit, let status):
            return .unchanged(.commitRefused(reason: status?.rawValue ?? "unknown"))

        case (.release(let reason), .held):
            return change(
                current,
                orderID,
                to: .released,
                reason: reason,
                event: .released,
                reply: .released,
                stock: {
                    StockChange(
                        sku: $0.sku,
                        onHand: 0,
                        reserved: Sabotage.isOn("release-keeps-stock") ? 0 : -$0.quantity.count
                    )
                }
            )
        case (.release(let reason), .committed):
            return change(
                current,
                orderID,
                to: .released,
                reason: reason,
                event: .released,
                reply: .released,
                stock: { StockChange(sku: $0.sku, onHand: $0.quantity.count, reserved: 0) }
            )
        case (.release, nil) where Sabotage.isOn("stock-tombstone-missing"):
            return .unchanged(.released)
        case (.release(let reason), nil):
            return change(
                nil,
                orderID,
                to: .released,
                reason: reason,
                event: .released,
                reply: .released,
                stock: { StockChange(sku: $0.sku, onHand: 0, reserved: 0) }
            )
        case (.release, .refused), (.release, .released), (.release, .expired):
            return .unchanged(.released)

        case (.expire, .held):
            return change(
                current,
                orderID,
                to: .expired,
                reason: "expired",
                event: .expired,
                reply: nil,
                stock: { StockChange(sku: $0.sku, onHand: 0, reserved: -$0.quantity.count) }
            )
        case (.expire, _):
            return .unchanged(nil)
        }
    }

    private static func reserve(
        _ orderID: OrderID,
        _ items: [OrderedItem],
        _ stock: [SKU: StockLevel]
    ) -> ReservationDecision {
        for item in items {
            let shortage: String
            if let level = stock[item.sku] {
                if level.available >= item.quantity.count || Sabotage.isOn("stock-level-unchecked") { continue }
                shortage = "out-of-stock"
            } else {
                shortage = "unknown-sku"
            }
            let refused = Reservation(
                orderID: orderID,
                status: .refused,
                version: 1,
                items: items,
                reason: shortage,
                missing: item.sku
            )
            return ReservationDecision(
                changed: refused,
                stock: [],
                event: .refused,
                reply: .refused(reason: shortage, sku: item.sku)
            )
        }
        return ReservationDecision(
            changed: Reservation(orderID: orderID, status: .held, version: 1, items: items),
            stock: items.prefix(Sabotage.isOn("partial-reservation") ? 1 : items.count).map {
                StockChange(sku: $0.sku, onHand: 0, reserved: $0.quantity.count)
            },
            event: .reserved,
            reply: .reserved
        )
    }

    private static func change(
        _ current: Reservation?,
        _ orderID: OrderID,
        to status: Status,
        reason: String? = nil,
        event: ReservationEvent.Kind,
        reply: ReservationReply?,
        stock: (OrderedItem) -> StockChange
    ) -> ReservationDecision {
        let items = current?.items ?? []
        let next = Reservation(
            orderID: orderID,
            status: status,
            version: (current?.version ?? 0) + 1,
            items: items,
            reason: reason
        )
        return ReservationDecision(changed: next, stock: items.map(stock), event: event, reply: reply)
    }
}
