import Foundation
import GRDB
import StrictJSON
import Webhooks

/// The sender's tables.
enum WebhookQueries {
    /// Endpoints to which everything that is due goes at once.
    static let isReady = "state = 'enabled' AND failing_since IS NULL AND hold_until IS NULL"

    static func read(_ db: Database) throws -> WebhookEvidence {
        var evidence = WebhookEvidence(
            deliveries: try db.rows("SELECT seq, message_id, endpoint_id, state, attempts FROM webhook_deliveries") {
                .init(number: $0[0], event: $0[1], endpoint: $0[2], state: $0[3], attempts: $0[4])
            },
            attempts: try db.rows(
                """
                SELECT delivery_seq, number, attempt_trigger, state, started_at, next_attempt_at FROM webhook_attempts
                ORDER BY delivery_seq, number
                """
            ) {
                .init(
                    delivery: $0[0],
                    number: $0[1],
                    trigger: $0[2],
                    state: $0[3],
                    startedAt: $0[4],
                    nextAt: $0[5]
                )
            },
            // Numbers are never used again, and only the retention deletes.
            isPruned: try Bool.fetchOne(
                db,
                sql: """
                    SELECT count(*) < coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'webhook_deliveries'), 0)
                    FROM webhook_deliveries
                    """
            ) ?? false
        )
        evidence.endpoints = try endpoints(db)
        evidence.events = try events(
            db,
            channels: evidence.endpoints.contains { !$0.settings.channels.isEmpty },
            wholeSince: evidence.endpoints.filter { $0.settings.filter != nil }.map(\.unchangedSince).min() ?? .max
        )
        evidence.ready = try String.fetchSet(db, sql: "SELECT id FROM webhook_endpoints WHERE \(isReady)")
        return evidence
    }

    private static func endpoints(_ db: Database) throws -> [WebhookEvidence.Endpoint] {
        try db.rows(
            """
            SELECT id, coalesce((SELECT at FROM webhook_endpoint_journal WHERE endpoint_id = webhook_endpoints.id
                    AND action IN ('created', 'updated') ORDER BY version DESC LIMIT 1), updated_at),
                event_types, channels, content_filter
            FROM webhook_endpoints WHERE state <> 'deleted' ORDER BY id
            """
        ) { row in
            var endpoint = WebhookEvidence.Endpoint(id: row[0], unchangedSince: row[1])
            let filter = (row[4] as String?).map { json($0).flatMap { try? ContentFilter($0) } }
            guard let types = strings(row[2]), let channels = strings(row[3]), filter != .some(nil) else {
                throw EvidenceFault("What endpoint \(endpoint.id) wants cannot be read.")
            }
            endpoint.settings.eventTypes = types
            endpoint.settings.channels = channels
            endpoint.settings.filter = filter ?? nil
            return endpoint
        }
    }

    /// - Parameters:
    ///   - channels: with their channels.
    ///   - wholeSince: with what is in those that were recorded later, beside those that tell of an endpoint.
    private static func events(
        _ db: Database,
        channels: Bool,
        wholeSince: Int64
    ) throws -> [String: WebhookEvidence.Event] {
        let rows = try db.rows(
            """
            SELECT id, type, CASE WHEN \(channels) THEN channels ELSE '[]' END, is_test, created_at,
                CASE WHEN (created_at > \(wholeSince) OR type LIKE 'webhook.%') AND erased_at IS NULL THEN body END
            FROM webhook_messages
            """
        ) { row -> (String, WebhookEvidence.Event) in
            guard let names = channels ? strings(row[2]) : [] else {
                throw EvidenceFault("The channels of event \(row[0] as String) cannot be read.")
            }
            return (
                row[0],
                WebhookEvidence.Event(
                    type: row[1],
                    channels: names,
                    isTest: row[3],
                    recordedAt: row[4],
                    body: (row[5] as Data?).map(Array.init)
                )
            )
        }
        return Dictionary(rows) { first, _ in first }
    }

    private static func json(_ text: String) -> JSONValue? { try? StrictJSON.parse(Array(text.utf8)) }

    private static func strings(_ text: String) -> [String]? {
        guard let array = json(text)?.arrayValue else { return nil }
        let strings = array.compactMap(\.stringValue)
        return strings.count == array.count ? strings : nil
    }
}
