import Crypto
import Foundation
import GRDB
import PaymentCore

enum OrderQueries {
    static func read(_ db: Database) throws -> OrderEvidence {
        var lines: [String: (total: Int64?, units: [String: Int64])] = [:]
        let cursor = try Row.fetchCursor(db, sql: "SELECT order_id, sku, quantity, unit_price FROM order_lines")
        while let row = try cursor.next() {
            let order: String = row[0]
            let quantity: Int64 = row[2]
            let (price, overflow) = (row[3] as Int64).multipliedReportingOverflow(by: quantity)
            var entry = lines[order] ?? (0, [:])
            if let sum = entry.total, !overflow {
                let (next, carry) = sum.addingReportingOverflow(price)
                entry.total = carry ? nil : next
            } else {
                entry.total = nil
            }
            entry.units[row[1], default: 0] += quantity
            lines[order] = entry
        }
        let orders = try Row.fetchAll(db, sql: "SELECT id, status, version, total, currency FROM orders ORDER BY id")
            .map { row in
                let entry = lines[row[0]] ?? (0, [:])
                return OrderEvidence.Order(
                    id: row[0],
                    status: row[1],
                    version: row[2],
                    total: row[3],
                    currency: row[4],
                    linesTotal: entry.total,
                    units: entry.units
                )
            }
        return OrderEvidence(
            orders: orders,
            history: try HistoryQueries.read("order_history", db),
            keys: try Row.fetchAll(db, sql: "SELECT key, order_id FROM idempotency_keys").map { ($0[0], $0[1]) }
        )
    }

    /// Applied inputs name the message that caused them.
    static func effects(_ db: Database, into evidence: inout MessagingEvidence) throws {
        let rows = try String.fetchAll(
            db,
            sql: "SELECT message_id FROM order_inputs WHERE message_id IS NOT NULL AND disposition = 'applied'"
        )
        evidence.effects += rows.map { .init(service: "order", consumer: "order.inbox", messageID: $0) }
    }
}

enum PaymentQueries {
    static func read(_ db: Database) throws -> PaymentEvidence {
        var evidence = PaymentEvidence()
        for row in try Row.fetchAll(db, sql: "SELECT order_id, phase FROM payments") {
            evidence.states[row[0]] = row[1]
        }
        evidence.history = try HistoryQueries.read("payment_history", db)
        evidence.intentKeys = try String.fetchSet(db, sql: "SELECT key FROM intents")
        var entries: [Int64: [PaymentEvidence.Entry]] = [:]
        let cursor = try Row.fetchCursor(
            db,
            sql:
                "SELECT transaction_id, account, amount, currency FROM ledger_entries ORDER BY transaction_id, position"
        )
        while let row = try cursor.next() {
            let entry = PaymentEvidence.Entry(
                transaction: String(row[0] as Int64),
                account: row[1],
                amount: row[2],
                currency: row[3]
            )
            entries[row[0], default: []].append(entry)
            evidence.entries.append(entry)
        }
        var previous = LedgerChain.genesis
        for row in try Row.fetchAll(
            db,
            sql: "SELECT id, source_event, order_id, kind, posted_at, hash FROM ledger_transactions ORDER BY id"
        ) {
            let text = LedgerChain.text(
                id: row[0],
                sourceEvent: row[1],
                orderID: row[2],
                kind: row[3],
                postedAt: row[4],
                entries: (entries[row[0]] ?? []).map { ($0.account, $0.amount, $0.currency) },
                previousHash: previous
            )
            let computed = hexadecimal(SHA256.hash(data: Array(text.utf8)))
            evidence.chain.append(
                PaymentEvidence.Link(
                    transaction: String(row[0] as Int64),
                    source: row[1],
                    storedHash: row[5],
                    computedHash: computed
                )
            )
            previous = row[5]
        }
        return evidence
    }

    private static func hexadecimal(_ bytes: some Sequence<UInt8>) -> String {
        let digits = Array("0123456789abcdef".utf8)
        var text: [UInt8] = []
        text.reserveCapacity(64)
        for byte in bytes {
            text.append(digits[Int(byte >> 4)])
            text.append(digits[Int(byte & 0x0F)])
        }
        return String(decoding: text, as: UTF8.self)
    }
}

