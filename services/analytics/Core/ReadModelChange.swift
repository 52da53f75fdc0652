public import Commerce
public import Messaging

/// One change that an event makes to the read models. Changes are additive or last-version-wins, so that folding the log
/// from its beginning gives the same rows, whatever the batches were.
public enum ReadModelChange: Sendable, Hashable {
    /// The order is now known as this.
    case setOrder(OrderFact)
    /// Money came in, in the minute that begins at this time.
    case addRevenue(minute: Timestamp, Money)
    /// Pieces of an article were sold.
    case addUnits(SKU, Int)
    /// An order took this long from placement to completion.
    case addCompletionTime(milliseconds: Int64)
    /// A payment reached a stage.
    case addPayment(PaymentEvent.Kind, Money)
    /// An article is called this.
    case nameArticle(SKU, String)
}

/// What is remembered of an order.
public struct OrderFact: Sendable, Hashable {
    /// The order.
    public let orderID: OrderID
    /// The version that this is, which is the sequence of the event that said so.
    public let version: Int64
    /// Its status.
    public let status: OrderStatus
    /// What it costs.
    public let total: Money
    /// When it was placed.
    public let placedAt: Timestamp
    /// When it reached the status.
    public let at: Timestamp

    /// Makes a fact.
    public init(
        orderID: OrderID,
        version: Int64,
        status: OrderStatus,
        total: Money,
        placedAt: Timestamp,
        at: Timestamp
    ) {
        self.orderID = orderID
        self.version = version
        self.status = status
        self.total = total
        self.placedAt = placedAt
        self.at = at
    }
}
