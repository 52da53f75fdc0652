import Commerce
import DurableStore
import GRDB
import Messaging
import OrderCore

/// A change of status as it was recorded.
struct HistoryEntry: Sendable, Hashable {
    let version: Int64
    let from: String?
    let to: String
    let reason: String?
    let eventID: String
    let at: Timestamp
}

/// The changes of status of every order. Append-only.
enum OrderHistory {
    static func append(
        _ transition: OrderTransition,
        of id: OrderID,
        version: Int64,
        eventID: String,
        at now: Timestamp,
        in db: Database
    ) throws {
        try db.cachedStatement(
            sql: """
                INSERT INTO order_history(order_id, version, from_status, to_status, reason, event_id, at)
                VALUES (?, ?, ?, ?, ?, ?, ?)
                """
        ).run([
            id.text, version, transition.from?.rawValue, transition.to.rawValue, transition.reason?.text, eventID,
            now.millisecondsSinceEpoch,
        ])
    }

    /// The changes after a version, in order. There are never more than a dozen.
    static func entries(of id: OrderID, after version: Int64, in db: Database) throws -> [HistoryEntry] {
        try db.cachedStatement(
            sql: """
                SELECT version, from_status, to_status, reason, event_id, at FROM order_history
                WHERE order_id = ? AND version > ? ORDER BY version
                """
        ).all([id.text, version]) { row in
            try HistoryEntry(
                version: row[0],
                from: row[1],
                to: row[2],
                reason: row[3],
                eventID: row[4],
                at: Timestamp(millisecondsSinceEpoch: row[5])
            )
        }
    }
}
