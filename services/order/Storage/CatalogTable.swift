import Commerce
import DurableStore
import GRDB
import Messaging
import OrderCore

/// This service's copy of the catalogue, made from events. Prices of new orders come from here.
enum CatalogTable {
    /// Takes an article over unless a later version of it is there.
    ///
    /// - Returns: whether the row changed.
    static func put(_ item: CatalogItemPut, sequence: Int64, at now: Timestamp, in db: Database) throws -> Bool {
        try db.cachedStatement(
            sql: """
                INSERT INTO catalog_items(sku, name, price, currency, active, sequence, updated_at)
                VALUES (?, ?, ?, ?, ?, ?, ?)
                ON CONFLICT(sku) DO UPDATE SET name = excluded.name, price = excluded.price, currency = excluded.currency,
                    active = excluded.active, sequence = excluded.sequence, updated_at = excluded.updated_at
                WHERE excluded.sequence > catalog_items.sequence
                """
        ).run([
            item.sku.text, item.name, item.price.minorUnits, item.price.currency.rawValue, item.active ? 1 : 0,
            sequence,
            now.millisecondsSinceEpoch,
        ])
        return db.changesCount > 0
    }

    static func article(_ sku: SKU, in db: Database) throws -> CatalogArticle? {
        try db.cachedStatement(sql: "SELECT price, currency, active FROM catalog_items WHERE sku = ?")
            .first([sku.text]) { row in
                guard let currency = Currency(rawValue: try row[1]) else {
                    throw Failure(.poison, code: "catalog-row-invalid", "A row of the catalogue cannot be read.")
                }
                return try CatalogArticle(price: Money(minorUnits: row[0], currency: currency), active: row[2])
            }
    }
}
