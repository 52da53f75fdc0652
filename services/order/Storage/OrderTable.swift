import Commerce
import DurableStore
import GRDB
import Messaging
import OrderCore

/// An order with what is stored beside it.
struct StoredOrder: Sendable {
    var order: Order
    /// The trace of the request that placed it, for what no message causes.
    let traceparent: String?
}

/// Orders and their lines.
enum OrderTable {
    /// Writes a new order as it stands after its first decision.
    static func insert(_ order: Order, traceparent: String?, in db: Database) throws {
        let state = StateColumns(order.state)
        try db.cachedStatement(
            sql: """
                INSERT INTO orders(id, customer, card, currency, total, status, reason, stage, undo_stock, undo_payment,
                    undo_rounds, version, placed_at, updated_at, traceparent)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                """
        ).run([
            order.id.text, order.customer.text, order.card.text, order.total.currency.rawValue, order.total.minorUnits,
            state.status, state.reason, state.stage, state.undoStock, state.undoPayment, state.undoRounds,
            order.version,
            order.placedAt.millisecondsSinceEpoch, order.updatedAt.millisecondsSinceEpoch, traceparent,
        ])
        let line = try db.cachedStatement(
            sql: "INSERT INTO order_lines(order_id, line, sku, quantity, unit_price) VALUES (?, ?, ?, ?, ?)"
        )
        for (index, item) in order.lines.enumerated() {
            try line.run([
                order.id.text, index + 1, item.sku.text, item.quantity.count, item.unitPrice.minorUnits,
            ])
        }
    }

    /// Writes where an order stands now.
    ///
    /// - Parameter version: the version that was loaded.
    /// - Throws: a retryable ``Failure`` when the row is at another version.
    static func update(_ order: Order, from version: Int64, in db: Database) throws {
        let state = StateColumns(order.state)
        try db.cachedStatement(
            sql: """
                UPDATE orders SET status = ?, reason = ?, stage = ?, undo_stock = ?, undo_payment = ?, undo_rounds = ?,
                    version = ?, updated_at = ?
                WHERE id = ? AND version = ?
                """
        ).run([
            state.status, state.reason, state.stage, state.undoStock, state.undoPayment, state.undoRounds,
            order.version,
            order.updatedAt.millisecondsSinceEpoch, order.id.text, version,
        ])
        guard db.changesCount == 1 else {
            throw Failure(.retryable, code: "order-version", "The order changed since it was read.")
        }
    }

    /// An order by its id.
    ///
    /// - Throws: a ``Failure`` of class poison when the row is not one that this program wrote.
    static func find(_ id: OrderID, in db: Database) throws -> StoredOrder? {
        try db.cachedStatement(sql: "SELECT \(columns) FROM orders WHERE id = ?")
            .first([id.text]) { try stored($0, in: db) }
    }

    /// A page of orders, the newest first (identifiers rise with time).
    ///
    /// - Parameter before: only orders older than this one.
    static func page(status: OrderStatus?, before: OrderID?, limit: Int, in db: Database) throws -> [Order] {
        // Two texts rather than one with `OR`: each walks an index in the order of the answer.
        let end = before?.text ?? "~"  // Behind every identifier.
        if let status {
            return try db.cachedStatement(
                sql: "SELECT \(columns) FROM orders WHERE status = ? AND id < ? ORDER BY id DESC LIMIT ?"
            ).all([status.rawValue, end, limit]) { try stored($0, in: db).order }
        }
        return try db.cachedStatement(sql: "SELECT \(columns) FROM orders WHERE id < ? ORDER BY id DESC LIMIT ?")
            .all([end, limit]) { try stored($0, in: db).order }
    }

    /// Orders that wait for somebody's answer, by rising id.
    ///
    /// - Parameter last: only orders after this one; `nil` for the first page.
    static func waiting(after last: OrderID?, limit: Int, in db: Database) throws -> [StoredOrder] {
        try db.cachedStatement(
            sql: """
                SELECT \(columns) FROM orders
                WHERE status IN ('awaitingStock', 'awaitingPayment', 'confirming', 'cancelling') AND id > ?
                ORDER BY id LIMIT ?
                """
        ).all([last?.text ?? "", limit]) { try stored($0, in: db) }
    }

    /// How many orders stand where.
    static func counts(in db: Database) throws -> [OrderStatus: Int] {
        var counts: [OrderStatus: Int] = [:]
        for row in try Row.fetchAll(db, sql: "SELECT status, count(*) FROM orders GROUP BY status") {
            if let status = OrderStatus(rawValue: row[0]) { counts[status] = row[1] }
        }
        return counts
    }

    /// Where an order stands, without its lines.
    static func status(of id: OrderID, in db: Database) throws -> (status: OrderStatus, version: Int64)? {
        try db.cachedStatement(sql: "SELECT status, version FROM orders WHERE id = ?").first([id.text]) { row in
            guard let status = OrderStatus(rawValue: try row[0]) else { throw invalidRow("status") }
            return (status, try row[1])
        }
    }

    private static let columns = """
        id, customer, card, currency, total, status, reason, stage, undo_stock, undo_payment, undo_rounds, version, placed_at,
        updated_at, traceparent
        """

    private static func stored(_ row: Columns, in db: Database) throws -> StoredOrder {
        guard let id = OrderID(try row[0]), let customer = CustomerID(try row[1]), let card = CardToken(try row[2]),
            let currency = Currency(rawValue: try row[3]),
            let state = try StateColumns(
                status: row[5],
                reason: row[6],
                stage: row[7],
                undoStock: row[8],
                undoPayment: row[9],
                undoRounds: row[10]
            ).state
        else { throw invalidRow("order") }
        let order = try Order(
            id: id,
            customer: customer,
            card: card,
            lines: lines(of: id, currency: currency, in: db),
            total: Money(minorUnits: row[4], currency: currency),
            placedAt: Timestamp(millisecondsSinceEpoch: row[12]),
            state: state,
            version: row[11],
            updatedAt: Timestamp(millisecondsSinceEpoch: row[13])
        )
        return StoredOrder(order: order, traceparent: try row[14])
    }

    private static func lines(of id: OrderID, currency: Currency, in db: Database) throws -> [OrderLine] {
        try db.cachedStatement(
            sql: "SELECT sku, quantity, unit_price FROM order_lines WHERE order_id = ? ORDER BY line"
        )
        .all([id.text]) { row in
            guard let sku = SKU(try row[0]), let quantity = Quantity(try row[1]) else { throw invalidRow("line") }
            return OrderLine(
                sku: sku,
                quantity: quantity,
                unitPrice: Money(minorUnits: try row[2], currency: currency)
            )
        }
    }

    private static func invalidRow(_ what: String) -> Failure {
        Failure(.poison, code: "order-row-invalid", "A row of an order cannot be read: its \(what) is not valid.")
    }
}
