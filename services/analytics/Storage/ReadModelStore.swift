import AnalyticsCore
import Commerce
import DurableStore
import GRDB
import Messaging

/// Applies changes to the read models. Every function runs inside the caller's transaction, which also moves the offset.
struct ReadModelStore {
    let db: Database

    func version(of orderID: OrderID) throws -> Int64 {
        try db.cachedStatement(sql: "SELECT version FROM order_facts WHERE order_id = ?")
            .first([orderID.text]) { try $0[0] } ?? 0
    }

    func apply(_ change: ReadModelChange) throws {
        switch change {
        case .setOrder(let fact):
            try run(
                """
                INSERT INTO order_facts (order_id, version, status, total_minor, currency, placed_at, at)
                VALUES (?, ?, ?, ?, ?, ?, ?)
                ON CONFLICT (order_id) DO UPDATE SET version = excluded.version, status = excluded.status, at = excluded.at
                """,
                [
                    fact.orderID.text, fact.version, fact.status.rawValue, fact.total.minorUnits,
                    fact.total.currency.rawValue, fact.placedAt.millisecondsSinceEpoch, fact.at.millisecondsSinceEpoch,
                ]
            )
        case .addRevenue(let minute, let amount):
            try run(
                """
                INSERT INTO revenue_by_minute (minute, currency, amount_minor, orders) VALUES (?, ?, ?, 1)
                ON CONFLICT (minute, currency) DO UPDATE SET amount_minor = amount_minor + excluded.amount_minor,
                    orders = orders + 1
                """,
                [minute.millisecondsSinceEpoch, amount.currency.rawValue, amount.minorUnits]
            )
        case .addUnits(let sku, let units):
            try run(
                """
                INSERT INTO units_by_sku (sku, units) VALUES (?, ?)
                ON CONFLICT (sku) DO UPDATE SET units = units + excluded.units
                """,
                [sku.text, units]
            )
        case .addCompletionTime(let milliseconds):
            try run(
                """
                INSERT INTO completion_times (bound_ms, orders) VALUES (?, 1)
                ON CONFLICT (bound_ms) DO UPDATE SET orders = orders + 1
                """,
                [CompletionTimeClass.bound(forMilliseconds: milliseconds)]
            )
        case .addPayment(let kind, let amount):
            try run(
                """
                INSERT INTO payment_totals (kind, currency, amount_minor, payments) VALUES (?, ?, ?, 1)
                ON CONFLICT (kind, currency) DO UPDATE SET amount_minor = amount_minor + excluded.amount_minor,
                    payments = payments + 1
                """,
                [kind.rawValue, amount.currency.rawValue, amount.minorUnits]
            )
        case .nameArticle(let sku, let name):
            try run(
                """
                INSERT INTO article_names (sku, name) VALUES (?, ?)
                ON CONFLICT (sku) DO UPDATE SET name = excluded.name
                """,
                [sku.text, name]
            )
        }
    }

    private func run(_ sql: String, _ values: [Statement.Parameter]) throws {
        try db.cachedStatement(sql: sql).run(values)
    }
}
