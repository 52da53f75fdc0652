import GRDB
import Messaging

/// Every statement on the table `outbox`.
enum OutboxTable {
    static func insert(_ message: OutgoingMessage, at now: Timestamp, in db: Database) throws -> Int64 {
        let envelope = message.envelope
        let target: String
        var routingKey: String?
        switch message.destination {
        case .exchange(let name, let key):
            target = name
            routingKey = key
        case .topic(let name): target = name
        }
        let statement = try db.cachedStatement(
            sql: """
                INSERT INTO outbox(message_id, transport, target, routing_key, subject, source, type, time, sequence,
                    correlation_id, causation_id, traceparent, reply_to, attempt, content_type, extra_headers, expiration_ms,
                    body, created_at)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                """
        )
        try statement.run([
            envelope.id, message.destination.transport.rawValue, target, routingKey, envelope.subject, envelope.source,
            envelope.type, envelope.time.millisecondsSinceEpoch, envelope.sequence, envelope.correlationID,
            envelope.causationID, envelope.traceparent, envelope.replyTo, envelope.attempt, envelope.contentType,
            message.extraHeaders.isEmpty ? nil : HeaderText.encode(message.extraHeaders),
            message.expirationMilliseconds,
            Blob(envelope.body), now.millisecondsSinceEpoch,
        ])
        return db.lastInsertedRowID
    }

    static let columns = """
        seq, message_id, target, routing_key, subject, source, type, time, sequence, correlation_id, causation_id, traceparent,
        reply_to, attempt, content_type, extra_headers, expiration_ms, body, created_at, published_at, attempts,
        next_attempt_at, last_error, parked_at, parked_reason
        """

    private static let pending = "published_at IS NULL AND parked_at IS NULL"

    /// The oldest row that may still have to be sent, from the index of such rows.
    static func firstPending(_ transport: Transport, in db: Database) throws -> Int64? {
        try db.cachedStatement(sql: "SELECT min(seq) FROM outbox WHERE transport = ? AND \(pending)")
            .first([transport.rawValue]) { try $0[0] as Int64? } ?? nil
    }

    /// The last row ever written, sent or not; 0 before the first.
    static func lastSeq(in db: Database) throws -> Int64 {
        try Int64.fetchOne(
            db.cachedStatement(sql: "SELECT seq FROM sqlite_sequence WHERE name = 'outbox'")
        ) ?? 0
    }

    /// Unsent rows after `seq`, in order.
    ///
    /// Walks the table itself from there (`NOT INDEXED`): the index of unsent rows is ordered by key.
    static func pendingRows(
        _ transport: Transport,
        after seq: Int64,
        limit: Int,
        in db: Database
    ) throws -> [PendingRow] {
        try db.cachedStatement(
            sql: """
                SELECT \(columns) FROM outbox NOT INDEXED
                WHERE seq > ? AND transport = ? AND \(pending) ORDER BY seq LIMIT ?
                """
        ).all([seq, transport.rawValue, limit]) { try OutboxRow($0).pending }
    }

    /// Unsent rows of one key from `seq` on, in order.
    static func pendingRows(of key: OutboxKey, from seq: Int64, limit: Int, in db: Database) throws -> [PendingRow] {
        let (target, routingKey) = key.destination.columns
        return try db.cachedStatement(
            sql: """
                SELECT \(columns) FROM outbox INDEXED BY outbox_pending
                WHERE transport = ? AND subject = ? AND seq >= ? AND \(pending)
                    AND target = ? AND routing_key IS ? ORDER BY seq LIMIT ?
                """
        ).all([key.destination.transport.rawValue, key.subject, seq, target, routingKey, limit]) {
            try OutboxRow($0).pending
        }
    }

    /// The keys that a parked row blocks.
    static func parkedKeys(_ transport: Transport, in db: Database) throws -> Set<OutboxKey> {
        // Not DISTINCT, for which SQLite makes a temporary b-tree even if nothing is parked.
        Set(
            try db.cachedStatement(
                sql: "SELECT target, routing_key, subject FROM outbox WHERE transport = ? AND parked_at IS NOT NULL"
            ).all([transport.rawValue]) { row in
                try OutboxKey(Destination(target: row[0], routingKey: row[1]), subject: row[2])
            }
        )
    }

