import DurableStore
import Foundation
import GRDB
import Messaging

/// Headers of a delivery's dead letter that say which delivery it was.
public enum WebhookDeliveryHeaders {
    /// The delivery's id.
    public static let delivery = "x-waybill-delivery"
    /// The endpoint's id.
    public static let endpoint = "x-waybill-endpoint"
}

/// Writes deliveries that were given up into the one table of dead letters of the store.
struct WebhookDeadLetters {
    let db: Database

    /// The id of a delivery's dead letter: 32 hexadecimal digits, always the same.
    static func id(of delivery: Delivery) -> String { delivery.id.filter { $0 != "-" } }

    func hold(
        _ delivery: Delivery,
        message: StoredWebhook,
        content: WebhookContent,
        endpoint: WebhookEndpoint,
        code: String,
        error: String,
        attempts: Int,
        at now: Timestamp
    ) throws {
        var headers = [(name: "webhook-id", value: message.id)] + content.headers
        headers.append((WebhookDeliveryHeaders.delivery, delivery.id))
        headers.append((WebhookDeliveryHeaders.endpoint, endpoint.id))
        try db.cachedStatement(
            sql: """
                INSERT INTO dead_letters (id, transport, consumer, source, message_id, type, subject, correlation_id, traceparent,
                    failure_class, code, error, attempts, first_failed_at, failed_at, headers, body, state, state_changed_at,
                    recorded_at)
                VALUES (?, 'http', ?, ?, ?, ?, ?, NULL, ?, 'retryable', ?, ?, ?, ?, ?, ?, ?, 'held', ?, ?)
                ON CONFLICT (id) DO UPDATE SET state = 'held', state_changed_at = excluded.state_changed_at, state_reason = NULL,
                    code = excluded.code, error = excluded.error, attempts = excluded.attempts, failed_at = excluded.failed_at
                """
        ).run([
            Self.id(of: delivery), "webhook:" + endpoint.id, endpoint.settings.url, message.id, message.type,
            message.subject,
            message.traceparent, code, error, attempts, (delivery.firstFailedAt ?? now).millisecondsSinceEpoch,
            now.millisecondsSinceEpoch, Blob(Array(AttemptTable.text(headers).utf8)),
            Blob(content.body),
            now.millisecondsSinceEpoch,
            now.millisecondsSinceEpoch,
        ])
    }

    /// Notes that a held letter's delivery is on its way again.
    func requeued(_ delivery: Delivery, reason: String, at now: Timestamp) throws {
        try db.cachedStatement(
            sql: """
                UPDATE dead_letters SET state = 'requeued', state_changed_at = ?, state_reason = ?, requeues = requeues + 1
                WHERE id = ? AND state = 'held'
                """
        ).run([now.millisecondsSinceEpoch, reason, Self.id(of: delivery)])
    }

    /// Whether a delivery was ever given up.
    func hasLetter(_ delivery: Delivery) throws -> Bool {
        try Bool.fetchOne(
            db.cachedStatement(sql: "SELECT EXISTS (SELECT 1 FROM dead_letters WHERE id = ?)"),
            arguments: [Self.id(of: delivery)]
        ) ?? false
    }
}
