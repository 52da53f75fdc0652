import AnalyticsService
import Commerce
import Cryptography
import DurableStore
import Foundation
import GRDB
import InventoryService
import Kafka
import Logging
import Messaging
import NotificationService
import OrderService
import PaymentCore
import PaymentService
import StrictJSON
import Webhooks

@testable import Verification

/// Writes evidence as the services would have left it: databases with their own schemas, the gateway's ledger, the event log. What
/// is read back must be what was written.
struct RunDirectory {
    let path: String

    private static let services: [(name: String, migrations: DatabaseMigrator)] = [
        ("order", OrderSchema.migrations), ("payment", PaymentSchema.migrator),
        ("inventory", InventorySchema.migrations),
        ("notification", NotificationSchema.migrations), ("analytics", AnalyticsSchema.migrations),
    ]

    /// - Parameter kafka: where to publish the log; `nil` leaves it out, and the offsets stay those of the evidence.
    func write(_ evidence: Evidence, kafka: KafkaClientConfiguration?) async throws {
        var published = evidence
        if let kafka, let log = evidence.log { try await publish(log, kafka, into: &published) }
        let evidence = published
        for (name, migrations) in Self.services {
            try FileManager.default.createDirectory(atPath: path + "/" + name, withIntermediateDirectories: true)
            let file = "\(path)/\(name)/\(name).db"
            let store = try DurableStore(DurableStoreConfiguration(path: file), migrations: migrations)
            await store.close()
            try fill(name, evidence, file)
        }
        try writeLedger(evidence.gateway ?? [])
    }

    private func fill(_ service: String, _ evidence: Evidence, _ file: String) throws {
        let database = try DatabaseQueue(path: file)
        try database.writeWithoutTransaction { db in try db.execute(sql: "PRAGMA synchronous = OFF") }
        try database.write { db in try fill(service, evidence, db) }
        try database.close()
    }

    private func fill(_ service: String, _ evidence: Evidence, _ db: Database) throws {
        try messaging(service, evidence, db)
        switch service {
        case "order": try orders(evidence, db)
        case "payment": try payments(evidence, db)
        case "inventory": try inventory(evidence, db)
        case "notification": try webhooks(evidence, db)
        default: try readModels(evidence, db)
        }
    }

    private func insert(
        _ sql: String,
        _ db: Database,
        _ rows: some Sequence<[(any DatabaseValueConvertible)?]>
    ) throws {
        let statement = try db.cachedStatement(sql: sql)
        for row in rows { try statement.execute(arguments: StatementArguments(row)) }
    }

    private func messaging(_ service: String, _ evidence: Evidence, _ db: Database) throws {
        let rows = (evidence.messaging?.inbox ?? []).filter { $0.service == service }
        try insert(
            "INSERT INTO inbox VALUES (?, ?, ?, 't', ?, NULL, ?)",
            db,
            rows.map { [$0.consumer, $0.messageID, $0.bodyHash ?? 1, $0.outcome, max($0.receivedAt, World.start)] }
        )
        try insert(
            "INSERT INTO consumer_offsets VALUES (?, ?, ?, ?)",
            db,
            (evidence.messaging?.offsets ?? []).filter { $0.service == service }.map { offset in
                let parts = offset.partition.split(separator: "/")
                return [offset.consumer, String(parts[0]), Int64(parts[1]), offset.next]
            }
        )
        for letter in evidence.deadLetters ?? [] where letter.service == service {
            try insert(
                """
                INSERT INTO dead_letters (id, transport, consumer, source, message_id, failure_class, code, error, attempts,
                    first_failed_at, failed_at, headers, body, state, state_changed_at, requeues, recorded_at)
                    VALUES (?, ?, ?, ?, ?, ?, ?, 'e', ?, 1, 1, x'', x'', ?, \(World.start), ?, 1)
                """,
                db,
                [
                    [
                        letter.id, letter.transport, letter.consumer, letter.source, letter.messageID,
                        letter.failureClass, letter.code, letter.attempts, letter.state, letter.requeues,
                    ]
                ]
            )
            try insert(
                "INSERT INTO dead_letter_acts (letter_id, verb, actor, outcome, at) VALUES (?, 'requeue', 'me', 'sent', 1)",
                db,
                (0..<letter.requeueActs).map { _ in [letter.id] }
            )
        }
    }

