import Commerce
import DurableStore
import GRDB
import InventoryCore
import Messaging

/// Articles and the stock that people set. Every function runs inside the caller's transaction.
struct CatalogStore {
    let db: Database

    /// An article as lists show it.
    struct Article {
        let sku: SKU
        let name: String
        let price: Money
        let active: Bool
        let level: StockLevel
    }

    /// Puts an article and gives it a stock row. Returns its version, or `nil` when nothing changed.
    func put(_ item: CatalogItemPut) throws -> Int64? {
        let known = try Row.fetchOne(
            db.cachedStatement(
                sql: "SELECT name, price_minor, currency, active, version FROM catalog_items WHERE sku = ?"
            ),
            arguments: [item.sku.text]
        )
        if let known, known[0] == item.name, known[1] == item.price.minorUnits,
            known[2] == item.price.currency.rawValue,
            known[3] == item.active
        {
            return nil
        }
        let version = (known?[4] as Int64? ?? 0) + 1
        try db.cachedStatement(
            sql: """
                INSERT INTO catalog_items (sku, name, price_minor, currency, active, version) VALUES (?, ?, ?, ?, ?, ?)
                ON CONFLICT (sku) DO UPDATE SET name = excluded.name, price_minor = excluded.price_minor,
                    currency = excluded.currency, active = excluded.active, version = excluded.version
                """
        ).run([
            item.sku.text, item.name, item.price.minorUnits, item.price.currency.rawValue, item.active, version,
        ])
        try db.cachedStatement(
            sql: "INSERT INTO stock (sku, on_hand, reserved, version) VALUES (?, 0, 0, 0) ON CONFLICT (sku) DO NOTHING"
        ).run([item.sku.text])
        return version
    }

    /// The pieces of an article and how often a person set them; `nil` for an unknown article.
    func stock(of sku: SKU) throws -> (level: StockLevel, version: Int64)? {
        let statement = try db.cachedStatement(sql: "SELECT on_hand, reserved, version FROM stock WHERE sku = ?")
        return try statement.first([sku.text]) { try (StockLevel(onHand: $0[0], reserved: $0[1]), $0[2]) }
    }

    /// Sets the pieces in the house and records the movement.
    func setOnHand(_ onHand: Int, of sku: SKU, change: Int, version: Int64, at now: Timestamp) throws {
        try db.cachedStatement(sql: "UPDATE stock SET on_hand = ?, version = ? WHERE sku = ?")
            .run([onHand, version, sku.text])
        try db.cachedStatement(
            sql: "INSERT INTO stock_movements (sku, kind, change, on_hand, at) VALUES (?, 'adjusted', ?, ?, ?)"
        ).run([sku.text, change, onHand, now.millisecondsSinceEpoch])
    }

    /// All articles after `sku`, in the order of their names as keys, at most `limit`.
    func articles(after sku: String, limit: Int) throws -> [Article] {
        try Row.fetchAll(
            db.cachedStatement(
                sql: """
                    SELECT c.sku, c.name, c.price_minor, c.currency, c.active, s.on_hand, s.reserved
                    FROM catalog_items c JOIN stock s ON s.sku = c.sku WHERE c.sku > ? ORDER BY c.sku LIMIT ?
                    """
            ),
            arguments: [sku, limit]
        ).map(article)
    }

    /// One article; `nil` when there is none.
    func article(_ sku: SKU) throws -> Article? {
        try Row.fetchOne(
            db.cachedStatement(
                sql: """
                    SELECT c.sku, c.name, c.price_minor, c.currency, c.active, s.on_hand, s.reserved
                    FROM catalog_items c JOIN stock s ON s.sku = c.sku WHERE c.sku = ?
                    """
            ),
            arguments: [sku.text]
        ).map(article)
    }

    private func article(_ row: Row) throws -> Article {
        guard let sku = SKU(row[0]), let currency = Currency(rawValue: row[3]) else {
            throw CorruptRow(table: "catalog_items")
        }
        return Article(
            sku: sku,
            name: row[1],
            price: Money(minorUnits: row[2], currency: currency),
            active: row[4],
            level: StockLevel(onHand: row[5], reserved: row[6])
        )
    }
}
