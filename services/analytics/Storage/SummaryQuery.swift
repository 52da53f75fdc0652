import AnalyticsCore
import GRDB
import StrictJSON

/// What the summary shows, read in one transaction.
struct SummaryQuery {
    let db: Database
    /// The most recent minutes of revenue that are shown.
    static let minutes = 60

    func document() throws -> JSONValue {
        .object([
            "ordersByStatus": try object("SELECT status, count(*) FROM order_facts GROUP BY status ORDER BY status"),
            "revenue": try rows(
                "SELECT currency, sum(amount_minor), sum(orders) FROM revenue_by_minute GROUP BY currency ORDER BY currency",
                ["currency", "minorUnits", "orders"]
            ),
            "revenueByMinute": try rows(
                """
                SELECT minute, currency, amount_minor, orders FROM revenue_by_minute
                WHERE minute > (SELECT coalesce(max(minute), 0) FROM revenue_by_minute) - \(Self.minutes * 60_000)
                ORDER BY minute, currency
                """,
                ["minute", "currency", "minorUnits", "orders"]
            ),
            "unitsBySku": try rows(
                """
                SELECT u.sku, coalesce(n.name, ''), u.units FROM units_by_sku u LEFT JOIN article_names n ON n.sku = u.sku
                ORDER BY u.units DESC, u.sku LIMIT 100
                """,
                ["sku", "name", "units"]
            ),
            "payments": try rows(
                "SELECT kind, currency, amount_minor, payments FROM payment_totals ORDER BY kind, currency",
                ["kind", "currency", "minorUnits", "payments"]
            ),
            "timeToComplete": try times(),
        ])
    }

    private func times() throws -> JSONValue {
        let counts = try Row.fetchAll(db, sql: "SELECT bound_ms, orders FROM completion_times ORDER BY bound_ms").map {
            (bound: $0[0] as Int64, count: $0[1] as Int64)
        }
        func upTo(_ fraction: Double) -> JSONValue {
            guard let bound = CompletionTimeClass.quantile(fraction, of: counts) else { return .null }
            return bound == CompletionTimeClass.unbounded ? .null : .integer(bound)
        }
        return .object([
            "orders": .integer(counts.reduce(0) { $0 + $1.count }), "p50UpToMs": upTo(0.5), "p99UpToMs": upTo(0.99),
            "p999UpToMs": upTo(0.999),
        ])
    }

    private func object(_ sql: String) throws -> JSONValue {
        var object = JSONObject()
        for row in try Row.fetchAll(db, sql: sql) { object[row[0]] = .integer(row[1]) }
        return .object(object)
    }

    private func rows(_ sql: String, _ names: [String]) throws -> JSONValue {
        .array(
            try Row.fetchAll(db, sql: sql).map { row in
                var object = JSONObject()
                for (name, value) in zip(names, row.databaseValues) {
                    switch value.storage {
                    case .int64(let integer): object[name] = .integer(integer)
                    case .string(let text): object[name] = .string(text)
                    case .null, .double, .blob: object[name] = .null
                    }
                }
                return .object(object)
            }
        )
    }
}