    private func orders(_ evidence: Evidence, _ db: Database) throws {
        guard let orders = evidence.orders else { return }
        try insert(
            """
            INSERT INTO orders (id, customer, card, currency, total, status, reason, version, placed_at, updated_at)
                VALUES (?1, 'ann', 'tok', ?2, ?3, ?4, iif(?4 = 'completed', NULL, 'customer'), ?5, 1, 1)
            """,
            db,
            orders.orders.map { [$0.id, $0.currency, $0.total, $0.status, $0.version] }
        )
        try insert(
            "INSERT INTO order_lines VALUES (?, 1, ?, ?, ?)",
            db,
            orders.orders.flatMap { order in
                order.units.map { [order.id, $0.key, $0.value, order.total / $0.value] }
            }
        )
        try insert(
            "INSERT INTO order_history VALUES (?, ?, ?, ?, NULL, 'e', 1)",
            db,
            orders.history.map { [$0.aggregate, $0.version, $0.from, $0.to] }
        )
        var numbers: [String: Int64] = [:]
        try insert(
            "INSERT INTO order_inputs VALUES (?, ?, ?, ?, ?, ?, ?)",
            db,
            (orders.journal ?? []).map { row in
                numbers[row.order, default: 0] += 1
                return [
                    row.order, numbers[row.order], row.input, row.disposition, row.messageID,
                    row.sent.map { "\($0.name):\($0.messageID)" }.joined(separator: " "), World.start,
                ]
            }
        )
        try insert(
            "INSERT INTO idempotency_keys VALUES (?, zeroblob(32), ?, x'', 1)",
            db,
            orders.keys.map { [$0.key, $0.order] }
        )
    }

    private func payments(_ evidence: Evidence, _ db: Database) throws {
        guard let payments = evidence.payments else { return }
        let ends = lastRows(payments.history)
        try insert(
            """
            INSERT INTO payments (order_id, payment_id, amount, currency, card, phase, answer_owed, capture, capture_account,
                refunded, version, milestone, revision, correlation_id, created_at, updated_at)
                VALUES (?1, ?1, 2500, 'EUR', 'tok', ?2, 0, 'cap', 'revenue', ?2 = 'cancelled', ?3, ?4, 1, 'c', 1, 1)
            """,
            db,
            payments.states.map { [$0.key, $0.value, ends[$0.key]?.version ?? 0, ends[$0.key]?.to] }
        )
        try insert(
            "INSERT INTO payment_history VALUES (?, ?, ?, ?, NULL, 1)",
            db,
            payments.history.map { [$0.aggregate, $0.version, $0.from, $0.to] }
        )
        try insert(
            """
            INSERT INTO intents (key, order_id, kind, round, state, tries, reference, created_at, updated_at)
                VALUES (?, ?, ?, 1, ?, 0, 'ref', 1, 1)
            """,
            db,
            (payments.intents ?? []).map { [$0.key, $0.order, $0.kind, $0.state] }
        )
        try ledger(payments, db)
    }

