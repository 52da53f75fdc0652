import GRDB
public import Messaging

/// Which dead letters are meant. Every property that is set must fit.
public struct DeadLetterFilter: Sendable, Hashable {
    /// What was decided about it; `nil` for any.
    public var state: DeadLetter.State?
    /// The message's type.
    public var type: String?
    /// The failure's code.
    public var code: String?
    /// The message's subject.
    public var subject: String?
    /// The inbox or consumer in which it failed.
    public var consumer: String?
    /// Only letters that failed before this time.
    public var failedBefore: Timestamp?

    /// Makes a filter; see the properties.
    public init(
        state: DeadLetter.State? = .held,
        type: String? = nil,
        code: String? = nil,
        subject: String? = nil,
        consumer: String? = nil,
        failedBefore: Timestamp? = nil
    ) {
        self.state = state
        self.type = type
        self.code = code
        self.subject = subject
        self.consumer = consumer
        self.failedBefore = failedBefore
    }

    var condition: (sql: String, arguments: StatementArguments) {
        var parts = ["1"]
        var arguments = StatementArguments()
        func require(_ part: String, _ value: (any DatabaseValueConvertible)?) {
            guard let value else { return }
            parts.append(part)
            arguments += [value]
        }
        require("state = ?", state?.rawValue)
        require("type = ?", type)
        require("code = ?", code)
        require("subject = ?", subject)
        require("consumer = ?", consumer)
        require("failed_at < ?", failedBefore?.millisecondsSinceEpoch)
        return (parts.joined(separator: " AND "), arguments)
    }
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
    /// - Parameter limit: the most letters, 1…1,000.
    public func deadLetters(
        _ filter: DeadLetterFilter = DeadLetterFilter(),
        limit: Int = 100,
        offset: Int = 0
    ) async throws -> [DeadLetter] {
        try await read { db in
            let condition = filter.condition
            return try Row.fetchAll(
                db,
                sql: """
                    SELECT \(DeadLetter.columns) FROM dead_letters WHERE \(condition.sql)
                    ORDER BY failed_at DESC, id LIMIT ? OFFSET ?
                    """,
                arguments: condition.arguments + [min(max(limit, 1), 1000), max(offset, 0)]
            ).map(DeadLetter.init)
        }
    }

    /// One dead letter.
    public func deadLetter(_ id: String) async throws -> DeadLetter? {
        try await read { try DeadLetterTable.find(id, in: $0) }
    }

    /// How many dead letters there are, by cause, largest first.
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

    /// Sends a held dead letter back to the inbox in which it failed: the mark and the outbox row are one unit, so it can
    /// neither be lost nor sent twice.
    ///
    /// Its attempts are counted from 1 again; if it fails again, the new dead letter names this one.
    ///
    /// - Returns: whether the letter was held.
    /// - Throws: a ``Failure`` of class permanent, `not-requeueable`, for a letter that came from no inbox or whose
    ///   envelope cannot be read.
    public func requeueDeadLetter(_ id: String, reason: String? = nil) async throws -> Bool {
        try await write { transaction in
            guard let letter = try DeadLetterTable.find(id, in: transaction.db), letter.state == .held else {
                return false
            }
            guard letter.transport == Transport.amqp.rawValue,
                var envelope = try? EnvelopeHeaders.decode(letter.headers, body: letter.body)
            else {
                throw Failure(
                    .permanent,
                    code: "not-requeueable",
                    "Only a readable message that came from an inbox can be sent back to it."
                )
            }
            envelope.attempt = 1
            try transaction.enqueue(
                OutgoingMessage(
                    to: .inbox(letter.consumer),
                    envelope,
                    extraHeaders: [DeadLetterHeaders.previous: letter.id]
                )
            )
            return try DeadLetterTable.move(
                id,
                from: [.held],
                to: .requeued,
                reason: reason,
                at: transaction.now,
                in: transaction.db
            )
        }
    }

    /// Gives a held dead letter up.
    ///
    /// - Returns: whether it was held.
    public func discardDeadLetter(_ id: String, reason: String) async throws -> Bool {
        try await write { transaction in
            try DeadLetterTable.move(
                id,
                from: [.held],
                to: .discarded,
                reason: reason,
                at: transaction.now,
                in: transaction.db
            )
        }
    }

    /// Takes a discarded dead letter back.
    ///
    /// - Returns: whether it was discarded.
    public func restoreDeadLetter(_ id: String, reason: String? = nil) async throws -> Bool {
        try await write { transaction in
            try DeadLetterTable.move(
                id,
                from: [.discarded],
                to: .held,
                reason: reason,
                at: transaction.now,
                in: transaction.db
            )
        }
    }
}
