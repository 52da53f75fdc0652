import GRDB
import Messaging

/// Every statement on the table `deadlines`.
enum DeadlineTable {
    struct Due: Sendable, Hashable {
        let name: String
        let subject: String
        let dueAt: Timestamp
        let failures: Int
    }

    static func set(_ name: String, subject: String, at time: Timestamp, in db: Database) throws {
        let due = time.millisecondsSinceEpoch
        let statement = try db.cachedStatement(
            sql: """
                INSERT INTO deadlines(name, subject, due_at, retry_at) VALUES (?, ?, ?, ?)
                ON CONFLICT(name, subject) DO UPDATE
                SET due_at = excluded.due_at, retry_at = excluded.retry_at, failures = 0, last_error = NULL
                """
        )
        try statement.run([name, subject, due, due])
    }

    static func clear(_ name: String, subject: String, in db: Database) throws {
        let statement = try db.cachedStatement(sql: "DELETE FROM deadlines WHERE name = ? AND subject = ?")
        try statement.run([name, subject])
    }

    static func due(at now: Timestamp, limit: Int, in db: Database) throws -> [Due] {
        try db.cachedStatement(
            sql: "SELECT name, subject, due_at, failures FROM deadlines WHERE retry_at <= ? ORDER BY retry_at LIMIT ?"
        ).all([now.millisecondsSinceEpoch, limit]) { row in
            try Due(name: row[0], subject: row[1], dueAt: Timestamp(millisecondsSinceEpoch: row[2]), failures: row[3])
        }
    }

    static func overdue(at time: Timestamp, limit: Int, in db: Database) throws -> [OverdueDeadline] {
        try Row.fetchAll(
            db,
            sql: """
                SELECT name, subject, due_at, failures, retry_at, last_error FROM deadlines WHERE due_at <= ?
                ORDER BY due_at LIMIT ?
                """,
            arguments: [time.millisecondsSinceEpoch, limit]
        ).map { row in
            OverdueDeadline(
                name: row[0],
                subject: row[1],
                dueAt: Timestamp(millisecondsSinceEpoch: row[2]),
                failures: row[3],
                retryAt: Timestamp(millisecondsSinceEpoch: row[4]),
                lastError: row[5]
            )
        }
    }

    static func next(in db: Database) throws -> Timestamp? {
        try Int64.fetchOne(db.cachedStatement(sql: "SELECT min(retry_at) FROM deadlines"))
            .map(Timestamp.init(millisecondsSinceEpoch:))
    }

    /// Removes exactly the deadline that was seen, not one that was set again since.
    ///
    /// - Returns: whether it was still there.
    static func take(_ due: Due, in db: Database) throws -> Bool {
        let statement = try db.cachedStatement(
            sql: "DELETE FROM deadlines WHERE name = ? AND subject = ? AND due_at = ? AND failures = ?"
        )
        try statement.run([due.name, due.subject, due.dueAt.millisecondsSinceEpoch, due.failures])
        return db.changesCount > 0
    }

    static func postpone(_ due: Due, until time: Timestamp, error: String, in db: Database) throws {
        let statement = try db.cachedStatement(
            sql: """
                UPDATE deadlines SET failures = failures + 1, retry_at = ?, last_error = ?
                WHERE name = ? AND subject = ? AND due_at = ? AND failures = ?
                """
        )
        try statement.run([
            time.millisecondsSinceEpoch, error.capped(atUTF8: 8192), due.name, due.subject,
            due.dueAt.millisecondsSinceEpoch, due.failures,
        ])
    }
}