    /// The chain is made anew, as the service makes it: the evidence's own hashes are made up.
    private func ledger(_ payments: PaymentEvidence, _ db: Database) throws {
        let entries = Dictionary(grouping: payments.entries, by: \.transaction)
        var previous = LedgerChain.genesis
        for (index, link) in payments.chain.enumerated() {
            let number = Int64(index + 1)
            let own = entries[link.transaction] ?? []
            let parts = link.source.split(separator: "-")
            let (kind, orderID) = (String(parts[0]), order(Int(parts[1]) ?? 0))
            let text = LedgerChain.text(
                id: number,
                sourceEvent: link.source,
                orderID: orderID,
                kind: kind,
                postedAt: 1,
                entries: own.map { ($0.account, $0.amount, $0.currency) },
                previousHash: previous
            )
            let hash = SHA256.hash(Array(text.utf8)).hexadecimal
            try insert(
                "INSERT INTO ledger_entries VALUES (?, ?, ?, ?, ?)",
                db,
                own.enumerated().map {
                    [number, $0.offset + 1, $0.element.account, $0.element.amount, $0.element.currency]
                }
            )
            try insert(
                "INSERT INTO ledger_transactions VALUES (?, ?, ?, ?, 1, ?, ?)",
                db,
                [[number, link.source, orderID, kind, previous, hash]]
            )
            previous = hash
        }
    }

    private func inventory(_ evidence: Evidence, _ db: Database) throws {
        guard let inventory = evidence.inventory else { return }
        let levels = Dictionary(inventory.levels.map { ($0.sku, $0) }) { first, _ in first }
        for article in inventory.articles ?? [] {
            try insert(
                "INSERT INTO catalog_items VALUES (?, 'Mug', 1250, 'EUR', 1, ?)",
                db,
                [[article.sku, article.catalogVersion]]
            )
            try insert(
                "INSERT INTO stock VALUES (?, ?, ?, ?)",
                db,
                [[article.sku, levels[article.sku]?.onHand, levels[article.sku]?.reserved, article.stockVersion]]
            )
        }
        try insert(
            "INSERT INTO stock_movements (sku, kind, change, on_hand, order_id, at) VALUES (?, ?, ?, ?, ?, 1)",
            db,
            inventory.movements.map { [$0.sku, $0.kind, $0.change, $0.onHand, $0.order] }
        )
        try insert(
            "INSERT INTO reservations VALUES (?, ?, ?, NULL, NULL, 1)",
            db,
            lastRows(inventory.history).map { [$0.key, $0.value.to, $0.value.version] }
        )
        try insert(
            "INSERT INTO reservation_lines VALUES (?, ?, ?)",
            db,
            inventory.lines.map { [$0.order, $0.sku, $0.quantity] }
        )
        try insert(
            "INSERT INTO reservation_history VALUES (?, ?, ?, ?, NULL, 1)",
            db,
            inventory.history.map { [$0.aggregate, $0.version, $0.from, $0.to] }
        )
    }

    private func webhooks(_ evidence: Evidence, _ db: Database) throws {
        guard let webhooks = evidence.webhooks else { return }
        try insert(
            """
            INSERT INTO webhook_endpoints (id, url, description, event_types, channels, headers, metadata, state, timeout_ms,
                max_in_flight, ordering, on_exhausted, terminal_statuses, signs, version, created_at, updated_at)
                VALUES (?1, 'http://127.0.0.1:1/', '', ?2, ?3, '{}', '{}', 'enabled', 1000, 1, 'none', 'skip', '[]', 'v1', 1,
                    ?4, ?4)
            """,
            db,
            webhooks.endpoints.map { endpoint in
                let settings = endpoint.settings
                return [endpoint.id, text(settings.eventTypes), text(settings.channels), endpoint.unchangedSince]
            }
        )
        try insert(
            """
            INSERT INTO webhook_messages (id, type, subject, sequence, body, is_test, occurred_at, created_at, channels)
                VALUES (?, ?, 's', 1, x'', ?, 1, ?, ?)
            """,
            db,
            webhooks.events.map { id, event in [id, event.type, event.isTest, event.recordedAt, text(event.channels)] }
        )
        try insert(
            """
            INSERT INTO webhook_deliveries (seq, id, message_id, endpoint_id, type, state, attempt_trigger, lane, attempts,
                created_at, completed_at) VALUES (?1, 'd' || ?1, ?2, ?3, 't', ?4, 'scheduled', 0, ?5, 1, 9)
            """,
            db,
            webhooks.deliveries.map { [$0.number, $0.event, $0.endpoint, $0.state, $0.attempts] }
        )
        try insert(
            """
            INSERT INTO webhook_attempts (id, delivery_seq, number, attempt_trigger, state, started_at, ended_at, url,
                request_headers, next_attempt_at) VALUES ('a' || ?1 || '-' || ?2, ?1, ?2, ?3, ?4, ?5, ?5, 'u', '[]', ?6)
            """,
            db,
            webhooks.attempts.map { [$0.delivery, $0.number, $0.trigger, $0.state, $0.startedAt, $0.nextAt] }
        )
    }

