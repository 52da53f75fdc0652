import DurableStore
import GRDB
import Messaging

/// Reads and writes `callbacks`: which of the gateway's callbacks were taken.
enum CallbackTable {
    /// How long a callback is remembered, in milliseconds. Far longer than a signature stays valid.
    static let retention: Int64 = 24 * 3600 * 1000
    /// The most rows that one cleaning removes.
    static let cleaningBatch = 500

    static func isKnown(_ webhookID: String, in db: Database) throws -> Bool {
        try db.cachedStatement(sql: "SELECT 1 FROM callbacks WHERE webhook_id = ?").first([webhookID]) { _ in } != nil
    }

    static func insert(
        _ webhookID: String,
        _ document: GatewayDocument,
        _ outcome: GatewayCallbacks.Outcome,
        at now: Timestamp,
        in db: Database
    ) throws {
        try db.cachedStatement(
            sql:
                "INSERT INTO callbacks (webhook_id, key, operation, result, outcome, received_at) VALUES (?, ?, ?, ?, ?, ?)"
        ).run([
            webhookID, document.key, document.operation, document.result, outcome.rawValue, now.millisecondsSinceEpoch,
        ])
    }

    static func clean(at now: Timestamp, in db: Database) throws {
        try db.cachedStatement(
            sql: """
                DELETE FROM callbacks WHERE webhook_id IN
                    (SELECT webhook_id FROM callbacks WHERE received_at < ? ORDER BY received_at LIMIT \(cleaningBatch))
                """
        ).run([now.advanced(byMilliseconds: -retention).millisecondsSinceEpoch])
    }
}
