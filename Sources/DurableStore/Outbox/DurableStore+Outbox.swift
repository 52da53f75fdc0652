import GRDB
import Messaging

extension DurableStore {
    /// How much waits in the outbox.
    public func outboxStatistics() async throws -> OutboxStatistics {
        let now = clock.now()
        let parts = try await read { db in
            try Row.fetchAll(
                db,
                sql: """
                    SELECT target, routing_key, sum(parked_at IS NULL), sum(parked_at IS NOT NULL),
                        min(CASE WHEN parked_at IS NULL THEN created_at END)
                    FROM (
                        SELECT target, routing_key, parked_at, created_at FROM outbox INDEXED BY outbox_pending
                            WHERE published_at IS NULL AND parked_at IS NULL
                        UNION ALL
                        SELECT target, routing_key, parked_at, created_at FROM outbox INDEXED BY outbox_parked
                            WHERE parked_at IS NOT NULL)
                    GROUP BY target, routing_key ORDER BY target, routing_key
                    """
            ).map { row in
                OutboxStatistics.Part(
                    destination: Destination(target: row[0], routingKey: row[1]),
                    unpublished: row[2],
                    parked: row[3],
                    oldestUnpublished: (row[4] as Int64?).map(Timestamp.init(millisecondsSinceEpoch:))
                )
            }
        }
        let oldest = parts.compactMap(\.oldestUnpublished).min()
        return OutboxStatistics(
            unpublished: parts.reduce(0) { $0 + $1.unpublished },
            parked: parts.reduce(0) { $0 + $1.parked },
            oldestUnpublished: oldest,
            oldestUnpublishedAgeMilliseconds: oldest.map { max(0, now.milliseconds(since: $0)) } ?? 0,
            byDestination: parts
        )
    }

    /// Rows of the outbox in order of `seq`.
    ///
    /// - Parameters:
    ///   - seq: list rows after this one; 0 for the first page.
    ///   - limit: the most rows, 1…1,000.
    public func outboxRows(
        _ filter: OutboxFilter = .unpublished,
        after seq: Int64 = 0,
        limit: Int = 100
    ) async throws -> [OutboxRow] {
        let condition =
            switch filter {
            case .all: "1"
            case .unpublished: "published_at IS NULL"
            case .parked: "parked_at IS NOT NULL"
            }
        return try await read { db in
            try db.cachedStatement(
                sql: "SELECT \(OutboxTable.columns) FROM outbox WHERE seq > ? AND \(condition) ORDER BY seq LIMIT ?"
            ).all([seq, min(max(limit, 1), 1000)], OutboxRow.init)
        }
    }

    /// One row; `nil` when it was deleted or never existed.
    public func outboxRow(_ seq: Int64) async throws -> OutboxRow? {
        try await read { try OutboxTable.row(seq, in: $0) }
    }

    /// Makes the relay try a row's key now, whatever pause it is in. A parked row stays parked.
    ///
    /// - Returns: whether there is such an unpublished row.
    public func retryOutboxRow(_ seq: Int64) async throws -> Bool {
        try await changeOutbox(seq) { row, _ in row.publishedAt == nil && row.parkedAt == nil }
    }

    /// Puts a row aside. Its key waits until the row is unparked or discarded; other keys go on.
    ///
    /// A message that is with the broker at this moment may still be confirmed; then the row is published, not parked.
    ///
    /// - Returns: whether the row was there, unpublished and not parked yet.
    public func parkOutboxRow(_ seq: Int64, reason: String) async throws -> Bool {
        try await changeOutbox(seq) { row, transaction in
            try OutboxTable.park(seq, attempts: nil, reason: reason, at: transaction.now, in: transaction.db)
        }
    }

    /// Lets a parked row be sent again, with its attempts counted from 0.
    ///
    /// - Returns: whether the row was parked.
    public func unparkOutboxRow(_ seq: Int64) async throws -> Bool {
        try await changeOutbox(seq) { _, transaction in try OutboxTable.unpark(seq, in: transaction.db) }
    }

    /// Gives a parked row up: deletes it, and lets its key go on.
    ///
    /// - Returns: whether the row was parked.
    public func discardOutboxRow(_ seq: Int64) async throws -> Bool {
        try await changeOutbox(seq) { _, transaction in try OutboxTable.discard(seq, in: transaction.db) }
    }

    private func changeOutbox(
        _ seq: Int64,
        _ change: @escaping @Sendable (OutboxRow, Transaction) throws -> Bool
    ) async throws -> Bool {
        try await write { [feeds] transaction in
            guard let row = try OutboxTable.row(seq, in: transaction.db), try change(row, transaction) else {
                return false
            }
            let key = row.pending.key
            let isBlocked = try OutboxTable.isParked(key, in: transaction.db)
            transaction.afterCommit {
                feeds.feed(key.destination.transport).append(isBlocked ? .parked(key) : .released(key))
            }
            return true
        }
    }
}

extension OutboxTable {
    static func row(_ seq: Int64, in db: Database) throws -> OutboxRow? {
        try db.cachedStatement(sql: "SELECT \(columns) FROM outbox WHERE seq = ?").first([seq], OutboxRow.init)
    }

    static func unpark(_ seq: Int64, in db: Database) throws -> Bool {
        try db.cachedStatement(
            sql: """
                UPDATE outbox SET parked_at = NULL, parked_reason = NULL, attempts = 0, next_attempt_at = NULL
                WHERE seq = ? AND parked_at IS NOT NULL
                """
        ).run([seq])
        return db.changesCount > 0
    }

    static func discard(_ seq: Int64, in db: Database) throws -> Bool {
        try db.cachedStatement(sql: "DELETE FROM outbox WHERE seq = ? AND parked_at IS NOT NULL").run([
            seq
        ])
        return db.changesCount > 0
    }

    static func isParked(_ key: OutboxKey, in db: Database) throws -> Bool {
        let (target, routingKey) = key.destination.columns
        return try Bool.fetchOne(
            db.cachedStatement(
                sql: """
                    SELECT EXISTS (SELECT 1 FROM outbox INDEXED BY outbox_parked WHERE parked_at IS NOT NULL
                        AND transport = ? AND subject = ? AND target = ? AND routing_key IS ?)
                    """
            ),
            arguments: [key.destination.transport.rawValue, key.subject, target, routingKey]
        ) ?? false
    }
}
