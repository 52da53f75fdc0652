import AnalyticsService
import DurableStore
import Foundation
import GRDB
import InventoryService
import KitTestSupport
import Logging
import Messaging
import NotificationService
import OrderService
import PaymentService
import Testing

@testable import Verification

@Suite struct TextFileTests {
    static func line(_ sequence: Int, key: String = "k") -> String {
        """
        {"amount":2500,"at":"2026-01-01T00:00:00.000Z","card":"tok","currency":"EUR","id":"cap_\(sequence)","key":"\(key)",\
        "operation":"capture","reference":"\(order(1))","result":"succeeded","seq":\(sequence),"hash":"00"}
        """
    }

    private func ledger(_ text: String) throws -> [GatewayOperation]? {
        let folder = try TemporaryDatabase()
        let path = folder.folder + "/ledger.jsonl"
        try Data(text.utf8).write(to: URL(fileURLWithPath: path))
        return try TextFiles.gatewayLedger(path)
    }

    private func history(_ text: String) throws -> [LoadEntry] {
        let folder = try TemporaryDatabase()
        let path = folder.folder + "/load.jsonl"
        try Data(text.utf8).write(to: URL(fileURLWithPath: path))
        return try TextFiles.loadHistory(path)
    }

    @Test func theLedgerIsRead() throws {
        #expect(try TextFiles.gatewayLedger("/nowhere/ledger.jsonl") == nil)
        #expect(try ledger("") == [])
        let lines = try #require(try ledger(Self.line(1, key: "a") + "\n" + Self.line(2, key: "b") + "\n"))
        #expect(lines.map(\.key) == ["a", "b"])
        #expect(
            lines[0]
                == GatewayOperation(
                    sequence: 1,
                    operation: "capture",
                    result: "succeeded",
                    key: "a",
                    reference: order(1),
                    amount: 2500,
                    currency: "EUR"
                )
        )
    }

    /// A gateway that was killed while writing: cut at any byte, the last line is left out and the ones before stay.
    @Test func aTornLastLineIsLeftOut() throws {
        let last = Self.line(2)
        for length in 0...last.utf8.count {
            let torn = String(decoding: last.utf8.prefix(length), as: UTF8.self)
            #expect(try ledger(Self.line(1) + "\n" + torn)?.count == 1, "cut at \(length)")
        }
    }

    @Test(arguments: [
        "nonsense\n", "\n", "{}\n", "null\n", "[1]\n", line(2) + "\n",
        line(1) + "\n" + line(1) + "\n", line(1) + "\nnonsense\n" + line(2) + "\n", line(1) + "\nnonsense\n",
        line(1) + "\n\n" + line(2) + "\n", line(1) + "\n" + line(3) + "\n",
        line(1).replacing("2500", with: "\"2500\"") + "\n", line(1).replacing("2500", with: "2500.5") + "\n",
    ])
    func aDamagedLedgerIsAFault(_ text: String) {
        #expect(throws: EvidenceFault.self) { try ledger(text) }
    }

    @Test func aFaultNamesTheLine() throws {
        let fault = #expect(throws: EvidenceFault.self) { try ledger(Self.line(1) + "\n" + Self.line(2) + "\n{\n") }
        #expect(fault?.description.contains("Line 3") == true)
    }

    @Test func theHistoryIsReadByKey() throws {
        let entries = try history(
            """
            {"key":"a","outcome":"ok","order":"1"}
            {"key":"b","outcome":"info","reason":"timeout"}
            {"key":"b","outcome":"ok","order":"2"}
            {"key":"b","outcome":"info","reason":"timeout"}
            {"key":"b","outcome":"ok","order":"2"}
            {"key":"c","outcome":"fail","status":422}
            {"key":"d","outcome":"fail","status":429}
            {"key":"d","outcome":"ok","order":"4"}
            {"key":"d","outcome":"ok","order":"5"}
            {"key":"e","outcome":"info"}

            """
        )
        #expect(
            entries == [
                LoadEntry(key: "a", outcome: .ok, orders: ["1"]), LoadEntry(key: "b", outcome: .ok, orders: ["2"]),
                LoadEntry(key: "c", outcome: .fail, orders: []), LoadEntry(key: "d", outcome: .ok, orders: ["4", "5"]),
                LoadEntry(key: "e", outcome: .info, orders: []),
            ]
        )
        #expect(try history("").isEmpty)
        #expect(throws: EvidenceFault.self) { try TextFiles.loadHistory("/nowhere/load.jsonl") }
    }

    @Test func poisonMayBeDoubtful() throws {
        let folder = try TemporaryDatabase()
        let path = folder.folder + "/poison.txt"
        try "chaos-1\n\nchaos-2 ?\nchaos-3 ?\nchaos-3\nchaos-4".write(toFile: path, atomically: true, encoding: .utf8)
        let poison = try TextFiles.poison(path)
        #expect(poison.certain == ["chaos-1", "chaos-3", "chaos-4"])
        #expect(poison.doubtful == ["chaos-2"])
        try "chaos-1 chaos-2\n".write(toFile: path, atomically: true, encoding: .utf8)
        #expect(throws: EvidenceFault.self) { try TextFiles.poison(path) }
        #expect(throws: EvidenceFault.self) { try TextFiles.poison("/nowhere/poison.txt") }
    }

    @Test func aReceiptMayNameItsEndpoint() throws {
        let folder = try TemporaryDatabase()
        let path = folder.folder + "/receipts.jsonl"
        let lines = [
            #"{"id":"e1","digest":"d","verified":true,"status":204,"endpoint":"ep_1"}"#,
            #"{"id":"","digest":"d","verified":false,"status":0}"#, #"{"id":"e1","dig"#,
        ]
        try lines.joined(separator: "\n").write(toFile: path, atomically: true, encoding: .utf8)
        #expect(
            try TextFiles.receipts(path) == [
                WebhookReceipt(event: "e1", digest: "d", isVerified: true, status: 204, endpoint: "ep_1"),
                WebhookReceipt(event: "", digest: "d", isVerified: false, status: 0),
            ]
        )
    }

    @Test func aTornHistoryIsReadAndADamagedOneIsNot() throws {
        let line = #"{"key":"a","outcome":"ok","order":"1"}"#
        #expect(try history(line + "\n" + line.dropLast(5)).count == 1)
        #expect(
            try history(line + "\n" + line.replacing("\"a\"", with: "\"b\"")).count == 2,
            "only the line feed is missing"
        )
        for damaged in [line + "\nnonsense\n" + line + "\n", line + "\nnonsense\n", line + "\n{}\n"] {
            #expect(throws: EvidenceFault.self) { try history(damaged) }
        }
    }
}

