import DurableStore
import Messaging
public import StrictJSON

/// The sender's own events: what became of endpoints and deliveries, for whoever asks for them by name.
///
/// They are sent and signed like all others, to endpoints with a pattern that begins with `webhook.`; an endpoint without patterns
/// does not get them. Nothing that happens to one of them makes another, and no endpoint is told about itself.
public struct OperationalEvents: Sendable {
    /// Every type.
    public static let types = [
        "webhook.endpoint.created.v1", "webhook.endpoint.updated.v1", "webhook.endpoint.deleted.v1",
        "webhook.endpoint.disabled.v1",
        "webhook.message.failing.v1", "webhook.message.exhausted.v1", "webhook.message.recovered.v1",
    ]

    /// A delivery is `failing` from this failure on.
    static let failingAfter = 4

    private let source: String

    init(source: String) { self.source = source }

    /// Whether a type, or a pattern, means the sender's own events.
    public static func isType(_ text: String) -> Bool { text.hasPrefix("webhook.") }

    /// The endpoint that such an event is about, which is not told of it; `nil` when the document does not say, because it was erased.
    public static func endpoint(of document: JSONValue?) -> String? { document?["data"]?["endpointId"]?.stringValue }

    /// Tells of a change of an endpoint that was journalled.
    func journalled(_ endpoint: WebhookEndpoint, _ action: String, actor: String, in tx: Transaction) throws {
        let kind = ["created", "deleted", "disabled"].contains(action) ? action : "updated"
        let data: JSONObject = [
            "endpointId": .string(endpoint.id), "uid": endpoint.settings.uid.map(JSONValue.string) ?? .null,
            "action": .string(action), "actor": .string(actor), "state": .string(endpoint.state.name),
            "reason": endpoint.state.reason.map { .string($0.rawValue) } ?? .null,
            "version": .integer(endpoint.version),
        ]
        try publish("webhook.endpoint.\(kind).v1", subject: endpoint.id, endpoint.version, data, about: endpoint.id, tx)
    }

    /// Tells of a delivery that fails, was given up, or came through after all.
    func settled(_ delivery: Delivery, _ settlement: DeliveryTable.Settlement, in tx: Transaction) throws {
        guard !Self.isType(delivery.type), delivery.trigger != .test,
            let kind = try Self.kind(delivery, settlement, in: tx)
        else { return }
        let data: JSONObject = [
            "deliveryId": .string(delivery.id), "endpointId": .string(delivery.endpointID),
            "webhookId": .string(delivery.messageID), "type": .string(delivery.type),
            "subject": .string(delivery.subject), "attempts": .integer(Int64(delivery.attempts)),
            "lastStatus": settlement.status.map { .integer(Int64($0)) } ?? .null,
            "lastCode": settlement.code.map(JSONValue.string) ?? .null,
            "reason": settlement.reason.map(JSONValue.string) ?? .null,
        ]
        try publish("webhook.message.\(kind).v1", subject: delivery.id, nil, data, about: delivery.endpointID, tx)
    }

    private static func kind(
        _ delivery: Delivery,
        _ settlement: DeliveryTable.Settlement,
        in tx: Transaction
    ) throws -> String? {
        switch settlement.state {
        // A resend that fails leads back to where the delivery was: that is nothing new.
        case .pending: delivery.resume == nil && settlement.failures == failingAfter ? "failing" : nil
        case .exhausted, .parked: delivery.resume == nil ? "exhausted" : nil
        case .delivered:
            if delivery.firstFailedAt == nil || delivery.resume?.state == .delivered {
                nil
            } else if try delivery.failures >= failingAfter || WebhookDeadLetters(db: tx.db).hasLetter(delivery) {
                "recovered"
            } else {
                nil
            }
        default: nil
        }
    }

    private func publish(
        _ type: String,
        subject: String,
        _ sequence: Int64?,
        _ data: JSONObject,
        about endpoint: String,
        _ tx: Transaction
    ) throws {
        let event = WebhookEvent(
            id: tx.newID(),
            source: source,
            type: type,
            subject: subject,
            time: tx.now,
            sequence: sequence,
            data: .object(data)
        )
        // Whoever changes an endpoint or settles an attempt wakes the dispatcher.
        try WebhookFanout {}.publish(event, excluding: endpoint, in: tx)
    }
}
