public import Commerce
public import StrictJSON

/// Example payloads, for test events and for people who want to see one.
public enum ExampleEvents {
    /// The subject of all examples: an order that does not exist.
    public static let subject = "00000000-0000-7000-8000-000000000000"

    /// The endpoint of the examples of the sender's own events.
    public static let endpoint = "019a2f0c-0000-7000-8000-00000000000e"

    /// The payload of a type; `nil` for an unknown type.
    /// - Throws: never for the types of ``EventCatalog/types``; the codec's fault is passed on.
    public static func data(of type: String) throws(PayloadFault) -> [UInt8]? {
        guard let order = OrderID(subject), let payment = PaymentID(subject), let sku = SKU("MUG-STONEWARE"),
            let customer = CustomerID("example"), let quantity = Quantity(2)
        else { return nil }
        let price = Money(minorUnits: 1250, currency: .eur)
        let total = Money(minorUnits: 2500, currency: .eur)
        if let status = OrderStatus.allCases.first(where: { OrderEvent.messageType(for: $0) == type }) {
            return try PayloadCodec.encode(
                OrderEvent(
                    orderID: order,
                    customerID: customer,
                    status: status,
                    previousStatus: nil,
                    lines: [OrderLine(sku: sku, quantity: quantity, unitPrice: price)],
                    total: total,
                    reason: nil,
                    placedAt: "2026-01-02T03:04:05.678Z"
                )
            )
        }
        if let kind = PaymentEvent.Kind.allCases.first(where: { PaymentEvent.messageType(for: $0) == type }) {
            return try PayloadCodec.encode(PaymentEvent(orderID: order, paymentID: payment, kind: kind, amount: total))
        }
        if let kind = ReservationEvent.Kind.allCases.first(where: { ReservationEvent.messageType(for: $0) == type }) {
            return try PayloadCodec.encode(
                ReservationEvent(orderID: order, kind: kind, items: [OrderedItem(sku: sku, quantity: quantity)])
            )
        }
        guard type == StockAdjusted.messageType else { return nil }
        return try PayloadCodec.encode(StockAdjusted(sku: sku, onHand: 10, change: 2))
    }

    /// The payload of one of the sender's own types, which begin with `webhook.`; `nil` for another type.
    public static func operational(_ type: String) -> JSONValue? {
        let parts = type.split(separator: ".")
        guard parts.count == 4, parts[0] == "webhook" else { return nil }
        if parts[1] == "endpoint" {
            let state = parts[2] == "deleted" || parts[2] == "disabled" ? String(parts[2]) : "enabled"
            return [
                "endpointId": .string(endpoint), "uid": "shop", "action": .string(String(parts[2])),
                "actor": "operator",
                "state": .string(state), "reason": parts[2] == "disabled" ? "manual" : .null, "version": 1,
            ]
        }
        return [
            "deliveryId": "019a2f0c-0000-7000-8000-00000000000d", "endpointId": .string(endpoint),
            "webhookId": "019a2f0c-0000-7000-8000-00000000000a", "type": "waybill.order.completed.v1",
            "subject": .string(subject), "attempts": 4, "lastStatus": 503, "lastCode": .null,
            "reason": parts[2] == "exhausted" ? "attempts_used" : .null,
        ]
    }
}
