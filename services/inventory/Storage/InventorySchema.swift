import DurableStore
public import GRDB

/// The tables of inventory. The schema is the first line of defence: no level can go negative, whatever the code does.
public enum InventorySchema {
    /// The migrations, oldest first; a released one is never edited.
    public static var migrations: DatabaseMigrator {
        var migrator = DatabaseMigrator()
        migrator.registerMigration("inventory-1") { db in
            try db.execute(
                sql: """
                    CREATE TABLE catalog_items (
                        sku TEXT NOT NULL PRIMARY KEY,
                        name TEXT NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
                        price_minor INTEGER NOT NULL CHECK (price_minor BETWEEN 0 AND 1000000000000000),
                        currency TEXT NOT NULL,
                        active INTEGER NOT NULL CHECK (active IN (0, 1)),
                        version INTEGER NOT NULL CHECK (version >= 1)
                    ) STRICT, WITHOUT ROWID;

                    CREATE TABLE stock (
                        sku TEXT NOT NULL PRIMARY KEY REFERENCES catalog_items (sku),
                        on_hand INTEGER NOT NULL CHECK (on_hand BETWEEN 0 AND 1000000000),
                        reserved INTEGER NOT NULL CHECK (reserved >= 0),
                        version INTEGER NOT NULL CHECK (version >= 0),
                        CHECK (reserved <= on_hand)
                    ) STRICT, WITHOUT ROWID;

                    -- Every change of on_hand, so that levels can be recomputed from the beginning.
                    CREATE TABLE stock_movements (
                        id INTEGER PRIMARY KEY AUTOINCREMENT,
                        sku TEXT NOT NULL REFERENCES stock (sku),
                        kind TEXT NOT NULL CHECK \(Schema.oneOf("kind", "adjusted", "sold", "returned")),
                        change INTEGER NOT NULL,
                        on_hand INTEGER NOT NULL CHECK (on_hand >= 0),
                        order_id TEXT,
                        at INTEGER NOT NULL,
                        CHECK ((kind = 'adjusted') = (order_id IS NULL))
                    ) STRICT;
                    CREATE TRIGGER stock_movements_no_update BEFORE UPDATE ON stock_movements
                        BEGIN SELECT RAISE(ABORT, 'stock_movements is append-only'); END;
                    CREATE TRIGGER stock_movements_no_delete BEFORE DELETE ON stock_movements
                        BEGIN SELECT RAISE(ABORT, 'stock_movements is append-only'); END;

                    CREATE TABLE reservations (
                        order_id TEXT NOT NULL PRIMARY KEY,
                        status TEXT NOT NULL
                            CHECK \(Schema.oneOf("status", "held", "refused", "committed", "released", "expired")),
                        version INTEGER NOT NULL CHECK (version >= 1),
                        reason TEXT,
                        missing_sku TEXT,
                        updated_at INTEGER NOT NULL
                    ) STRICT, WITHOUT ROWID;
                    CREATE INDEX reservations_open ON reservations (order_id) WHERE status = 'held';

                    CREATE TABLE reservation_lines (
                        order_id TEXT NOT NULL REFERENCES reservations (order_id),
                        sku TEXT NOT NULL,
                        quantity INTEGER NOT NULL CHECK (quantity BETWEEN 1 AND 10000),
                        PRIMARY KEY (order_id, sku)
                    ) STRICT, WITHOUT ROWID;

                    CREATE TABLE reservation_history (
                        order_id TEXT NOT NULL REFERENCES reservations (order_id),
                        version INTEGER NOT NULL CHECK (version >= 1),
                        from_status TEXT,
                        to_status TEXT NOT NULL,
                        reason TEXT,
                        at INTEGER NOT NULL,
                        PRIMARY KEY (order_id, version)
                    ) STRICT, WITHOUT ROWID;
                    CREATE TRIGGER reservation_history_no_update BEFORE UPDATE ON reservation_history
                        BEGIN SELECT RAISE(ABORT, 'reservation_history is append-only'); END;
                    CREATE TRIGGER reservation_history_no_delete BEFORE DELETE ON reservation_history
                        BEGIN SELECT RAISE(ABORT, 'reservation_history is append-only'); END;
                    """
            )
        }
        return migrator
    }
}
