import HTTPKit
import Messaging
import NotificationCore
import StrictJSON
import Webhooks

/// What is published of each event type: its JSON Schema, and an example that fits it.
///
/// The same documents stand in `docs/contracts/webhook-events.json`; a test compares them.
enum EventTypeDocuments {
    /// Every type, also the sender's own.
    static let types = EventCatalog.types + OperationalEvents.types

    /// The document of a type; `nil` for an unknown one.
    static func document(of type: String) throws -> JSONValue? {
        guard let (data, summary) = schema(of: type) else { return nil }
        return [
            "type": .string(type), "schema": WebhookEvent.schema(ofType: type, summary: summary, data: data),
            "example": try example(of: type).map { try StrictJSON.parse($0.body()) } ?? .null,
        ]
    }

    /// An event as it might be; `nil` for an unknown type.
    static func example(of type: String) throws -> WebhookEvent? {
        guard let data = try data(of: type) else { return nil }
        let isOwn = OperationalEvents.isType(type)
        return WebhookEvent(
            id: "019a2f0c-0000-7000-8000-000000000001",
            source: isOwn ? NotificationService.source : source(of: type),
            type: type,
            subject: isOwn ? data["deliveryId"]?.stringValue ?? ExampleEvents.endpoint : ExampleEvents.subject,
            time: Timestamp("2026-01-02T03:04:05.678Z") ?? Timestamp(millisecondsSinceEpoch: 0),
            sequence: isOwn && data["version"] == nil ? nil : 1,
            data: data
        )
    }

    /// The data of an event that a person wants to see, from the example of its type.
    ///
    /// - Parameter overrides: what is to stand at which place instead of the example's.
    /// - Throws: a problem that names each place which is not there, or does not fit the type's schema.
    static func data(ofType type: String, overrides: JSONObject) throws -> JSONValue {
        guard let schema = try schema(of: type).map({ try JSONSchema($0.schema) }), var data = try data(of: type) else {
            throw Problem.unprocessable("unknown-event-type", "There is no event type \(type).")
        }
        var faults: [JSONSchema.Fault] = []
        for member in overrides.members {
            if let changed = EventOverrides.setting(member.key, to: member.value, in: data) {
                data = changed
            } else {
                faults.append(.init(path: member.key, sentence: "There is no such place in the example."))
            }
        }
        faults += schema.faults(of: data)
        guard faults.isEmpty else {
            throw Problem.unprocessable(
                "data-invalid",
                "The data does not fit the schema of \(type).",
                fields: faults.map { Problem.Field(path: "data." + $0.path, code: "data-invalid", detail: $0.sentence) }
            )
        }
        return data
    }

    private static func schema(of type: String) -> (schema: JSONValue, summary: String)? {
        EventSchemas.data(of: type)
            ?? OperationalEvents.dataSchema(of: type).map {
                (schema: $0, summary: "Something happened to an endpoint or a delivery.")
            }
    }

    private static func data(of type: String) throws -> JSONValue? {
        if let bytes = try ExampleEvents.data(of: type) { return try StrictJSON.parse(bytes) }
        return ExampleEvents.operational(type)
    }

    private static func source(of type: String) -> String {
        type.hasPrefix("waybill.payment.")
            ? "/waybill/payment" : type.hasPrefix("waybill.stock.") ? "/waybill/inventory" : "/waybill/order"
    }
}
