import AnalyticsService
import DurableStore
import GRDB
import InventoryService
import NotificationService
import OrderService
import PaymentService
import Testing

/// For a `CHECK` or a trigger with `IN` and three values or more SQLite makes a b-tree in memory each time that a row is written.
@Suite("Schemas: what every order writes makes no temporary tables")
struct SchemaTests {
    /// Tables that may make some: those that are written now and then, and the index of deliveries that keep an order, to which
    /// no other comes (a change looks at it twice, before and after).
    private static let allowed = [
        "webhook_endpoints": 9, "webhook_recoveries": 9, "dead_letters": 9, "dead_letter_acts": 9,
        "dead_letter_jobs": 9,
        "webhook_deliveries": 2,
    ]

    @Test(arguments: [
        ("order", OrderService.migrations), ("payment", PaymentService.migrations),
        ("inventory", InventoryService.migrations), ("notification", NotificationService.migrations),
        ("analytics", AnalyticsService.migrations),
    ])
    func hotTables(service: String, migrations: DatabaseMigrator) async throws {
        let store = try DurableStore.inMemory(migrations: migrations)
        let (looked, found) = try await store.write { tx in
            let tables = try tx.db.makeStatement(sql: "SELECT name FROM sqlite_schema WHERE type = 'table'")
                .all { try $0[0] as String }
                .filter { !$0.hasPrefix("sqlite_") && !$0.hasPrefix("grdb_") }
            return (tables.count, try tables.flatMap { try Self.temporaryTables(of: $0, tx.db) })
        }
        #expect(looked > 5)
        #expect(found == [], "\(service)")
    }

    /// The statements on a table, one that inserts and one that changes every column but its key, that make more than they may.
    private static func temporaryTables(of table: String, _ db: Database) throws -> [String] {
        let columns = try db.makeStatement(sql: "SELECT name, pk FROM pragma_table_info(?)").all([table]) {
            try (name: $0[0] as String, isKey: $0[1] as Int > 0)
        }
        let keys = columns.filter(\.isKey).map(\.name)
        let place = (keys.isEmpty ? ["rowid"] : keys).map { "\($0) = 1" }.joined(separator: " AND ")
        let changes = columns.filter { !$0.isKey }.map { "\($0.name) = \($0.name)" }.joined(separator: ", ")
        var statements = ["INSERT INTO \(table) DEFAULT VALUES"]
        if !changes.isEmpty { statements.append("UPDATE \(table) SET \(changes) WHERE \(place)") }
        return try statements.filter { sql in
            let steps = try db.makeStatement(sql: "EXPLAIN " + sql).all { try $0[1] as String }
            return steps.count { $0 == "OpenEphemeral" } > allowed[table] ?? 0
        }
    }
}
