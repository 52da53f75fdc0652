public import Commerce

/// What a record of the event log says, decoded once for every check that reads it.
public indirect enum LoggedEvent: Sendable, Hashable {
    /// An order reached a status.
    case order(OrderEvent)
    /// Something happened to a payment.
    case payment(PaymentEvent)
    /// Something happened to the pieces that an order holds.
    case reservation(ReservationEvent)
    /// A person changed the stock of an article.
    case stockAdjusted(StockAdjusted)
    /// An article was put into the catalogue or changed there.
    case article(CatalogItemPut)

    /// Reads a payload as what its type says it is.
    ///
    /// - Returns: `nil` for a type that nobody publishes and for a payload that is not of its type.
    public init?(type: String, body: [UInt8]) {
        func decode<Event: Decodable>() -> Event? { try? PayloadCodec.decode(Event.self, from: body) }
        let event: Self?
        switch type {
        case StockAdjusted.messageType: event = decode().map(Self.stockAdjusted)
        case CatalogItemPut.messageType: event = decode().map(Self.article)
        case _ where type.hasPrefix("waybill.order."): event = decode().map(Self.order)
        case _ where type.hasPrefix("waybill.payment."): event = decode().map(Self.payment)
        case _ where type.hasPrefix("waybill.stock."): event = decode().map(Self.reservation)
        default: event = nil
        }
        guard let event else { return nil }
        self = event
    }

    /// The topic that it belongs on.
    public var topic: String {
        switch self {
        case .order: Channels.ordersTopic
        case .payment: Channels.paymentsTopic
        case .reservation, .stockAdjusted: Channels.inventoryTopic
        case .article: Channels.catalogTopic
        }
    }

    /// What it is about: an order, or an article.
    public var subject: String {
        switch self {
        case .order(let event): event.orderID.text
        case .payment(let event): event.orderID.text
        case .reservation(let event): event.orderID.text
        case .stockAdjusted(let event): event.sku.text
        case .article(let event): event.sku.text
        }
    }

    /// The type that announces it.
    public var type: String {
        switch self {
        case .order(let event): OrderEvent.messageType(for: event.status)
        case .payment(let event): PaymentEvent.messageType(for: event.kind)
        case .reservation(let event): ReservationEvent.messageType(for: event.kind)
        case .stockAdjusted: StockAdjusted.messageType
        case .article: CatalogItemPut.messageType
        }
    }
}
