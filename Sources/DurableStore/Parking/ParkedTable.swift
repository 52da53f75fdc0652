import Foundation
import GRDB
import Messaging

/// Every statement on the table `parked_records`. The first record of a key carries the key's next attempt; those behind it
/// have none.
enum ParkedTable {
    static let schema = """
        CREATE TABLE parked_records (
            consumer TEXT NOT NULL,
            topic TEXT NOT NULL,
            partition INTEGER NOT NULL CHECK (partition >= 0),
            subject TEXT NOT NULL,
            record_offset INTEGER NOT NULL CHECK (record_offset >= 0),
            attempts INTEGER NOT NULL CHECK (attempts >= 0),
            first_failed_at INTEGER,
            next_attempt_at INTEGER,
            last_error TEXT,
            bytes INTEGER NOT NULL CHECK (bytes >= 0),
            parked_at INTEGER NOT NULL,
            headers BLOB NOT NULL,
            body BLOB NOT NULL,
            UNIQUE (consumer, topic, partition, record_offset),
            CHECK ((attempts = 0) = (first_failed_at IS NULL))
        ) STRICT;
        CREATE INDEX parked_records_keys ON parked_records(consumer, topic, partition, subject, record_offset, bytes);
        CREATE INDEX parked_records_due ON parked_records(consumer, next_attempt_at) WHERE next_attempt_at IS NOT NULL;
        DROP TABLE consumer_attempts;
        """

    /// What a record counts against the bound on bytes.
    static func size(of message: ReceivedMessage) -> Int {
        message.headers.reduce(message.body.count) { $0 + $1.name.utf8.count + $1.value.utf8.count }
    }

    static func lot(_ bounds: ParkingLot.Bounds, consumer: String, in db: Database) throws -> ParkingLot {
        var lot = ParkingLot(bounds)
        try db.cachedStatement(
            sql: """
                SELECT topic, partition, subject, count(*), sum(bytes) FROM parked_records WHERE consumer = ?
                GROUP BY topic, partition, subject
                """
        ).forEach([consumer]) { row in
            try lot.park(
                ParkingLot.Key(topic: row[0], partition: row[1], subject: row[2]),
                records: row[3],
                bytes: row[4]
            )
        }
        return lot
    }

    /// Puts a record at the end of its key.
    ///
    /// - Parameter failure: why it waits; `nil` for a record that only waits behind another one.
    static func insert(
        _ message: ReceivedMessage,
        key: ParkingLot.Key,
        offset: Int64,
        failure: (failure: Failure, nextAttemptAt: Timestamp)?,
        consumer: String,
        at now: Timestamp,
        in db: Database
    ) throws {
        try db.cachedStatement(
            sql: """
                INSERT INTO parked_records(consumer, topic, partition, subject, record_offset, attempts, first_failed_at,
                    next_attempt_at, last_error, bytes, parked_at, headers, body)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING
                """
        ).run([
            consumer, key.topic, key.partition, key.subject, offset, failure == nil ? 0 : 1,
            failure.map { _ in now.millisecondsSinceEpoch }, failure?.nextAttemptAt.millisecondsSinceEpoch,
            failure.map { text($0.failure) }, size(of: message), now.millisecondsSinceEpoch,
            Blob(HeaderText.encode(message.headers)), Blob(message.body),
        ])
    }

    /// The key that is due for the longest time.
    static func due(at now: Timestamp, consumer: String, in db: Database) throws -> ParkingLot.Key? {
        try db.cachedStatement(
            sql: """
                SELECT topic, partition, subject FROM parked_records INDEXED BY parked_records_due
                WHERE consumer = ? AND next_attempt_at <= ? ORDER BY next_attempt_at LIMIT 1
                """
        ).first([consumer, now.millisecondsSinceEpoch]) {
            try ParkingLot.Key(topic: $0[0], partition: $0[1], subject: $0[2])
        }
    }

    static func nextAttempt(consumer: String, in db: Database) throws -> Timestamp? {
        try Int64.fetchOne(
            db.cachedStatement(
                sql: """
                    SELECT min(next_attempt_at) FROM parked_records INDEXED BY parked_records_due
                    WHERE consumer = ? AND next_attempt_at IS NOT NULL
                    """
            ),
            arguments: [consumer]
        ).map(Timestamp.init(millisecondsSinceEpoch:))
    }

