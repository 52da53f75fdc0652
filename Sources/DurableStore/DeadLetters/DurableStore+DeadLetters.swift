import GRDB
public import Messaging

/// A place in the list of dead letters.
public struct DeadLetterCursor: Sendable, Hashable {
    /// When the letter failed.
    public let failedAt: Timestamp
    /// The letter's id.
    public let id: String

    /// The place of a letter.
    public init(_ letter: DeadLetter) {
        failedAt = letter.failedAt
        id = letter.id
    }

    /// Reads ``text``; `nil` for anything else.
    public init?(_ text: String) {
        let parts = text.split(separator: ".", maxSplits: 1)
        guard parts.count == 2, let milliseconds = Int64(parts[0]), !parts[1].isEmpty, parts[1].utf8.count <= 128 else {
            return nil
        }
        failedAt = Timestamp(millisecondsSinceEpoch: milliseconds)
        id = String(parts[1])
    }

    /// The place as text for URLs.
    public var text: String { "\(failedAt.millisecondsSinceEpoch).\(id)" }
}

/// How many dead letters have one cause.
public struct DeadLetterCount: Sendable, Hashable {
    /// The inbox or consumer.
    public let consumer: String
    /// The failure's code.
    public let code: String
    /// The message's type; `nil` for messages that could not be read.
    public let type: String?
    /// What was decided about them.
    public let state: DeadLetter.State
    /// How many there are.
    public let count: Int
    /// When the oldest failed.
    public let oldest: Timestamp
    /// When the newest failed.
    public let newest: Timestamp
}

extension DurableStore {
    /// Dead letters, newest first.
    ///
    /// - Parameters:
    ///   - limit: the most letters, 1…1,000.
    ///   - cursor: list letters after this one of the former page.
    public func deadLetters(
        _ filter: DeadLetterFilter = DeadLetterFilter(),
        limit: Int = 100,
        after cursor: DeadLetterCursor? = nil
    ) async throws -> [DeadLetter] {
        try await read { db in
            var (condition, arguments) = filter.condition
            if let cursor {
                condition += " AND (failed_at, id) < (?, ?)"
                arguments += [cursor.failedAt.millisecondsSinceEpoch, cursor.id]
            }
            return try Row.fetchAll(
                db,
                sql: """
                    SELECT \(DeadLetter.columns) FROM dead_letters WHERE \(condition)
                    ORDER BY failed_at DESC, id DESC LIMIT ?
                    """,
                arguments: arguments + [min(max(limit, 1), 1000)]
            ).map(DeadLetter.init)
        }
    }

    /// How many dead letters fit a filter.
    ///
    /// - Parameter decidedBefore: only letters that came into their state before this time.
    public func deadLetterCount(_ filter: DeadLetterFilter, decidedBefore: Timestamp? = nil) async throws -> Int {
        try await read { db in
            let condition = filter.condition
            return try Int.fetchOne(
                db,
                sql: "SELECT count(*) FROM dead_letters WHERE \(condition.sql) AND state_changed_at < ?",
                arguments: condition.arguments
                    + [(decidedBefore ?? Timestamp(millisecondsSinceEpoch: .max)).millisecondsSinceEpoch]
            ) ?? 0
        }
    }

    /// How many dead letters wait for a person. Cheap enough to be asked each second, however many there are and however
    /// large: an index alone answers.
    ///
    /// ``deadLetterCounts()`` reads the whole table: `state` stands behind headers and body, and SQLite has to walk through
    /// them in each letter.
    public func heldDeadLetterCount() async throws -> Int {
        try await read { db in
            try db.cachedStatement(sql: DeadLetterTable.heldCount).first { try $0[0] as Int } ?? 0
        }
    }

    /// One dead letter.
    public func deadLetter(_ id: String) async throws -> DeadLetter? {
        try await read { try DeadLetterTable.find(id, in: $0) }
    }

    /// How many dead letters there are, by cause, largest first. Reads the whole table.
    public func deadLetterCounts() async throws -> [DeadLetterCount] {
        try await read { db in
            try Row.fetchAll(
                db,
                sql: """
                    SELECT consumer, code, type, state, count(*), min(failed_at), max(failed_at) FROM dead_letters
                    GROUP BY consumer, code, type, state ORDER BY count(*) DESC, consumer, code, type, state
                    """
            ).map { row in
                DeadLetterCount(
                    consumer: row[0],
                    code: row[1],
                    type: row[2],
                    state: DeadLetter.State(rawValue: row[3]) ?? .held,
                    count: row[4],
                    oldest: Timestamp(millisecondsSinceEpoch: row[5]),
                    newest: Timestamp(millisecondsSinceEpoch: row[6])
                )
            }
        }
    }

    /// Sends a held dead letter back to the inbox in which it failed; see ``DeadLetterDesk/requeue(_:_:)``.
    ///
    /// - Returns: whether it was held and was sent.
    public func requeueDeadLetter(_ id: String, reason: String? = nil) async throws -> Bool {
        try await DeadLetterDesk(store: self).requeue(id, DeadLetterActor("operator", reason: reason)).kind == .sent
    }

    /// Gives a held dead letter up.
    ///
    /// - Returns: whether it was held.
    public func discardDeadLetter(_ id: String, reason: String) async throws -> Bool {
        try await DeadLetterDesk(store: self).discard(id, DeadLetterActor("operator", reason: reason)).kind == .done
    }

    /// Takes a discarded dead letter back.
    ///
    /// - Returns: whether it was discarded.
    public func restoreDeadLetter(_ id: String, reason: String? = nil) async throws -> Bool {
        try await DeadLetterDesk(store: self).restore(id, DeadLetterActor("operator", reason: reason)).kind == .done
    }
}

extension DeadLetterTable {
    static let heldCount = "SELECT count(*) FROM dead_letters INDEXED BY dead_letters_state WHERE state = 'held'"
}
