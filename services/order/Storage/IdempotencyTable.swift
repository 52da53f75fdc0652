import Commerce
import DurableStore
import GRDB
import Messaging

/// The answer that a key was given.
struct IdempotencyRecord: Sendable, Hashable {
    /// SHA-256 of the request in its canonical form.
    let requestHash: [UInt8]
    let orderID: OrderID
    /// The body of the first answer, byte for byte.
    let body: [UInt8]
}

/// Idempotency keys and the answers they were given. Kept for ``retention``, then deleted in bounded batches.
enum IdempotencyTable {
    /// How long a key is remembered: twice the promised 24 hours.
    static let retention = Duration.seconds(48 * 3600)
    /// The most rows that one unit of work deletes.
    static let purgeBatch = 1_000

    static func find(_ key: String, in db: Database) throws -> IdempotencyRecord? {
        try db.cachedStatement(sql: "SELECT request_hash, order_id, body FROM idempotency_keys WHERE key = ?")
            .first([key]) { row in
                guard let orderID = OrderID(try row[1]) else {
                    throw Failure(
                        .poison,
                        code: "idempotency-row-invalid",
                        "A row of an idempotency key cannot be read."
                    )
                }
                return try IdempotencyRecord(
                    requestHash: (row[0] as Blob).bytes,
                    orderID: orderID,
                    body: (row[2] as Blob).bytes
                )
            }
    }

    static func insert(_ record: IdempotencyRecord, key: String, at now: Timestamp, in db: Database) throws {
        try db.cachedStatement(
            sql: "INSERT INTO idempotency_keys(key, request_hash, order_id, body, created_at) VALUES (?, ?, ?, ?, ?)"
        ).run([
            key, Blob(record.requestHash), record.orderID.text, Blob(record.body), now.millisecondsSinceEpoch,
        ])
    }

    /// Deletes keys that are older than ``retention``, at most ``purgeBatch``.
    ///
    /// - Returns: how many were deleted; a full batch means that there may be more.
    static func purge(at now: Timestamp, in db: Database) throws -> Int {
        let cutoff = now.advanced(byMilliseconds: -retention.wholeMilliseconds)
        try db.cachedStatement(
            sql: """
                DELETE FROM idempotency_keys WHERE key IN (
                    SELECT key FROM idempotency_keys WHERE created_at < ? ORDER BY created_at LIMIT ?)
                """
        ).run([cutoff.millisecondsSinceEpoch, purgeBatch])
        return db.changesCount
    }
}
