import Cryptography
import GRDB

/// The read models as text, in a fixed order: equal dumps mean equal read models.
struct ReadModelDump: Sendable, Equatable {
    /// One table.
    struct Table: Sendable, Equatable {
        let name: String
        let rows: Int
        /// SHA-256 of the rows, lower-case hexadecimal.
        let digest: String
    }

    let tables: [Table]

    /// Reads the whole dump; call within one read transaction.
    init(_ db: Database) throws {
        tables = try AnalyticsSchema.readModels.map { model in
            var hasher = SHA256()
            var rows = 0
            let cursor = try Row.fetchCursor(
                db,
                sql: "SELECT \(model.columns) FROM \(model.table) ORDER BY \(model.key)"
            )
            while let row = try cursor.next() {
                hasher.update(Array((Self.text(of: row) + "\n").utf8))
                rows += 1
            }
            return Table(name: model.table, rows: rows, digest: hasher.finalize().hexadecimal)
        }
    }

    /// The first rows of a table that stand in one database and not in the other, as text.
    static func differences(
        _ table: String,
        live: Database,
        rebuilt: Database,
        limit: Int
    ) throws -> (onlyLive: [String], onlyRebuilt: [String]) {
        guard let model = AnalyticsSchema.readModels.first(where: { $0.table == table }) else { return ([], []) }
        let sql = "SELECT \(model.columns) FROM \(model.table) ORDER BY \(model.key)"
        let left = Set(try Row.fetchAll(live, sql: sql).map(text))
        let right = Set(try Row.fetchAll(rebuilt, sql: sql).map(text))
        return (
            Array(left.subtracting(right).sorted().prefix(limit)), Array(right.subtracting(left).sorted().prefix(limit))
        )
    }

    private static func text(of row: Row) -> String {
        row.databaseValues.map { value in
            switch value.storage {
            case .null: "NULL"
            case .int64(let integer): String(integer)
            case .double(let number): String(number)
            case .string(let string): string
            case .blob(let data): "x" + data.map { String($0 >> 4, radix: 16) + String($0 & 0x0F, radix: 16) }.joined()
            }
        }.joined(separator: "|")
    }

}
