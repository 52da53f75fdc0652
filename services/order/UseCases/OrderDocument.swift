import Commerce
import Messaging
import OrderCore
import StrictJSON

/// How an order is shown to clients. The card is not part of it.
enum OrderDocument {
    /// The whole order.
    static func value(_ order: Order) -> JSONValue {
        let path = "/v1/orders/" + order.id.text
        var members: [JSONMember] = [
            JSONMember("id", .string(order.id.text)),
            JSONMember("status", .string(order.state.status.rawValue)),
            JSONMember("customer", .string(order.customer.text)),
            JSONMember("lines", .array(order.lines.map(line))),
            JSONMember("total", money(order.total)),
            JSONMember("placedAt", .string(order.placedAt.description)),
            JSONMember("updatedAt", .string(order.updatedAt.description)),
            JSONMember("version", .integer(order.version)),
            JSONMember(
                "links",
                .object(
                    JSONObject([
                        JSONMember("self", .string(path)), JSONMember("cancel", .string(path + "/cancel")),
                        JSONMember("events", .string(path + "/events")),
                        JSONMember("timeline", .string(path + "/timeline")),
                    ])
                )
            ),
        ]
        if let reason = order.state.reason { members.append(JSONMember("reason", .string(reason.text))) }
        return .object(JSONObject(members))
    }

    /// A change of status.
    static func value(_ entry: HistoryEntry) -> JSONValue {
        .object(
            JSONObject(
                [
                    JSONMember("version", .integer(entry.version)),
                    entry.from.map { JSONMember("from", .string($0)) },
                    JSONMember("to", .string(entry.to)),
                    entry.reason.map { JSONMember("reason", .string($0)) },
                    JSONMember("eventId", .string(entry.eventID)),
                    JSONMember("at", .string(entry.at.description)),
                ].compactMap { $0 }
            )
        )
    }

    /// Something that happened.
    static func value(_ entry: JournalEntry) -> JSONValue {
        .object(
            JSONObject(
                [
                    JSONMember("number", .integer(entry.number)),
                    JSONMember("input", .string(entry.input)),
                    JSONMember("disposition", .string(entry.disposition)),
                    entry.messageID.map { JSONMember("messageId", .string($0)) },
                    JSONMember(
                        "sent",
                        .array(
                            entry.sent.map {
                                .object(
                                    JSONObject([
                                        JSONMember("command", .string($0.name)),
                                        JSONMember("messageId", .string($0.id)),
                                    ])
                                )
                            }
                        )
                    ),
                    JSONMember("at", .string(entry.at.description)),
                ].compactMap { $0 }
            )
        )
    }

    private static func line(_ line: OrderLine) -> JSONValue {
        .object(
            JSONObject([
                JSONMember("sku", .string(line.sku.text)),
                JSONMember("quantity", .integer(Int64(line.quantity.count))),
                JSONMember("unitPrice", money(line.unitPrice)),
            ])
        )
    }

    private static func money(_ money: Money) -> JSONValue {
        .object(
            JSONObject([
                JSONMember("minorUnits", .integer(money.minorUnits)),
                JSONMember("currency", .string(money.currency.rawValue)),
            ])
        )
    }
}
