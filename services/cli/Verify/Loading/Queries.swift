import Cryptography
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
        let orders = try db.rows(
            """
            SELECT id, status, version, total, currency,
                iif(undo_stock = 'outstanding' OR undo_payment = 'outstanding', undo_rounds, NULL) FROM orders ORDER BY id
            """
        ) { row in
            let entry = lines[row[0]] ?? (0, [:])
            var order = OrderEvidence.Order(
                id: row[0],
                status: row[1],
                version: row[2],
                total: row[3],
                currency: row[4],
                linesTotal: entry.total,
                units: entry.units
            )
            order.openRounds = row[5]
            return order
        }
        var evidence = OrderEvidence(
            orders: orders,
            history: try HistoryQueries.read("order_history", db),
            keys: try db.rows("SELECT key, order_id FROM idempotency_keys") { ($0[0], $0[1]) }
        )
        evidence.journal = try journal(db)
        evidence.deadlines = try String.fetchSet(db, sql: "SELECT subject FROM deadlines")
        return evidence
    }

    private static func journal(_ db: Database) throws -> [OrderEvidence.JournalRow] {
        try db.rows(
            "SELECT order_id, input, disposition, message_id, sent, at FROM order_inputs ORDER BY order_id, number"
        ) { row in
            var entry = OrderEvidence.JournalRow(
                order: row[0],
                input: row[1],
                disposition: row[2],
                messageID: row[3],
                sent: (row[4] as String).split(separator: " ").map { token in
                    let parts = token.split(separator: ":", maxSplits: 1)
                    return .init(name: String(parts.first ?? ""), messageID: parts.count == 2 ? String(parts[1]) : "")
                }
            )
            entry.at = row[5]
            return entry
        }
    }

    /// Applied inputs name the message that caused them.
    ///
    /// - Parameter since: from when on the inbox remembers; `nil` for all time. The journal is for ever, the inbox is not.
    static func effects(of evidence: OrderEvidence, since: Int64?) -> [MessagingEvidence.Effect] {
        (evidence.journal ?? []).compactMap { row in
            guard row.disposition == "applied", let message = row.messageID, row.at >= since ?? .min else { return nil }
            return .init(service: "order", consumer: "order.inbox", messageID: message)
        }
    }
}

enum PaymentQueries {
    static func read(_ db: Database) throws -> PaymentEvidence {
        var evidence = PaymentEvidence()
        for row in try Row.fetchAll(db, sql: "SELECT order_id, phase FROM payments") {
            evidence.states[row[0]] = row[1]
        }
        evidence.history = try HistoryQueries.read("payment_history", db)
        let intents = try db.rows("SELECT key, order_id, kind, state, due_at IS NOT NULL FROM intents") { row in
            PaymentEvidence.Intent(key: row[0], order: row[1], kind: row[2], state: row[3], isDue: row[4])
        }
        evidence.intentKeys = Set(intents.map(\.key))
        evidence.intents = intents
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
        let transactions = try Row.fetchCursor(
            db,
            sql: "SELECT id, source_event, order_id, kind, posted_at, hash FROM ledger_transactions ORDER BY id"
        )
        while let row = try transactions.next() {
            let text = LedgerChain.text(
                id: row[0],
                sourceEvent: row[1],
                orderID: row[2],
                kind: row[3],
                postedAt: row[4],
                entries: (entries[row[0]] ?? []).map { ($0.account, $0.amount, $0.currency) },
                previousHash: previous
            )
            let computed = SHA256.hash(Array(text.utf8)).hexadecimal
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
}

enum InventoryQueries {
    static func read(_ db: Database) throws -> InventoryEvidence {
        var evidence = InventoryEvidence(
            levels: try db.rows("SELECT sku, on_hand, reserved FROM stock ORDER BY sku") {
                .init(sku: $0[0], onHand: $0[1], reserved: $0[2])
            },
            movements: try db.rows("SELECT sku, kind, change, on_hand, order_id FROM stock_movements ORDER BY id") {
                .init(sku: $0[0], kind: $0[1], change: $0[2], onHand: $0[3], order: $0[4])
            },
            reservations: Dictionary(
                uniqueKeysWithValues: try db.rows("SELECT order_id, status FROM reservations") {
                    ($0[0] as String, $0[1] as String)
                }
            ),
            lines: try db.rows("SELECT order_id, sku, quantity FROM reservation_lines") {
                .init(order: $0[0], sku: $0[1], quantity: $0[2])
            },
            history: try HistoryQueries.read("reservation_history", db)
        )
        evidence.expiries = try String.fetchSet(db, sql: "SELECT subject FROM deadlines WHERE name = 'reservation'")
        evidence.articles = try db.rows(
            "SELECT c.sku, c.version, coalesce(s.version, 0) FROM catalog_items c LEFT JOIN stock s ON s.sku = c.sku"
        ) { .init(sku: $0[0], catalogVersion: $0[1], stockVersion: $0[2]) }
        return evidence
    }
}

enum HistoryQueries {
    static func read(_ table: String, _ db: Database) throws -> [HistoryRow] {
        try db.rows("SELECT order_id, version, from_status, to_status FROM \(table) ORDER BY order_id, version") {
            HistoryRow(aggregate: $0[0], version: $0[1], from: $0[2], to: $0[3])
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

extension Database {
    /// The rows of a query as values, one at a time: a row of GRDB's own is larger than most of what is made of it.
    func rows<Value>(_ sql: String, _ make: (Row) throws -> Value) throws -> [Value] {
        var values: [Value] = []
        let cursor = try Row.fetchCursor(cachedStatement(sql: sql))
        while let row = try cursor.next() { values.append(try make(row)) }
        return values
    }
}
