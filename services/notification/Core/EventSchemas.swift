import Commerce
public import StrictJSON

/// What stands in the events, as JSON Schemas: one per type, for subscribers and for tests of their receivers.
///
/// Fields may be added; a receiver ignores those that it does not know, so the schemas leave objects open.
public enum EventSchemas {
    /// The schema of `data` of a type, and when such an event happens; `nil` for an unknown type.
    public static func data(of type: String) -> (schema: JSONValue, summary: String)? {
        if let status = OrderStatus.allCases.first(where: { OrderEvent.messageType(for: $0) == type }) {
            return (order(status), "An order reached the status \(status.rawValue).")
        }
        if let kind = PaymentEvent.Kind.allCases.first(where: { PaymentEvent.messageType(for: $0) == type }) {
            return (payment(kind), "A payment was \(kind.rawValue).")
        }
        if let kind = ReservationEvent.Kind.allCases.first(where: { ReservationEvent.messageType(for: $0) == type }) {
            return (reservation(kind), "A reservation of stock was \(kind.rawValue).")
        }
        guard type == StockAdjusted.messageType else { return nil }
        return (stock, "A person set the stock of an article.")
    }

    private static func order(_ status: OrderStatus) -> JSONValue {
        object(
            [
                ("orderID", uuid), ("customerID", customer), ("status", ["const": .string(status.rawValue)]),
                (
                    "lines",
                    list(object([("sku", sku), ("quantity", quantity), ("unitPrice", money)]), OrderLimits.lines)
                ),
                ("total", money), ("placedAt", ["type": "string", "format": "date-time"]),
            ],
            optional: [("previousStatus", one(of: OrderStatus.allCases)), ("reason", reason)]
        )
    }

    private static func payment(_ kind: PaymentEvent.Kind) -> JSONValue {
        object(
            [("orderID", uuid), ("paymentID", uuid), ("kind", ["const": .string(kind.rawValue)]), ("amount", money)],
            optional: [("reason", reason)]
        )
    }

    private static func reservation(_ kind: ReservationEvent.Kind) -> JSONValue {
        let items = list(object([("sku", sku), ("quantity", quantity)]), 0...OrderLimits.lines.upperBound)
        return object(
            [("orderID", uuid), ("kind", ["const": .string(kind.rawValue)]), ("items", items)],
            optional: [("reason", reason)]
        )
    }

    private static let stock = object([
        ("sku", sku), ("onHand", ["type": "integer", "minimum": 0]), ("change", ["type": "integer"]),
    ])

    // MARK: Parts

    private static let uuid: JSONValue = [
        "type": "string", "pattern": "^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$",
    ]
    private static let sku: JSONValue = ["type": "string", "pattern": "^[A-Z0-9][A-Z0-9-]{0,31}$"]
    private static let customer: JSONValue = ["type": "string", "pattern": "^[A-Za-z0-9._@-]{1,64}$"]
    private static let reason: JSONValue = ["type": "string", "minLength": 1]
    private static let quantity: JSONValue = [
        "type": "integer", "minimum": .integer(Int64(Quantity.range.lowerBound)),
        "maximum": .integer(Int64(Quantity.range.upperBound)),
    ]
    private static let money = object([
        ("minorUnits", ["type": "integer", "minimum": 0, "maximum": .integer(Money.maximumMinorUnits)]),
        ("currency", one(of: Currency.allCases)),
    ])

    private static func one<Choice: RawRepresentable>(of choices: [Choice]) -> JSONValue
    where Choice.RawValue == String {
        ["enum": .array(choices.map { .string($0.rawValue) })]
    }

    private static func list(_ items: JSONValue, _ count: ClosedRange<Int>) -> JSONValue {
        [
            "type": "array", "items": items, "minItems": .integer(Int64(count.lowerBound)),
            "maxItems": .integer(Int64(count.upperBound)),
        ]
    }

    private static func object(_ required: [(String, JSONValue)], optional: [(String, JSONValue)] = []) -> JSONValue {
        [
            "type": "object", "required": .array(required.map { .string($0.0) }),
            "properties": .object(JSONObject((required + optional).map { JSONMember($0.0, $0.1) })),
        ]
    }
}