    /// Marks rows as published, or deletes them at once where nothing is retained.
    static func markPublished(_ seqs: [Int64], at now: Timestamp, keep: Bool, in db: Database) throws {
        // The confirm is a fact: it stands even if an operator parked the row meanwhile.
        let statement = try db.cachedStatement(
            sql: keep
                ? """
                UPDATE outbox SET published_at = ?, parked_at = NULL, parked_reason = NULL, next_attempt_at = NULL
                WHERE seq = ? AND published_at IS NULL
                """
                : "DELETE FROM outbox WHERE ? IS NOT NULL AND seq = ?"
        )
        for seq in seqs {
            try statement.run([now.millisecondsSinceEpoch, seq])
        }
    }

    static func recordFailure(
        _ seq: Int64,
        attempts: Int,
        error: String,
        nextAttemptAt: Timestamp,
        in db: Database
    ) throws {
        try db.cachedStatement(
            sql: """
                UPDATE outbox SET attempts = ?, last_error = ?, next_attempt_at = ? WHERE seq = ? AND published_at IS NULL
                """
        ).run([attempts, error.capped(atUTF8: 8192), nextAttemptAt.millisecondsSinceEpoch, seq])
    }

    /// - Returns: whether a row was parked.
    @discardableResult
    static func park(_ seq: Int64, attempts: Int?, reason: String, at now: Timestamp, in db: Database) throws -> Bool {
        let reason = reason.capped(atUTF8: 8192)
        try db.cachedStatement(
            sql: """
                UPDATE outbox SET parked_at = ?, parked_reason = ?, last_error = ?, attempts = coalesce(?, attempts),
                    next_attempt_at = NULL
                WHERE seq = ? AND published_at IS NULL AND parked_at IS NULL
                """
        ).run([now.millisecondsSinceEpoch, reason, reason, attempts, seq])
        return db.changesCount > 0
    }

    /// The keys of those among these rows that are parked.
    ///
    /// Asked with each batch of marks: one look into an index that as a rule is empty.
    static func parkedKeys(_ transport: Transport, among seqs: [Int64], in db: Database) throws -> [OutboxKey] {
        guard let first = seqs.min(), let last = seqs.max() else { return [] }
        let parked = try db.cachedStatement(
            sql: """
                SELECT seq FROM outbox INDEXED BY outbox_parked
                WHERE transport = ? AND seq BETWEEN ? AND ? AND parked_at IS NOT NULL ORDER BY seq
                """
        ).all([transport.rawValue, first, last]) { try $0[0] as Int64 }
        guard !parked.isEmpty else { return [] }
        let wanted = Set(seqs)
        return try parked.filter { wanted.contains($0) }.compactMap { try row($0, in: db)?.pending.key }
    }

    /// What one unit of a purge did.
    struct Purged: Sendable {
        /// The last row looked at.
        let cursor: Int64
        /// Rows older than the cutoff, published or not.
        let looked: Int
        let deleted: Int
        /// Whether there may be more to delete.
        let hasMore: Bool
    }

    /// Deletes published rows older than `cutoff`, looking at no more than `limit` rows after `seq`.
    static func purge(
        after seq: Int64,
        publishedBefore cutoff: Timestamp,
        limit: Int,
        in db: Database
    ) throws -> Purged {
        let rows = try db.cachedStatement(
            sql: "SELECT seq, created_at, published_at FROM outbox WHERE seq > ? ORDER BY seq LIMIT ?"
        ).all([seq, limit]) { row in
            try (seq: row[0] as Int64, createdAt: row[1] as Int64, publishedAt: row[2] as Int64?)
        }
        var last = seq
        var looked = 0
        var doomed: [Int64] = []
        for row in rows {
            // Rows are in order of creation: from here on all are too young. (A clock that stepped back only delays.)
            if row.createdAt >= cutoff.millisecondsSinceEpoch {
                try delete(doomed, in: db)
                return Purged(cursor: last, looked: looked, deleted: doomed.count, hasMore: false)
            }
            last = row.seq
            looked += 1
            if let published = row.publishedAt, published < cutoff.millisecondsSinceEpoch { doomed.append(last) }
        }
        try delete(doomed, in: db)
        return Purged(cursor: last, looked: looked, deleted: doomed.count, hasMore: rows.count == limit)
    }

    private static func delete(_ seqs: [Int64], in db: Database) throws {
        let statement = try db.cachedStatement(sql: "DELETE FROM outbox WHERE seq = ?")
        for seq in seqs { try statement.run([seq]) }
    }
}

extension Destination {
    /// As the columns `target` and `routing_key`.
    var columns: (target: String, routingKey: String?) {
        switch self {
        case .exchange(let name, let key): (name, key)
        case .topic(let name): (name, nil)
        }
    }

    init(target: String, routingKey: String?) {
        if let routingKey { self = .exchange(target, routingKey: routingKey) } else { self = .topic(target) }
    }
}
