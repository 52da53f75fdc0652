import DurableStore
public import GRDB

/// The order service's own tables. Migrations are named, run once each and are never edited after a release.
public enum OrderSchema {
    /// All migrations, for ``DurableStore``.
    public static var migrations: DatabaseMigrator {
        var migrator = DatabaseMigrator()
        migrator.registerMigration("order.1") { db in
            try db.execute(sql: orders)
            try db.execute(sql: lines)
            try db.execute(sql: history)
            try db.execute(sql: inputs)
            try db.execute(sql: idempotency)
            try db.execute(sql: catalogue)
        }
        return migrator
    }

    private static let isStatus = Schema.oneOf(
        "status",
        "placed",
        "awaitingStock",
        "awaitingPayment",
        "confirming",
        "completed",
        "rejected",
        "cancelling",
        "cancelled",
        "needsOperator"
    )

    /// `stage` tells the two states apart that share the status `confirming`; the `undo` columns are the compensation.
    private static let orders = """
        CREATE TABLE orders (
            id TEXT NOT NULL PRIMARY KEY CHECK (length(id) = 36),
            customer TEXT NOT NULL CHECK (length(customer) BETWEEN 1 AND 64),
            card TEXT NOT NULL CHECK (length(card) BETWEEN 1 AND 64),
            currency TEXT NOT NULL CHECK (length(currency) = 3),
            total INTEGER NOT NULL CHECK (total BETWEEN 0 AND 1000000000000000),
            status TEXT NOT NULL CHECK \(isStatus),
            reason TEXT CHECK (length(reason) BETWEEN 1 AND 64),
            stage TEXT CHECK (stage IN ('capturing', 'committing')),
            undo_stock TEXT CHECK \(Schema.oneOf("undo_stock", "not-needed", "outstanding", "done")),
            undo_payment TEXT CHECK \(Schema.oneOf("undo_payment", "not-needed", "outstanding", "done")),
            undo_rounds INTEGER CHECK (undo_rounds >= 1),
            version INTEGER NOT NULL CHECK (version >= 1),
            placed_at INTEGER NOT NULL,
            updated_at INTEGER NOT NULL,
            traceparent TEXT,
            CHECK ((status = 'confirming') = (stage IS NOT NULL)),
            CHECK ((status IN ('cancelling', 'needsOperator')) = (undo_stock IS NOT NULL)),
            CHECK ((undo_stock IS NULL) = (undo_payment IS NULL) AND (undo_stock IS NULL) = (undo_rounds IS NULL)),
            CHECK (\(Schema.oneOf("status", "rejected", "cancelling", "cancelled", "needsOperator")) = (reason IS NOT NULL))
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX orders_by_status ON orders(status, id);
        CREATE TRIGGER orders_end BEFORE UPDATE ON orders
            WHEN \(Schema.oneOf("OLD.status", "completed", "rejected", "cancelled", "needsOperator"))
            BEGIN SELECT RAISE(ABORT, 'an order that has ended does not change'); END;
        CREATE TRIGGER orders_facts BEFORE UPDATE OF id, customer, card, currency, total, placed_at ON orders
            BEGIN SELECT RAISE(ABORT, 'what was ordered does not change'); END;
        CREATE TRIGGER orders_stay BEFORE DELETE ON orders
            BEGIN SELECT RAISE(ABORT, 'orders are not deleted'); END;
        """

    private static let lines = """
        CREATE TABLE order_lines (
            order_id TEXT NOT NULL REFERENCES orders(id),
            line INTEGER NOT NULL CHECK (line BETWEEN 1 AND 100),
            sku TEXT NOT NULL CHECK (length(sku) BETWEEN 1 AND 32),
            quantity INTEGER NOT NULL CHECK (quantity BETWEEN 1 AND 10000),
            unit_price INTEGER NOT NULL CHECK (unit_price BETWEEN 0 AND 1000000000000000),
            PRIMARY KEY (order_id, line),
            UNIQUE (order_id, sku)
        ) STRICT, WITHOUT ROWID;
        CREATE TRIGGER order_lines_fixed BEFORE UPDATE ON order_lines
            BEGIN SELECT RAISE(ABORT, 'order_lines is append-only'); END;
        CREATE TRIGGER order_lines_stay BEFORE DELETE ON order_lines
            BEGIN SELECT RAISE(ABORT, 'order_lines is append-only'); END;
        """

    /// One row per change of status. `event_id` is the message that announced it: the two are written together (X1).
    private static let history = """
        CREATE TABLE order_history (
            order_id TEXT NOT NULL REFERENCES orders(id),
            version INTEGER NOT NULL CHECK (version >= 1),
            from_status TEXT,
            to_status TEXT NOT NULL,
            reason TEXT,
            event_id TEXT NOT NULL,
            at INTEGER NOT NULL,
            PRIMARY KEY (order_id, version),
            CHECK ((version = 1) = (from_status IS NULL))
        ) STRICT, WITHOUT ROWID;
        CREATE TRIGGER order_history_fixed BEFORE UPDATE ON order_history
            BEGIN SELECT RAISE(ABORT, 'order_history is append-only'); END;
        CREATE TRIGGER order_history_stay BEFORE DELETE ON order_history
            BEGIN SELECT RAISE(ABORT, 'order_history is append-only'); END;
        """

    /// The journal: one row for each thing that happened to an order, also when nothing came of it. `sent` lists what was
    /// asked for in answer, as `name:message-id` separated by spaces.
    private static let inputs = """
        CREATE TABLE order_inputs (
            order_id TEXT NOT NULL REFERENCES orders(id),
            number INTEGER NOT NULL CHECK (number >= 1),
            input TEXT NOT NULL,
            disposition TEXT NOT NULL CHECK \(Schema.oneOf("disposition", "applied", "repeated", "late", "unexpected")),
            message_id TEXT,
            sent TEXT NOT NULL,
            at INTEGER NOT NULL,
            PRIMARY KEY (order_id, number)
        ) STRICT, WITHOUT ROWID;
        CREATE TRIGGER order_inputs_fixed BEFORE UPDATE ON order_inputs
            BEGIN SELECT RAISE(ABORT, 'order_inputs is append-only'); END;
        CREATE TRIGGER order_inputs_stay BEFORE DELETE ON order_inputs
            BEGIN SELECT RAISE(ABORT, 'order_inputs is append-only'); END;
        """

    private static let idempotency = """
        CREATE TABLE idempotency_keys (
            key TEXT NOT NULL PRIMARY KEY CHECK (length(key) BETWEEN 1 AND 255),
            request_hash BLOB NOT NULL CHECK (length(request_hash) = 32),
            order_id TEXT NOT NULL REFERENCES orders(id),
            body BLOB NOT NULL,
            created_at INTEGER NOT NULL
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX idempotency_keys_by_age ON idempotency_keys(created_at);
        """

    private static let catalogue = """
        CREATE TABLE catalog_items (
            sku TEXT NOT NULL PRIMARY KEY CHECK (length(sku) BETWEEN 1 AND 32),
            name TEXT NOT NULL,
            price INTEGER NOT NULL CHECK (price BETWEEN 0 AND 1000000000000000),
            currency TEXT NOT NULL CHECK (length(currency) = 3),
            active INTEGER NOT NULL CHECK (active IN (0, 1)),
            sequence INTEGER NOT NULL CHECK (sequence >= 1),
            updated_at INTEGER NOT NULL
        ) STRICT, WITHOUT ROWID;
        """
}
