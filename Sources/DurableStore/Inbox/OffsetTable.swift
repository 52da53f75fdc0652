import GRDB
import Messaging

/// Every statement on the table `consumer_offsets`.
enum OffsetTable {
    struct Partition: Hashable, Sendable {
        let topic: String
        let partition: Int32
    }

    static func set(_ partition: Partition, next offset: Int64, consumer: String, in db: Database) throws {
        let statement = try db.cachedStatement(
            sql: """
                INSERT INTO consumer_offsets(consumer, topic, partition, next_offset) VALUES (?, ?, ?, ?)
                ON CONFLICT(consumer, topic, partition) DO UPDATE SET next_offset = excluded.next_offset
                """
        )
        try statement.run([consumer, partition.topic, partition.partition, offset])
    }

    static func all(consumer: String, in db: Database) throws -> [(partition: Partition, offset: Int64)] {
        try Row.fetchAll(
            db.cachedStatement(
                sql: """
                    SELECT topic, partition, next_offset FROM consumer_offsets WHERE consumer = ?
                    ORDER BY topic, partition
                    """
            ),
            arguments: [consumer]
        ).map { (Partition(topic: $0[0], partition: $0[1]), $0[2]) }
    }

    static func forget(consumer: String, in db: Database) throws {
        try db.execute(sql: "DELETE FROM consumer_offsets WHERE consumer = ?", arguments: [consumer])
    }
}