    private func text(_ names: [String]) -> String {
        String(decoding: StrictJSON.encode(.array(names.map(JSONValue.string))), as: UTF8.self)
    }

    private func readModels(_ evidence: Evidence, _ db: Database) throws {
        for (table, rows) in evidence.readModels?.tables ?? [:] {
            for row in rows {
                let fields = row.split(separator: "|").map(String.init)
                let marks = Array(repeating: "?", count: fields.count).joined(separator: ", ")
                try insert(
                    "INSERT INTO \(table) VALUES (\(marks))",
                    db,
                    [fields.map { field in Int64(field).map { $0 as any DatabaseValueConvertible } ?? field }]
                )
            }
        }
    }

    private func writeLedger(_ gateway: [GatewayOperation]) throws {
        try FileManager.default.createDirectory(atPath: path + "/gateway", withIntermediateDirectories: true)
        var text = ""
        for line in gateway {
            text += """
                {"amount":\(line.amount),"currency":"\(line.currency)","key":"\(line.key)","operation":"\(line.operation)",\
                "reference":"\(line.reference)","result":"\(line.result)","seq":\(line.sequence)}\n
                """
        }
        try Data(text.utf8).write(to: URL(fileURLWithPath: path + "/gateway/ledger.jsonl"))
    }

    /// Publishes the log; offsets of readers become the ends that it then has.
    private func publish(
        _ log: [LogRecord],
        _ kafka: KafkaClientConfiguration,
        into evidence: inout Evidence
    ) async throws {
        let logger = Logger(label: "test")
        try await withKafkaAdmin(configuration: kafka, logger: logger) { admin in
            try await admin.createTopics(
                Channels.allTopics.map { KafkaNewTopic($0, partitions: Channels.partitionsPerTopic) }
            )
        }
        let producer = try KafkaProducer(configuration: KafkaProducerConfiguration(client: kafka), logger: logger)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await producer.run() }
            var rest = log[...]
            while !rest.isEmpty {
                for result in await producer.publish(rest.prefix(5000).map(Self.record)) {
                    guard case .persisted = result else { throw NotThere() }
                }
                rest = rest.dropFirst(5000)
            }
            producer.shutdown()
            try await group.waitForAll()
        }
        let ends = try await LogLoader.ends(kafka, logger: logger)
        evidence.messaging?.offsets = World.offsets(upTo: ends.filter { $0.value > 0 })
    }

    private static func record(_ record: LogRecord) -> KafkaRecord {
        let envelope = Envelope(
            id: record.eventID ?? "",
            source: "/test",
            type: record.type,
            subject: record.subject,
            time: Timestamp(millisecondsSinceEpoch: record.timeMilliseconds),
            sequence: record.sequence,
            correlationID: record.subject,
            causationID: record.causationID,
            body: record.body
        )
        return KafkaRecord(
            topic: record.topic,
            key: record.key.map { Array($0.utf8) },
            value: record.body,
            headers: EnvelopeHeaders.encode(envelope).map { KafkaHeader($0.name, Array($0.value.utf8)) }
        )
    }
}