enum InventoryQueries {
    static func read(_ db: Database) throws -> InventoryEvidence {
        InventoryEvidence(
            levels: try Row.fetchAll(db, sql: "SELECT sku, on_hand, reserved FROM stock ORDER BY sku").map {
                .init(sku: $0[0], onHand: $0[1], reserved: $0[2])
            },
            movements: try Row.fetchAll(
                db,
                sql: "SELECT sku, kind, change, on_hand, order_id FROM stock_movements ORDER BY id"
            ).map { .init(sku: $0[0], kind: $0[1], change: $0[2], onHand: $0[3], order: $0[4]) },
            reservations: Dictionary(
                uniqueKeysWithValues: try Row.fetchAll(db, sql: "SELECT order_id, status FROM reservations").map {
                    ($0[0] as String, $0[1] as String)
                }
            ),
            lines: try Row.fetchAll(db, sql: "SELECT order_id, sku, quantity FROM reservation_lines").map {
                .init(order: $0[0], sku: $0[1], quantity: $0[2])
            },
            history: try HistoryQueries.read("reservation_history", db)
        )
    }
}

enum HistoryQueries {
    static func read(_ table: String, _ db: Database) throws -> [HistoryRow] {
        try Row.fetchAll(
            db,
            sql: "SELECT order_id, version, from_status, to_status FROM \(table) ORDER BY order_id, version"
        ).map { HistoryRow(aggregate: $0[0], version: $0[1], from: $0[2], to: $0[3]) }
    }
}

enum MessagingQueries {
    static func read(_ service: String, _ db: Database, into evidence: inout MessagingEvidence) throws {
        evidence.outbox += try Row.fetchAll(
            db,
            sql: """
                SELECT message_id, CASE transport WHEN 'kafka' THEN target END, subject, sequence, published_at IS NOT NULL,
                    parked_reason FROM outbox
                """
        ).map {
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
        let cursor = try Row.fetchCursor(db, sql: "SELECT consumer, message_id, outcome FROM inbox")
        while let row = try cursor.next() {
            evidence.inbox.append(.init(service: service, consumer: row[0], messageID: row[1], outcome: row[2]))
        }
    }
}

enum ReadModelQueries {
    /// Tables and columns as analytics has them.
    private static let tables = [
        ("order_facts", "order_id, version, status, total_minor, currency, placed_at, at"),
        ("revenue_by_minute", "minute, currency, amount_minor, orders"), ("units_by_sku", "sku, units"),
        ("completion_times", "bound_ms, orders"), ("payment_totals", "kind, currency, amount_minor, payments"),
        ("article_names", "sku, name"),
    ]

    static func read(_ db: Database) throws -> ReadModelEvidence {
        var evidence = ReadModelEvidence()
        for (table, columns) in tables {
            evidence.tables[table] = try Row.fetchAll(db, sql: "SELECT \(columns) FROM \(table)").map { row in
                row.databaseValues.map { value in
                    switch value.storage {
                    case .int64(let integer): String(integer)
                    case .string(let text): text
                    case .null, .double, .blob: ""
                    }
                }.joined(separator: "|")
            }
        }
        for row in try Row.fetchAll(
            db,
            sql: "SELECT topic, partition, next_offset FROM consumer_offsets WHERE consumer = 'analytics'"
        ) {
            evidence.offsets["\(row[0] as String)/\(row[1] as Int64)"] = row[2]
        }
        for row in try Row.fetchAll(
            db,
            sql: "SELECT topic, partition, record_offset FROM parked_records WHERE consumer = 'analytics'"
        ) {
            evidence.parked.insert("\(row[0] as String)/\(row[1] as Int64)@\(row[2] as Int64)")
        }
        return evidence
    }
}

/// Looks, without a copy, whether anything still moves.
enum RestQueries {
    static func unsettled(order: String, others: [String]) throws -> (orders: Int, messages: Int) {
        var orders = 0
        var messages = 0
        for path in [order] + others where FileManager.default.fileExists(atPath: path) {
            var reading = Configuration()
            reading.readonly = true
            reading.busyMode = .timeout(5)
            try DatabaseQueue(path: path, configuration: reading).read { db in
                if path == order {
                    orders +=
                        try Int.fetchOne(
                            db,
                            sql: """
                                SELECT count(*) FROM orders
                                WHERE status NOT IN ('completed', 'rejected', 'cancelled', 'needsOperator')
                                """
                        ) ?? 0
                }
                messages +=
                    try Int.fetchOne(
                        db,
                        sql: "SELECT count(*) FROM outbox WHERE published_at IS NULL AND parked_at IS NULL"
                    ) ?? 0
                if try db.tableExists("parked_records") {
                    messages += try Int.fetchOne(db, sql: "SELECT count(*) FROM parked_records") ?? 0
                }
                // Money that is on its way back after its order has ended moves still. Abandoned intents are not waited for:
                // they are watched for a day.
                if try db.tableExists("intents") {
                    messages +=
                        try Int.fetchOne(
                            db,
                            sql: "SELECT count(*) FROM intents WHERE state IN ('prepared', 'calling', 'unknown')"
                        ) ?? 0
                }
            }
        }
        return (orders, messages)
    }
}
