import GRDB
import Messaging

/// Every statement on the tables `dead_letter_jobs` and `dead_letter_job_items`.
enum DeadLetterJobTable {
    static func insert(
        _ id: String,
        selection: String,
        _ actor: DeadLetterActor,
        _ pace: DeadLetterPace,
        at now: Timestamp,
        in db: Database
    ) throws {
        try db.execute(
            sql: """
                INSERT INTO dead_letter_jobs(id, selection, actor, reason, rate_per_minute, failure_percent, settle_ms,
                    state, total, started_at)
                VALUES (?, ?, ?, ?, ?, ?, ?, 'running', 0, ?)
                """,
            arguments: [
                id, selection.capped(atUTF8: 1024), actor.name, actor.reason, pace.ratePerMinute, pace.failurePercent,
                pace.settle.wholeMilliseconds, now.millisecondsSinceEpoch,
            ]
        )
    }

    /// Chooses the letters: those that fit now, the oldest failure first. Letters that come later are not part of it.
    ///
    /// - Returns: how many.
    static func choose(_ id: String, _ filter: DeadLetterFilter, limit: Int, in db: Database) throws -> Int {
        let condition = filter.condition
        try db.execute(
            sql: """
                INSERT INTO dead_letter_job_items(job_id, position, letter_id)
                SELECT ?, row_number() OVER (ORDER BY failed_at, id), id FROM dead_letters
                WHERE \(condition.sql) ORDER BY failed_at, id LIMIT ?
                """,
            arguments: [id] + condition.arguments + [limit]
        )
        let count = db.changesCount
        try db.execute(sql: "UPDATE dead_letter_jobs SET total = ? WHERE id = ?", arguments: [count, id])
        return count
    }

    static func find(_ id: String, in db: Database) throws -> DeadLetterJob? {
        try Row.fetchOne(
            db,
            sql: "SELECT \(DeadLetterJob.columns) FROM dead_letter_jobs WHERE id = ?",
            arguments: [id]
        ).map { DeadLetterJob($0, outcomes: try outcomes(id, in: db)) }
    }

    static func running(in db: Database) throws -> DeadLetterJob? {
        guard let id = try String.fetchOne(db, sql: "SELECT id FROM dead_letter_jobs WHERE state = 'running'") else {
            return nil
        }
        return try find(id, in: db)
    }

    static func isRunning(_ id: String, in db: Database) throws -> Bool {
        try Bool.fetchOne(
            db.cachedStatement(sql: "SELECT state = 'running' FROM dead_letter_jobs WHERE id = ?"),
            arguments: [id]
        ) ?? false
    }

    static func list(limit: Int, in db: Database) throws -> [DeadLetterJob] {
        try Row.fetchAll(
            db,
            sql: "SELECT \(DeadLetterJob.columns) FROM dead_letter_jobs ORDER BY started_at DESC, id DESC LIMIT ?",
            arguments: [limit]
        ).map { DeadLetterJob($0, outcomes: try outcomes($0[0], in: db)) }
    }

    static func outcomes(
        _ id: String,
        batch: Int? = nil,
        in db: Database
    ) throws -> [DeadLetterResult.Kind: Int] {
        let rows = try Row.fetchAll(
            db,
            sql: """
                SELECT outcome, count(*) FROM dead_letter_job_items
                WHERE job_id = ?1 AND outcome IS NOT NULL AND (?2 IS NULL OR batch = ?2) GROUP BY outcome
                """,
            arguments: [id, batch]
        )
        return Dictionary(
            rows.compactMap { row in DeadLetterResult.Kind(rawValue: row[0]).map { ($0, row[1] as Int) } },
            uniquingKeysWith: +
        )
    }

    /// The next letters that were not sent.
    static func waiting(_ id: String, limit: Int, in db: Database) throws -> [(position: Int, letter: String)] {
        try Row.fetchAll(
            db,
            sql: """
                SELECT position, letter_id FROM dead_letter_job_items
                WHERE job_id = ? AND outcome IS NULL ORDER BY position LIMIT ?
                """,
            arguments: [id, limit]
        ).map { ($0[0], $0[1]) }
    }

    static func record(
        _ id: String,
        position: Int,
        batch: Int,
        _ result: DeadLetterResult,
        at now: Timestamp,
        in db: Database
    ) throws {
        try db.cachedStatement(
            sql: """
                UPDATE dead_letter_job_items SET outcome = ?, code = ?, batch = ? WHERE job_id = ? AND position = ?
                """
        ).run([result.kind.rawValue, result.code, batch, id, position])
        try db.cachedStatement(sql: "UPDATE dead_letter_jobs SET last_sent_at = ? WHERE id = ?")
            .run([now.millisecondsSinceEpoch, id])
    }

    static func isWaiting(_ id: String, position: Int, in db: Database) throws -> Bool {
        try Bool.fetchOne(
            db.cachedStatement(
                sql: "SELECT outcome IS NULL FROM dead_letter_job_items WHERE job_id = ? AND position = ?"
            ),
            arguments: [id, position]
        ) ?? false
    }

    /// Looks what became of letters that were sent: failed again, or noted in the inbox.
    ///
    /// - Parameter names: the name under which a handler notes ids, by inbox; the inbox's own where there is none.
    static func settle(_ id: String, names: [String: String], in db: Database) throws {
        let sent = try Row.fetchAll(
            db,
            sql: """
                SELECT item.position, letter.id, letter.consumer, letter.message_id,
                    (SELECT again.code FROM dead_letters again WHERE again.previous_id = letter.id LIMIT 1)
                FROM dead_letter_job_items item JOIN dead_letters letter ON letter.id = item.letter_id
                WHERE item.job_id = ? AND item.outcome = 'sent' ORDER BY item.position LIMIT 1000
                """,
            arguments: [id]
        )
        for row in sent {
            var outcome: String?
            var code: String? = row[4]
            if code != nil {
                outcome = DeadLetterResult.Kind.failed.rawValue
            } else {
                let consumer: String = row[2]
                let note = try Row.fetchOne(
                    db.cachedStatement(sql: "SELECT outcome, code FROM inbox WHERE consumer = ? AND message_id = ?"),
                    arguments: [names[consumer] ?? consumer, row[3] as String?]
                )
                outcome = note?[0]
                code = note?[1]
            }
            guard let outcome else { continue }
            try db.cachedStatement(
                sql: "UPDATE dead_letter_job_items SET outcome = ?, code = ? WHERE job_id = ? AND position = ?"
            ).run([outcome, code, id, row[0] as Int])
        }
    }

    static func beginBatch(_ number: Int, of id: String, in db: Database) throws {
        try db.execute(sql: "UPDATE dead_letter_jobs SET batch = ? WHERE id = ?", arguments: [number, id])
    }

    /// - Returns: whether it was running.
    static func end(
        _ id: String,
        _ state: DeadLetterJob.State,
        detail: String?,
        at now: Timestamp,
        in db: Database
    ) throws -> Bool {
        try db.execute(
            sql: "UPDATE dead_letter_jobs SET state = ?, detail = ?, ended_at = ? WHERE id = ? AND state = 'running'",
            arguments: [state.rawValue, detail, now.millisecondsSinceEpoch, id]
        )
        return db.changesCount > 0
    }
}