    /// The record that a key goes on with.
    static func first(of key: ParkingLot.Key, consumer: String, in db: Database) throws -> ParkedRecord? {
        try db.cachedStatement(
            sql: """
                SELECT record_offset, attempts, first_failed_at, headers, body FROM parked_records
                WHERE consumer = ? AND topic = ? AND partition = ? AND subject = ? ORDER BY record_offset LIMIT 1
                """
        ).first([consumer, key.topic, key.partition, key.subject]) { row in
            try ParkedRecord(
                key: key,
                offset: row[0],
                attempts: row[1],
                firstFailedAt: (row[2] as Int64?).map(Timestamp.init(millisecondsSinceEpoch:)),
                headers: HeaderText.decodePairs((row[3] as Blob).bytes) ?? [],
                body: (row[4] as Blob).bytes
            )
        }
    }

    static func remove(_ record: ParkedRecord, consumer: String, in db: Database) throws {
        try db.cachedStatement(
            sql: "DELETE FROM parked_records WHERE consumer = ? AND topic = ? AND partition = ? AND record_offset = ?"
        ).run([consumer, record.key.topic, record.key.partition, record.offset])
    }

    /// Sets when the first record of a key is tried next.
    ///
    /// - Parameter failure: counts one more failed attempt; `nil` where none was made.
    static func postpone(
        _ record: ParkedRecord,
        until time: Timestamp,
        counting failure: Failure?,
        consumer: String,
        at now: Timestamp,
        in db: Database
    ) throws {
        try db.cachedStatement(
            sql: """
                UPDATE parked_records SET next_attempt_at = ?1, attempts = attempts + (?2 IS NOT NULL),
                    last_error = coalesce(?2, last_error),
                    first_failed_at = CASE WHEN ?2 IS NULL THEN first_failed_at ELSE coalesce(first_failed_at, ?3) END
                WHERE consumer = ?4 AND topic = ?5 AND partition = ?6 AND record_offset = ?7
                """
        ).run([
            time.millisecondsSinceEpoch, failure.map(text), now.millisecondsSinceEpoch, consumer, record.key.topic,
            record.key.partition, record.offset,
        ])
    }

    static func forget(consumer: String, in db: Database) throws {
        try db.execute(sql: "DELETE FROM parked_records WHERE consumer = ?", arguments: [consumer])
    }

    static func counts(in db: Database) throws -> [ParkedCount] {
        try Row.fetchAll(
            db,
            sql: """
                SELECT consumer, count(*), sum(records) FROM (SELECT consumer, count(*) AS records FROM parked_records
                    GROUP BY consumer, topic, partition, subject) GROUP BY consumer ORDER BY consumer
                """
        ).map { ParkedCount(consumer: $0[0], keys: $0[1], records: $0[2]) }
    }

    static func keys(limit: Int, in db: Database) throws -> [ParkedKey] {
        try Row.fetchAll(
            db,
            sql: """
                SELECT first.consumer, first.topic, first.partition, first.subject, first.record_offset, first.attempts,
                    first.parked_at, first.next_attempt_at, first.last_error,
                    (SELECT count(*) FROM parked_records AS every WHERE every.consumer = first.consumer
                        AND every.topic = first.topic AND every.partition = first.partition
                        AND every.subject = first.subject)
                FROM parked_records AS first WHERE first.next_attempt_at IS NOT NULL
                ORDER BY first.parked_at, first.record_offset LIMIT ?
                """,
            arguments: [limit]
        ).map { row in
            ParkedKey(
                consumer: row[0],
                topic: row[1],
                partition: row[2],
                subject: row[3],
                records: row[9],
                offset: row[4],
                attempts: row[5],
                parkedAt: Timestamp(millisecondsSinceEpoch: row[6]),
                nextAttemptAt: Timestamp(millisecondsSinceEpoch: row[7]),
                error: row[8] ?? ""
            )
        }
    }

    private static func text(_ failure: Failure) -> String {
        "\(failure.code): \(failure.description)".capped(atUTF8: DeadLetterHeaders.maximumErrorBytes)
    }
}
