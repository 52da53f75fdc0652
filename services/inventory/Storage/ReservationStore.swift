import Commerce
import DurableStore
import GRDB
import InventoryCore
import Messaging

/// Reservations and stock levels in the database. Every function runs inside the caller's transaction.
struct ReservationStore {
    let db: Database

    func reservation(of orderID: OrderID) throws -> Reservation? {
        let statement = try db.cachedStatement(
            sql: "SELECT status, version, reason, missing_sku FROM reservations WHERE order_id = ?"
        )
        return try statement.first([orderID.text]) { row in
            guard let status = Reservation.Status(rawValue: try row[0]) else { throw CorruptRow(table: "reservations") }
            return try Reservation(
                orderID: orderID,
                status: status,
                version: row[1],
                items: items(of: orderID),
                reason: row[2],
                missing: (row[3] as String?).flatMap(SKU.init)
            )
        }
    }

    /// Orders for which stock is held, by rising id: the oldest first, since identifiers rise with time.
    func held(limit: Int) throws -> [(order: String, since: Timestamp)] {
        try db.cachedStatement(
            sql: "SELECT order_id, updated_at FROM reservations WHERE status = 'held' ORDER BY order_id LIMIT ?"
        ).all([limit]) { try ($0[0], Timestamp(millisecondsSinceEpoch: $0[1])) }
    }

    func levels(of items: [OrderedItem]) throws -> [SKU: StockLevel] {
        let statement = try db.cachedStatement(sql: "SELECT on_hand, reserved FROM stock WHERE sku = ?")
        var levels: [SKU: StockLevel] = [:]
        for item in items {
            try statement.forEach([item.sku.text]) { row in
                levels[item.sku] = try StockLevel(onHand: row[0], reserved: row[1])
            }
        }
        return levels
    }

    /// Writes what a decision changed: the reservation, its history and the stock with its movements.
    func save(_ reservation: Reservation, from previous: Reservation?, stock: [StockChange], at now: Timestamp) throws {
        if previous == nil {
            try db.cachedStatement(
                sql: """
                    INSERT INTO reservations (order_id, status, version, reason, missing_sku, updated_at)
                    VALUES (?, ?, ?, ?, ?, ?)
                    """
            ).run([
                reservation.orderID.text, reservation.status.rawValue, reservation.version, reservation.reason,
                reservation.missing?.text, now.millisecondsSinceEpoch,
            ])
            for item in reservation.items {
                try db.cachedStatement(
                    sql: "INSERT INTO reservation_lines (order_id, sku, quantity) VALUES (?, ?, ?)"
                ).run([reservation.orderID.text, item.sku.text, item.quantity.count])
            }
        } else {
            try db.cachedStatement(
                sql: """
                    UPDATE reservations SET status = ?, version = ?, reason = ?, updated_at = ?
                    WHERE order_id = ? AND version = ?
                    """
            ).run([
                reservation.status.rawValue, reservation.version, reservation.reason, now.millisecondsSinceEpoch,
                reservation.orderID.text, reservation.version - 1,
            ])
            guard db.changesCount == 1 else {
                throw Failure(
                    .retryable,
                    code: "version-conflict",
                    "The reservation changed underneath; it is tried again."
                )
            }
        }
        try db.cachedStatement(
            sql: """
                INSERT INTO reservation_history (order_id, version, from_status, to_status, reason, at)
                VALUES (?, ?, ?, ?, ?, ?)
                """
        ).run([
            reservation.orderID.text, reservation.version, previous?.status.rawValue, reservation.status.rawValue,
            reservation.reason, now.millisecondsSinceEpoch,
        ])
        for change in stock { try apply(change, order: reservation.orderID, at: now) }
    }

    private func apply(_ change: StockChange, order: OrderID, at now: Timestamp) throws {
        try db.cachedStatement(sql: "UPDATE stock SET on_hand = on_hand + ?, reserved = reserved + ? WHERE sku = ?")
            .run([change.onHand, change.reserved, change.sku.text])
        guard change.onHand != 0 else { return }
        try db.cachedStatement(
            sql: """
                INSERT INTO stock_movements (sku, kind, change, on_hand, order_id, at)
                SELECT sku, ?, ?, on_hand, ?, ? FROM stock WHERE sku = ?
                """
        ).run([
            change.onHand < 0 ? "sold" : "returned", change.onHand, order.text, now.millisecondsSinceEpoch,
            change.sku.text,
        ])
    }

    private func items(of orderID: OrderID) throws -> [OrderedItem] {
        let statement = try db.cachedStatement(
            sql: "SELECT sku, quantity FROM reservation_lines WHERE order_id = ? ORDER BY sku"
        )
        return try statement.all([orderID.text]) { row in
            guard let sku = SKU(try row[0]), let quantity = Quantity(try row[1]) else {
                throw CorruptRow(table: "reservation_lines")
            }
            return OrderedItem(sku: sku, quantity: quantity)
        }
    }
}
