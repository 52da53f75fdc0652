import GRDB
public import Messaging

/// Who acts on dead letters, and why.
public struct DeadLetterActor: Sendable, Hashable {
    /// The operator's name, 1…128 bytes.
    public let name: String
    /// Why, in the operator's words; at most 1 KiB.
    public let reason: String?

    /// Names an operator; what is too long is cut.
    public init(_ name: String, reason: String? = nil) {
        self.name = name.isEmpty ? "operator" : name.capped(atUTF8: 128)
        self.reason = reason?.capped(atUTF8: 1024)
    }
}

/// One act on a dead letter, as the journal keeps it. The journal can only grow: a trigger refuses every change of a row.
public struct DeadLetterAct: Sendable, Hashable, Identifiable {
    /// What was done.
    public enum Verb: String, Sendable, CaseIterable {
        case requeue, edit, discard, restore, purge
        case startJob = "start-job"
        case cancelJob = "cancel-job"
        /// The job ended itself because too many letters failed again.
        case stopJob = "stop-job"
        case finishJob = "finish-job"
    }

    /// Position in the journal.
    public let id: Int64
    /// The letter; `nil` for acts on many.
    public let letterID: String?
    /// The job that did it, or that it was done to.
    public let jobID: String?
    /// What was done.
    public let verb: Verb
    /// Who did it.
    public let actor: String
    /// Why, in the operator's words.
    public let reason: String?
    /// What came of it: a ``DeadLetterResult/Kind``, or a number of letters.
    public let outcome: String
    /// What else there is to say.
    public let detail: String?
    /// When.
    public let at: Timestamp

    init(_ row: Row) {
        id = row[0]
        letterID = row[1]
        jobID = row[2]
        verb = Verb(rawValue: row[3]) ?? .requeue
        actor = row[4]
        reason = row[5]
        outcome = row[6]
        detail = row[7]
        at = Timestamp(millisecondsSinceEpoch: row[8])
    }
}

/// Every statement on the table `dead_letter_acts`.
enum DeadLetterActTable {
    static func add(
        _ verb: DeadLetterAct.Verb,
        letter: String? = nil,
        job: String? = nil,
        by actor: DeadLetterActor,
        outcome: String,
        detail: String? = nil,
        at now: Timestamp,
        in db: Database
    ) throws {
        try db.cachedStatement(
            sql: """
                INSERT INTO dead_letter_acts(letter_id, job_id, verb, actor, reason, outcome, detail, at)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?)
                """
        ).run([
            letter, job, verb.rawValue, actor.name, actor.reason, outcome, detail?.capped(atUTF8: 1024),
            now.millisecondsSinceEpoch,
        ])
    }
}

extension DurableStore {
    /// The journal of acts, newest first.
    ///
    /// - Parameters:
    ///   - letter: only acts on this letter.
    ///   - job: only acts of and on this job.
    ///   - before: only acts older than this one, for the next page.
    ///   - limit: the most acts, 1…1,000.
    public func deadLetterActs(
        letter: String? = nil,
        job: String? = nil,
        before: Int64? = nil,
        limit: Int = 100
    ) async throws -> [DeadLetterAct] {
        try await read { db in
            var conditions = ["seq < ?"]
            var arguments: StatementArguments = [before ?? .max]
            if let letter {
                conditions.append("letter_id = ?")
                arguments += [letter]
            }
            if let job {
                conditions.append("job_id = ?")
                arguments += [job]
            }
            return try Row.fetchAll(
                db,
                sql: """
                    SELECT seq, letter_id, job_id, verb, actor, reason, outcome, detail, at FROM dead_letter_acts
                    WHERE \(conditions.joined(separator: " AND ")) ORDER BY seq DESC LIMIT ?
                    """,
                arguments: arguments + [min(max(limit, 1), 1000)]
            ).map(DeadLetterAct.init)
        }
    }
}
