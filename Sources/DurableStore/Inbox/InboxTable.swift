import GRDB
import Messaging

/// Every statement on the table `inbox`.
enum InboxTable {
    enum Claim {
        /// Not seen before; the row is written.
        case new
        /// Seen with the same content.
        case duplicate
        /// The id was seen with other content.
        case reused
    }

    static func claim(_ envelope: Envelope, consumer: String, at now: Timestamp, in db: Database) throws -> Claim {
        let hash = PayloadHash.of(type: envelope.type, subject: envelope.subject, body: envelope.body)
        let insert = try db.cachedStatement(
            sql: """
                INSERT INTO inbox(consumer, message_id, body_hash, type, outcome, received_at)
                VALUES (?, ?, ?, ?, 'handled', ?) ON CONFLICT DO NOTHING
                """
        )
        try insert.run([consumer, envelope.id, hash, envelope.type, now.millisecondsSinceEpoch])
        if db.changesCount > 0 || Sabotage.isOn("inbox-check-skipped") { return .new }
        if Sabotage.isOn("reused-id-is-a-duplicate") { return .duplicate }
        let known = try knownHash(envelope.id, consumer: consumer, in: db)
        return known == hash ? .duplicate : .reused
    }

    /// What ``claim(_:consumer:at:in:)`` would say, without writing anything.
    static func look(_ envelope: Envelope, consumer: String, in db: Database) throws -> Claim {
        let known = try knownHash(envelope.id, consumer: consumer, in: db)
        guard let known else { return .new }
        let hash = PayloadHash.of(type: envelope.type, subject: envelope.subject, body: envelope.body)
        return known == hash ? .duplicate : .reused
    }

    private static func knownHash(_ id: String, consumer: String, in db: Database) throws -> Int64? {
        try db.cachedStatement(sql: "SELECT body_hash FROM inbox WHERE consumer = ? AND message_id = ?")
            .first([consumer, id]) { try $0[0] }
    }

    static func markNoOperation(_ id: String, consumer: String, in db: Database) throws {
        try db.cachedStatement(sql: "UPDATE inbox SET outcome = 'noop' WHERE consumer = ? AND message_id = ?")
            .run([consumer, id])
    }

    static func recordRefusal(
        _ envelope: Envelope,
        consumer: String,
        code: String,
        at now: Timestamp,
        in db: Database
    ) throws {
        let hash = PayloadHash.of(type: envelope.type, subject: envelope.subject, body: envelope.body)
        try db.cachedStatement(
            sql: """
                INSERT INTO inbox(consumer, message_id, body_hash, type, outcome, code, received_at)
                VALUES (?, ?, ?, ?, 'refused', ?, ?) ON CONFLICT DO NOTHING
                """
        ).run([
            consumer, envelope.id, hash, envelope.type, code.capped(atUTF8: 256), now.millisecondsSinceEpoch,
        ])
    }

    /// - Returns: how many rows were deleted, at most `limit`.
    static func purge(receivedBefore cutoff: Timestamp, limit: Int, in db: Database) throws -> Int {
        try db.cachedStatement(
            sql: """
                DELETE FROM inbox WHERE (consumer, message_id) IN (
                    SELECT consumer, message_id FROM inbox INDEXED BY inbox_received
                    WHERE received_at < ? ORDER BY received_at LIMIT ?)
                """
        ).run([cutoff.millisecondsSinceEpoch, limit])
        return db.changesCount
    }

    static func forget(consumer: String, limit: Int, in db: Database) throws -> Int {
        try db.cachedStatement(
            sql: """
                DELETE FROM inbox WHERE consumer = ?1 AND message_id IN (
                    SELECT message_id FROM inbox WHERE consumer = ?1 ORDER BY message_id LIMIT ?2)
                """
        ).run([consumer, limit])
        return db.changesCount
    }
}
