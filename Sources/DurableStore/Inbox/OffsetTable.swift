import GRDB
import Messaging

/// Every statement on the tables `consumer_offsets` and `consumer_attempts`.
enum OffsetTable {
    struct Partition: Hashable, Sendable {
        let topic: String
        let partition: Int32
    }

    struct Attempts: Sendable {
        let offset: Int64
        let count: Int
        let firstFailedAt: Timestamp
    }

    static func set(_ partition: Partition, next offset: Int64, consumer: String, in db: Database) throws {
        let statement = try db.cachedStatement(
            sql: """
                INSERT INTO consumer_offsets(consumer, topic, partition, next_offset) VALUES (?, ?, ?, ?)
                ON CONFLICT(consumer, topic, partition) DO UPDATE SET next_offset = excluded.next_offset
                """
        )
        statement.setUncheckedArguments([consumer, partition.topic, partition.partition, offset])
        try statement.execute()
    }

    static func all(consumer: String, in db: Database) throws -> [(partition: Partition, offset: Int64)] {
        try Row.fetchAll(
            db,
            sql:
                "SELECT topic, partition, next_offset FROM consumer_offsets WHERE consumer = ? ORDER BY topic, partition",
            arguments: [consumer]
        ).map { (Partition(topic: $0[0], partition: $0[1]), $0[2]) }
    }

    /// Counts one more failed attempt at a record; a record further on starts at 1.
    static func countFailure(
        _ partition: Partition,
        offset: Int64,
        consumer: String,
        at now: Timestamp,
        in db: Database
    ) throws -> Attempts {
        try db.cachedStatement(
            sql: """
                INSERT INTO consumer_attempts(consumer, topic, partition, record_offset, attempts, first_failed_at)
                VALUES (?, ?, ?, ?, 1, ?)
                ON CONFLICT(consumer, topic, partition) DO UPDATE SET
                    attempts = CASE WHEN record_offset = excluded.record_offset THEN attempts + 1 ELSE 1 END,
                    first_failed_at = CASE WHEN record_offset = excluded.record_offset
                        THEN first_failed_at ELSE excluded.first_failed_at END,
                    record_offset = excluded.record_offset
                """
        ).execute(arguments: [consumer, partition.topic, partition.partition, offset, now.millisecondsSinceEpoch])
        let row = try Row.fetchOne(
            db.cachedStatement(
                sql: """
                    SELECT attempts, first_failed_at FROM consumer_attempts
                    WHERE consumer = ? AND topic = ? AND partition = ?
                    """
            ),
            arguments: [consumer, partition.topic, partition.partition]
        )
        guard let row else { return Attempts(offset: offset, count: 1, firstFailedAt: now) }
        return Attempts(offset: offset, count: row[0], firstFailedAt: Timestamp(millisecondsSinceEpoch: row[1]))
    }

    static func clearFailures(_ partition: Partition, consumer: String, in db: Database) throws {
        try db.cachedStatement(sql: "DELETE FROM consumer_attempts WHERE consumer = ? AND topic = ? AND partition = ?")
            .execute(arguments: [consumer, partition.topic, partition.partition])
    }

    static func forget(consumer: String, in db: Database) throws {
        try db.execute(sql: "DELETE FROM consumer_offsets WHERE consumer = ?", arguments: [consumer])
        try db.execute(sql: "DELETE FROM consumer_attempts WHERE consumer = ?", arguments: [consumer])
    }
}
