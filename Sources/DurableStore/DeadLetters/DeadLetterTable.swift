import Foundation
import GRDB
import Messaging

/// Every statement on the table `dead_letters`.
enum DeadLetterTable {
    /// Writes a record unless one with its id is there.
    ///
    /// - Returns: whether it was new.
    @discardableResult
    static func insert(_ letter: DeadLetter, in db: Database) throws -> Bool {
        try db.cachedStatement(
            sql: """
                INSERT INTO dead_letters(\(DeadLetter.columns))
                VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT(id) DO NOTHING
                """
        ).execute(arguments: [
            letter.id, letter.transport, letter.consumer, letter.source, letter.messageID, letter.type, letter.subject,
            letter.correlationID, letter.traceparent, letter.failureClass, letter.code, letter.error, letter.attempts,
            letter.firstFailedAt.millisecondsSinceEpoch, letter.failedAt.millisecondsSinceEpoch,
            Data(HeaderText.encode(letter.headers)), Data(letter.body), letter.xDeath, letter.state.rawValue,
            letter.stateChangedAt.millisecondsSinceEpoch, letter.stateReason, letter.requeues, letter.previousID,
            letter.recordedAt.millisecondsSinceEpoch,
        ])
        return db.changesCount > 0
    }

    static func find(_ id: String, in db: Database) throws -> DeadLetter? {
        try Row.fetchOne(
            db.cachedStatement(sql: "SELECT \(DeadLetter.columns) FROM dead_letters WHERE id = ?"),
            arguments: [id]
        ).map(DeadLetter.init)
    }

    /// - Returns: whether the letter was in one of the states `from`.
    static func move(
        _ id: String,
        from: [DeadLetter.State],
        to state: DeadLetter.State,
        reason: String?,
        at now: Timestamp,
        in db: Database
    ) throws -> Bool {
        for old in from {
            try db.cachedStatement(
                sql: """
                    UPDATE dead_letters SET state = ?, state_changed_at = ?, state_reason = ?,
                        requeues = requeues + (? = 'requeued')
                    WHERE id = ? AND state = ?
                    """
            ).execute(arguments: [
                state.rawValue, now.millisecondsSinceEpoch, reason?.capped(atUTF8: 1024), state.rawValue, id,
                old.rawValue,
            ])
            if db.changesCount > 0 { return true }
        }
        return false
    }
}