@Suite struct DatabaseTests {
    @Test func aCopyIsOneMomentAndLeavesTheOriginalAlone() throws {
        let folder = try TemporaryDatabase()
        #expect(try DatabaseCopy.read(folder.path, { _ in 1 }) == nil, "there is no file, and none is made")
        #expect(!FileManager.default.fileExists(atPath: folder.path))
        let original = try DatabasePool(path: folder.path)
        try original.write { db in try db.execute(sql: "CREATE TABLE t (x INTEGER); INSERT INTO t VALUES (1)") }
        let path = folder.path
        let seen = try DatabaseCopy.read(path) { db in
            // The writer goes on; what was copied stays.
            try original.write { db in try db.execute(sql: "INSERT INTO t VALUES (2)") }
            return try Int.fetchOne(db, sql: "SELECT count(*) FROM t")
        }
        #expect(seen == 1)
        #expect(throws: DatabaseError.self) {
            try DatabaseCopy.read(path) { db in try db.execute(sql: "DELETE FROM t") }
        }
        #expect(try original.read { db in try Int.fetchOne(db, sql: "SELECT count(*) FROM t") } == 2)
    }

    @Test func aFileThatIsNoDatabaseIsAnError() throws {
        let folder = try TemporaryDatabase()
        try Data("this is no database, and long enough to be seen as none".utf8).write(
            to: URL(fileURLWithPath: folder.path)
        )
        #expect(throws: (any Error).self) {
            try DatabaseCopy.read(folder.path) { db in try Int.fetchOne(db, sql: "SELECT count(*) FROM sqlite_master") }
        }
    }

    /// The queries against the services' own schemas, with rows in every table they read.
    @Test func aRunDirectoryIsReadWhole() async throws {
        let folder = try TemporaryDatabase()
        let data = folder.folder
        try await fill(data + "/order", "order", OrderSchema.migrations) {
            """
            INSERT INTO orders (id, customer, card, currency, total, status, reason, version, placed_at, updated_at)
                VALUES ('\(order(1))', 'ann', 'tok', 'EUR', 2500, 'rejected', 'out-of-stock', 3, 1, 1);
            INSERT INTO order_lines VALUES ('\(order(1))', 1, 'MUG', 2, 1000), ('\(order(1))', 2, 'TEE', 1, 500);
            INSERT INTO order_history VALUES ('\(order(1))', 1, NULL, 'placed', NULL, 'e1', 1),
                ('\(order(1))', 2, 'placed', 'awaitingStock', NULL, 'e2', 1),
                ('\(order(1))', 3, 'awaitingStock', 'rejected', NULL, 'e3', 1);
            INSERT INTO order_inputs VALUES ('\(order(1))', 1, 'place', 'applied', NULL, 'reserve-stock:m0', 1),
                ('\(order(1))', 2, 'stockRefused', 'applied', 'm1', '', 1),
                ('\(order(1))', 3, 'stockRefused', 'late', 'm2', '', 1);
            INSERT INTO deadlines (name, subject, due_at, retry_at) VALUES ('stock', '\(order(1))', 9, 9);
            INSERT INTO idempotency_keys VALUES ('key-1', zeroblob(32), '\(order(1))', x'', 1);
            INSERT INTO inbox VALUES ('order.inbox', 'm1', 1, 't', 'handled', NULL, 1),
                ('order.inbox', 'm2', 1, 't', 'noop', NULL, 1);
            """
        }
        try await fill(data + "/payment", "payment", PaymentSchema.migrator) {
            """
            INSERT INTO payments (order_id, payment_id, phase, answer_owed, refunded, version, milestone, revision,
                correlation_id, created_at, updated_at)
                VALUES ('\(order(1))', '\(order(1))', 'cancelled', 0, 0, 1, 'cancelled', 1, 'c', 1, 1);
            INSERT INTO payment_history VALUES ('\(order(1))', 1, NULL, 'cancelled', NULL, 1);
            INSERT INTO intents (key, order_id, kind, round, state, tries, created_at, updated_at)
                VALUES ('intent-1', '\(order(1))', 'authorize', 1, 'prepared', 0, 1, 1);
            """
        }
        try await fill(data + "/inventory", "inventory", InventorySchema.migrations) {
            """
            INSERT INTO catalog_items VALUES ('MUG', 'Mug', 1, 'EUR', 1, 1);
            INSERT INTO stock VALUES ('MUG', 10, 3, 1);
            INSERT INTO stock_movements (sku, kind, change, on_hand, at) VALUES ('MUG', 'adjusted', 10, 10, 1);
            INSERT INTO reservations VALUES ('\(order(1))', 'held', 1, NULL, NULL, 1);
            INSERT INTO reservation_lines VALUES ('\(order(1))', 'MUG', 3);
            INSERT INTO reservation_history VALUES ('\(order(1))', 1, NULL, 'held', NULL, 1);
            """
        }
        try await fill(data + "/analytics", "analytics", AnalyticsSchema.migrations) {
            """
            INSERT INTO order_facts VALUES ('\(order(1))', 3, 'rejected', 2500, 'EUR', 1, 2);
            INSERT INTO consumer_offsets VALUES ('analytics', 'orders', 2, 7), ('another', 'orders', 2, 9);
            INSERT INTO parked_records (consumer, topic, partition, subject, record_offset, attempts, bytes, parked_at, headers,
                body) VALUES ('analytics', 'orders', 2, 's', 6, 0, 2, 1, x'5b5d', x''), ('another', 'orders', 2, 's', 6, 0, 2,
                1, x'5b5d', x'');
            """
        }
        try await fill(data + "/notification", "notification", NotificationSchema.migrations) { Self.webhooks }
        try FileManager.default.createDirectory(atPath: data + "/gateway", withIntermediateDirectories: true)
        try Data().write(to: URL(fileURLWithPath: data + "/gateway/ledger.jsonl"))

        let loader = EvidenceLoader(
            dataDirectory: data,
            kafka: nil,
            logger: Logger(label: "test")
        )
        var parts: [String] = []
        let evidence = try await loader.load(isQuiescent: false) { parts.append($0) }
        #expect(parts.first == "the gateway's ledger" && parts.count == 6)
        #expect(loader.hasDatabases)
        #expect(!evidence.isQuiescent && evidence.log == nil && evidence.load == nil)
        #expect(evidence.gateway == [])
        let orders = try #require(evidence.orders)
        #expect(
            orders.orders == [
                .init(
                    id: order(1),
                    status: "rejected",
                    version: 3,
                    total: 2500,
                    currency: "EUR",
                    linesTotal: 2500,
                    units: ["MUG": 2, "TEE": 1]
                )
            ]
        )
        #expect(orders.history.map(\.to) == ["placed", "awaitingStock", "rejected"])
        #expect(orders.history.first?.from == nil)
        #expect(orders.keys.map(\.key) == ["key-1"] && orders.keys.map(\.order) == [order(1)])
        let messaging = try #require(evidence.messaging)
        #expect(messaging.effects == [.init(service: "order", consumer: "order.inbox", messageID: "m1")])
        #expect(messaging.inbox.map(\.messageID) == ["m1", "m2"])
        // One event and one command from each of the five.
        #expect(messaging.outbox.count == 10)
        let event = try #require(messaging.outbox.first { $0.service == "order" && $0.topic != nil })
        #expect(event.topic == "orders" && event.sequence == 1 && !event.published && event.parked == nil)
        #expect(messaging.outbox.filter { $0.topic == nil }.allSatisfy { $0.sequence == nil })
        let payments = try #require(evidence.payments)
        #expect(payments.states == [order(1): "cancelled"] && payments.intentKeys == ["intent-1"])
        #expect(payments.history.map(\.to) == ["cancelled"])
        let inventory = try #require(evidence.inventory)
        #expect(inventory.levels == [.init(sku: "MUG", onHand: 10, reserved: 3)])
        #expect(inventory.movements.map(\.change) == [10] && inventory.movements.first?.order == nil)
        #expect(inventory.reservations == [order(1): "held"])
        #expect(inventory.lines == [.init(order: order(1), sku: "MUG", quantity: 3)])
        let models = try #require(evidence.readModels)
        #expect(models.tables["order_facts"] == ["\(order(1))|3|rejected|2500|EUR|1|2"])
        #expect(models.tables.count == 6)
        #expect(models.offsets == ["orders/2": 7])
        #expect(models.parked == ["orders/2@6"])

        var placed = OrderEvidence.JournalRow(
            order: order(1),
            input: "place",
            disposition: "applied",
            messageID: nil,
            sent: [.init(name: "reserve-stock", messageID: "m0")]
        )
        placed.at = 1
        #expect(orders.journal?.first == placed)
        #expect(orders.deadlines == [order(1)])
        #expect(
            payments.intents
                == [.init(key: "intent-1", order: order(1), kind: "authorize", state: "prepared", isDue: false)]
        )
        #expect(inventory.expiries == [])
        #expect(inventory.articles == [.init(sku: "MUG", catalogVersion: 1, stockVersion: 1)])
        #expect(messaging.offsets?.count == 2 && messaging.offsets?.first?.partition == "orders/2")
        #expect(messaging.remembersSince["order"] == 1 && messaging.remembersSince["payment"] == nil)
        #expect(messaging.inbox.first?.bodyHash == 1)
        let webhooks = try #require(evidence.webhooks)
        #expect(
            webhooks.deliveries
                == [.init(number: 1, event: "event-1", endpoint: "ep", state: "delivered", attempts: 1)]
        )
        #expect(
            webhooks.attempts
                == [.init(delivery: 1, number: 1, trigger: "scheduled", state: "succeeded", startedAt: 5)]
        )
        #expect(webhooks.events == ["event-1": .init(type: "t", recordedAt: 1)] && !webhooks.isPruned)
        #expect(webhooks.endpoints == [.init(id: "ep", unchangedSince: 1)])
        #expect(evidence.deadLetters?.map(\.id) == ["letter-1"])
        #expect(evidence.deadLetters?.first?.requeueActs == 1)

        let rest = try await loader.rest()
        #expect(rest.orders == 0 && rest.messages == 12 && rest.money == 1 && rest.webhooks == 0 && rest.unread == nil)
        #expect(!rest.isComplete && rest.description == "12 waiting messages, 1 payment under way")

        // Analytics has read orders/2 up to 7, the others nothing, which no row says; who does not read inventory is not waited for.
        let ends: [String: Int64] = ["orders/2": 10, "orders/3": 4, "inventory/0": 5, "catalog/1": 1]
        #expect(try RestQueries.look(data, ends: ends).unread == (3 + 4 + 1) + (10 + 4 + 5) + 1)
    }

    private static let webhooks = """
        INSERT INTO webhook_endpoints (id, url, description, event_types, headers, metadata, state, timeout_ms, max_in_flight,
            ordering, on_exhausted, terminal_statuses, signs, version, created_at, updated_at)
            VALUES ('ep', 'http://127.0.0.1:1/', '', '[]', '{}', '{}', 'enabled', 1000, 1, 'none', 'skip', '[]', 'v1', 1, 1, 1);
        INSERT INTO webhook_messages (id, type, subject, sequence, traceparent, body, is_test, occurred_at, created_at)
                VALUES ('event-1', 't', 's', 1, NULL, x'', 0, 1, 1);
        INSERT INTO webhook_deliveries (id, message_id, endpoint_id, type, state, attempt_trigger, lane, attempts, created_at,
            completed_at) VALUES ('d1', 'event-1', 'ep', 't', 'delivered', 'scheduled', 0, 1, 1, 9);
        INSERT INTO webhook_attempts (id, delivery_seq, number, attempt_trigger, state, started_at, ended_at, url,
            request_headers) VALUES ('a1', 1, 1, 'scheduled', 'succeeded', 5, 9, 'u', '[]');
        INSERT INTO dead_letters (id, transport, consumer, source, message_id, failure_class, code, error, attempts,
            first_failed_at, failed_at, headers, body, state, state_changed_at, requeues, recorded_at)
            VALUES ('letter-1', 'kafka', 'notification', 'orders/1@2', 'm9', 'poison', 'c', 'e', 1, 1, 1, x'', x'', 'requeued', 1,
                1, 1);
        INSERT INTO dead_letter_acts (letter_id, verb, actor, outcome, at) VALUES ('letter-1', 'requeue', 'me', 'failed', 1),
            ('letter-1', 'requeue', 'me', 'handled', 1);
        """

    /// The regression: money that lands after its intent was given up was not waited for, and then looked like a violation.
    @Test func moneyThatLandsLateIsWaitedFor() async throws {
        let folder = try TemporaryDatabase()
        let data = folder.folder
        try await fill(data + "/payment", "payment", PaymentSchema.migrator, sends: false) {
            """
            INSERT INTO payments (order_id, payment_id, phase, answer_owed, refunded, version, milestone, revision,
                correlation_id, created_at, updated_at)
                VALUES ('\(order(1))', '\(order(1))', 'cancelled', 0, 0, 1, 'cancelled', 1, 'c', 1, 1);
            INSERT INTO intents (key, order_id, kind, round, state, due_at, tries, created_at, updated_at)
                VALUES ('capture-1', '\(order(1))', 'capture', 1, 'abandoned', 9, 0, 1, 1);
            """
        }
        let loader = EvidenceLoader(dataDirectory: data, kafka: nil, logger: Logger(label: "test"))
        func rest() async throws -> Rest { try await loader.rest() }
        #expect(try await rest().isComplete, "an abandoned intent alone is watched for a day and not waited for")
        try FileManager.default.createDirectory(atPath: data + "/gateway", withIntermediateDirectories: true)
        let ledger = data + "/gateway/ledger.jsonl"
        let promise = #"{"authorization":"auth_1","due":99,"key":"capture-1"}"#
        try Data((promise + "\n" + promise.replacing("capture-1", with: "capture-2")).utf8)
            .write(to: URL(fileURLWithPath: ledger + ".late"))
        #expect(try await rest().money == 1, "the gateway has taken it on; the torn line was never promised")
        try Data((TextFileTests.line(1, key: "capture-1") + "\n").utf8).write(to: URL(fileURLWithPath: ledger))
        #expect(try await rest().money == 1, "it has landed, and payment does not know yet")
        let store = try DurableStore(
            DurableStoreConfiguration(path: data + "/payment/payment.db"),
            migrations: PaymentSchema.migrator
        )
        try await store.write { tx in
            try tx.db.execute(sql: "UPDATE intents SET state = 'succeeded', reference = 'cap_1', due_at = NULL")
        }
        await store.close()
        #expect(try await rest().isComplete)
    }

    @Test func anEmptyRunDirectoryIsSaidToBeEmpty() async throws {
        let folder = try TemporaryDatabase()
        let loader = EvidenceLoader(
            dataDirectory: folder.folder,
            kafka: nil,
            logger: Logger(label: "test")
        )
        let evidence = try await loader.load(isQuiescent: true) { _ in }
        #expect(evidence.orders == nil && evidence.gateway == nil && evidence.readModels == nil)
        #expect(!loader.hasDatabases)
        #expect(try await loader.rest().isComplete)
    }

    /// The chain is computed as the payment service computes it: what it wrote holds, what was edited does not.
    @Test func theLedgerChainIsComputedFromTheRows() async throws {
        let folder = try TemporaryDatabase()
        try await fill(folder.folder + "/payment", "payment", PaymentSchema.migrator) {
            """
            INSERT INTO payments (order_id, payment_id, phase, answer_owed, refunded, version, milestone, revision,
                correlation_id, created_at, updated_at)
                VALUES ('\(order(1))', '\(order(1))', 'cancelled', 0, 0, 1, 'cancelled', 1, 'c', 1, 1);
            INSERT INTO ledger_entries VALUES (1, 1, 'card_clearing', 2500, 'EUR'), (1, 2, 'revenue', -2500, 'EUR');
            INSERT INTO ledger_transactions VALUES (1, 'event-1', '\(order(1))', 'capture', 1767225600000,
                '0000000000000000000000000000000000000000000000000000000000000000', '\(Self.firstHash)');
            """
        }
        let loader = EvidenceLoader(
            dataDirectory: folder.folder,
            kafka: nil,
            logger: Logger(label: "test")
        )
        let evidence = try await loader.load(isQuiescent: true) { _ in }
        let link = try #require(evidence.payments?.chain.first)
        #expect(link.computedHash == Self.firstHash && link.storedHash == Self.firstHash)
        #expect(link.transaction == "1" && link.source == "event-1")
        #expect(evidence.payments?.entries.map(\.amount) == [2500, -2500])
    }

    /// SHA-256, by `sha256sum`, of the text that LedgerChain describes for the transaction above.
    private static let firstHash = "70e12c733eea949ba0f4a32297b186f5ef3931620b4dd81b2f2aca0fd46d0fa8"

    private func fill(
        _ folder: String,
        _ service: String,
        _ migrations: DatabaseMigrator,
        sends: Bool = true,
        _ rows: @escaping @Sendable () -> String
    ) async throws {
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        let store = try DurableStore(
            DurableStoreConfiguration(path: "\(folder)/\(service).db"),
            migrations: migrations
        )
        try await store.write { tx in
            try tx.db.execute(sql: rows())
            guard sends else { return }
            for (target, sequence) in [(Destination.topic(service + "s"), Int64(1)), (.inbox("x.inbox"), nil)] {
                try tx.enqueue(
                    OutgoingMessage(
                        to: target,
                        Envelope(
                            id: tx.newID(),
                            source: "/x",
                            type: "t",
                            subject: order(1),
                            time: tx.now,
                            sequence: sequence,
                            correlationID: "c",
                            body: []
                        )
                    )
                )
            }
        }
        await store.close()
    }
}
