public import GRDB

/// The tables of analytics: nothing but what the fold of the log makes.
public enum AnalyticsSchema {
    /// The read models, with the key that orders each for comparison.
    static let readModels: [(table: String, columns: String, key: String)] = [
        ("order_facts", "order_id, version, status, total_minor, currency, placed_at, at", "order_id"),
        ("revenue_by_minute", "minute, currency, amount_minor, orders", "minute, currency"),
        ("units_by_sku", "sku, units", "sku"),
        ("completion_times", "bound_ms, orders", "bound_ms"),
        ("payment_totals", "kind, currency, amount_minor, payments", "kind, currency"),
        ("article_names", "sku, name", "sku"),
    ]

    /// The migrations, oldest first; a released one is never edited.
    public static var migrations: DatabaseMigrator {
        var migrator = DatabaseMigrator()
        migrator.registerMigration("analytics-1") { db in
            try db.execute(
                sql: """
                    CREATE TABLE order_facts (
                        order_id TEXT NOT NULL PRIMARY KEY,
                        version INTEGER NOT NULL CHECK (version >= 1),
                        status TEXT NOT NULL,
                        total_minor INTEGER NOT NULL,
                        currency TEXT NOT NULL,
                        placed_at INTEGER NOT NULL,
                        at INTEGER NOT NULL
                    ) STRICT, WITHOUT ROWID;
                    CREATE INDEX order_facts_by_status ON order_facts (status);

                    CREATE TABLE revenue_by_minute (
                        minute INTEGER NOT NULL,
                        currency TEXT NOT NULL,
                        amount_minor INTEGER NOT NULL,
                        orders INTEGER NOT NULL,
                        PRIMARY KEY (minute, currency)
                    ) STRICT, WITHOUT ROWID;

                    CREATE TABLE units_by_sku (
                        sku TEXT NOT NULL PRIMARY KEY,
                        units INTEGER NOT NULL
                    ) STRICT, WITHOUT ROWID;

                    CREATE TABLE completion_times (
                        bound_ms INTEGER NOT NULL PRIMARY KEY,
                        orders INTEGER NOT NULL
                    ) STRICT;

                    CREATE TABLE payment_totals (
                        kind TEXT NOT NULL,
                        currency TEXT NOT NULL,
                        amount_minor INTEGER NOT NULL,
                        payments INTEGER NOT NULL,
                        PRIMARY KEY (kind, currency)
                    ) STRICT, WITHOUT ROWID;

                    CREATE TABLE article_names (
                        sku TEXT NOT NULL PRIMARY KEY,
                        name TEXT NOT NULL
                    ) STRICT, WITHOUT ROWID;
                    """
            )
        }
        return migrator
    }
}
