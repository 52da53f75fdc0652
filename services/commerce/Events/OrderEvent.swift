/// An order reached a status. One event per status change, sequence = the order's version; the payload is complete, so that
/// a reader needs no other.
///
/// The CloudEvents type is `waybill.order.<status>.v1`.
public struct OrderEvent: Codable, Sendable, Hashable {
    /// The order.
    public let orderID: OrderID
    /// Who ordered.
    public let customerID: CustomerID
    /// The status that was reached.
    public let status: OrderStatus
    /// The status before; absent on the first event.
    public let previousStatus: OrderStatus?
    /// The lines with their prices.
    public let lines: [OrderLine]
    /// The sum of the lines.
    public let total: Money
    /// Why, for statuses that have a reason: `out-of-stock`, `card-declined`, `customer`, `deadline` …
    public let reason: String?
    /// When the order was placed, RFC 3339.
    public let placedAt: String

    /// Makes an event.
    public init(
        orderID: OrderID,
        customerID: CustomerID,
        status: OrderStatus,
        previousStatus: OrderStatus?,
        lines: [OrderLine],
        total: Money,
        reason: String? = nil,
        placedAt: String
    ) {
        self.orderID = orderID
        self.customerID = customerID
        self.status = status
        self.previousStatus = previousStatus
        self.lines = lines
        self.total = total
        self.reason = reason
        self.placedAt = placedAt
    }

    /// The type text of the event that announces a status.
    public static func messageType(for status: OrderStatus) -> String {
        "waybill.order.\(status.rawValue).v1"
    }
}
