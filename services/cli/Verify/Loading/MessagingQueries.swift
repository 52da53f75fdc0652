import GRDB

/// Tables that every service has.
enum MessagingQueries {
    static func read(_ service: String, _ db: Database, into evidence: inout MessagingEvidence) throws {
        evidence.outbox += try db.rows(
            """
            SELECT message_id, CASE transport WHEN 'kafka' THEN target END, subject, sequence, published_at IS NOT NULL,
                parked_reason FROM outbox
            """
        ) {
            .init(
                service: service,
                messageID: $0[0],
                topic: $0[1],
                subject: $0[2],
                sequence: $0[3],
                published: $0[4],
                parked: $0[5]
            )
        }
        evidence.inbox += try db.rows("SELECT consumer, message_id, outcome, body_hash, received_at FROM inbox") {
            row in
            var entry = MessagingEvidence.InboxRow(
                service: service,
                consumer: row[0],
                messageID: row[1],
                outcome: row[2]
            )
            entry.bodyHash = row[3]
            entry.receivedAt = row[4]
            return entry
        }
        evidence.remembersSince[service] = try Int64.fetchOne(db, sql: "SELECT min(received_at) FROM inbox")
        let offsets = try db.rows("SELECT consumer, topic, partition, next_offset FROM consumer_offsets") { row in
            MessagingEvidence.Offset(
                service: service,
                consumer: row[0],
                partition: "\(row[1] as String)/\(row[2] as Int64)",
                next: row[3]
            )
        }
        evidence.offsets = (evidence.offsets ?? []) + offsets
        let parked = try db.rows("SELECT consumer, topic, partition, record_offset FROM parked_records") { row in
            "\(row[0] as String) \(row[1] as String)/\(row[2] as Int64)@\(row[3] as Int64)"
        }
        evidence.parked.formUnion(parked)
    }
}

enum DeadLetterQueries {
    static func read(_ service: String, _ db: Database) throws -> [DeadLetterEvidence] {
        try db.rows(
            """
            SELECT id, transport, consumer, source, message_id, failure_class, code, attempts, state, requeues, previous_id,
                (SELECT count(*) FROM dead_letter_acts a WHERE a.letter_id = d.id AND a.verb = 'requeue'
                    AND a.outcome IN ('sent', 'handled', 'noop', 'duplicate', 'refused')), state_changed_at
            FROM dead_letters d ORDER BY id
            """
        ) { row in
            var letter = DeadLetterEvidence(
                service: service,
                id: row[0],
                transport: row[1],
                consumer: row[2],
                source: row[3],
                messageID: row[4],
                failureClass: row[5],
                code: row[6],
                attempts: row[7],
                state: row[8],
                requeues: row[9],
                requeueActs: row[11],
                previous: row[10]
            )
            letter.changedAt = row[12]
            return letter
        }
    }
}
