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
                VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT(id) DO NOTHING
                """
        ).run([
            letter.id, letter.transport, letter.consumer, letter.source, letter.messageID, letter.type, letter.subject,
            letter.correlationID, letter.traceparent, letter.failureClass, letter.code, letter.error, letter.attempts,
            letter.firstFailedAt.millisecondsSinceEpoch, letter.failedAt.millisecondsSinceEpoch,
            Blob(HeaderText.encode(letter.headers)), Blob(letter.body), letter.xDeath, letter.state.rawValue,
            letter.stateChangedAt.millisecondsSinceEpoch, letter.stateReason, letter.requeues, letter.previousID,
            letter.editedFrom, letter.recordedAt.millisecondsSinceEpoch,
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
            ).run([
                state.rawValue, now.millisecondsSinceEpoch, reason?.capped(atUTF8: 1024), state.rawValue, id,
                old.rawValue,
            ])
            if db.changesCount > 0 { return true }
        }
        return false
    }

    /// Notes that a held letter was tried again and failed again.
    static func recordFailure(_ id: String, _ failure: Failure, at now: Timestamp, in db: Database) throws {
        try db.cachedStatement(
            sql: """
                UPDATE dead_letters SET failure_class = ?, code = ?, error = ?, attempts = attempts + 1, failed_at = ?
                WHERE id = ? AND state = 'held'
                """
        ).run([
            failure.failureClass.rawValue, failure.code.capped(atUTF8: 256),
            failure.description.capped(atUTF8: DeadLetterHeaders.maximumErrorBytes), now.millisecondsSinceEpoch, id,
        ])
    }

    /// Whether another version of a letter, made by editing, is not discarded. Only one version may ever be sent.
    static func hasLiveVersion(of id: String, in db: Database) throws -> Bool {
        try Bool.fetchOne(
            db,
            sql: """
                WITH RECURSIVE
                up(id) AS (SELECT ?1 UNION SELECT edited_from FROM dead_letters JOIN up USING (id)
                    WHERE edited_from IS NOT NULL),
                family(id) AS (SELECT id FROM up UNION SELECT child.id FROM dead_letters child
                    JOIN family ON child.edited_from = family.id)
                SELECT EXISTS (SELECT 1 FROM family JOIN dead_letters USING (id) WHERE id <> ?1 AND state <> 'discarded')
                """,
            arguments: [id]
        ) ?? false
    }

    /// Deletes letters that were decided upon. A version made by editing goes after the letter it was made from, so that
    /// an older version cannot be restored once a newer one is forgotten.
    ///
    /// - Returns: how many were deleted, at most `limit`.
    static func purge(
        _ filter: DeadLetterFilter,
        decidedBefore: Timestamp?,
        limit: Int,
        in db: Database
    ) throws -> Int {
        let condition = filter.condition
        try db.execute(
            sql: """
                DELETE FROM dead_letters WHERE id IN (SELECT id FROM dead_letters AS letter
                    WHERE state <> 'held' AND state_changed_at < ? AND \(condition.sql)
                    AND NOT EXISTS (SELECT 1 FROM dead_letters parent WHERE parent.id = letter.edited_from)
                    ORDER BY state_changed_at LIMIT ?)
                """,
            arguments: [(decidedBefore ?? Timestamp(millisecondsSinceEpoch: .max)).millisecondsSinceEpoch]
                + condition.arguments + [limit]
        )
        return db.changesCount
    }
}
