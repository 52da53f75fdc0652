import CSQLite
public import GRDB

/// Values go straight to SQLite and come straight from it. GRDB's own calls keep a copy of the arguments, which costs two arrays
/// and a dictionary each time; everything else (the cache of statements, stepping, errors) is GRDB's.
extension Statement {
    /// A value for a parameter; `nil` is NULL.
    public typealias Parameter = (any StatementBinding)?

    /// Runs a statement that gives no rows.
    ///
    /// - Parameter values: one for each parameter, in the order of their numbers.
    /// - Throws: a `DatabaseError`; `SQLITE_MISUSE` when there are more values or fewer than parameters.
    public func run(_ values: [Parameter] = []) throws {
        try bind(values)
        try execute()
    }

    /// Reads the first row.
    ///
    /// - Parameters:
    ///   - values: as in ``run(_:)``.
    ///   - read: called with the row; may use other statements, not this one.
    /// - Returns: `nil` when there is no row.
    /// - Throws: what `read` throws, or a `DatabaseError`.
    public func first<Value>(_ values: [Parameter] = [], _ read: (Columns) throws -> Value) throws -> Value? {
        try bind(values)
        defer { finish() }
        return try ColumnCursor(self).next().map(read)
    }

    /// Reads every row, in order; otherwise as ``first(_:_:)``.
    public func all<Value>(_ values: [Parameter] = [], _ read: (Columns) throws -> Value) throws -> [Value] {
        var all: [Value] = []
        try forEach(values) { all.append(try read($0)) }
        return all
    }

    /// Goes through every row, in order; otherwise as ``first(_:_:)``.
    public func forEach(_ values: [Parameter] = [], _ body: (Columns) throws -> Void) throws {
        try bind(values)
        defer { finish() }
        let cursor = ColumnCursor(self)
        while let columns = try cursor.next() { try body(columns) }
    }

    private func bind(_ values: [Parameter]) throws {
        // After a step that failed a reset repeats its error, on which GRDB's own reset in the next line would trap.
        finish()
        // Tells GRDB that what is bound is as it should be.
        setUncheckedArguments(StatementArguments())
        guard values.count == Int(sqlite3_bind_parameter_count(sqliteStatement)) else {
            throw DatabaseError(
                resultCode: .SQLITE_MISUSE,
                message: "\(values.count) values for the parameters",
                sql: sql
            )
        }
        for (index, value) in values.enumerated() {
            // Without a value the parameter stays NULL.
            guard let value else { continue }
            let code = value.bind(to: sqliteStatement, at: CInt(index + 1))
            guard code == SQLITE_OK else { throw DatabaseError(resultCode: ResultCode(rawValue: code), sql: sql) }
        }
    }

    /// A row that is stood at keeps the snapshot open. The code is that of the last step, which was told already.
    private func finish() { _ = sqlite3_reset(sqliteStatement) }
}

/// GRDB's stepping, with ``Columns`` for rows.
private final class ColumnCursor: DatabaseCursor {
    typealias Element = Columns

    let _statement: Statement
    var _isDone = false
    private let count: CInt

    init(_ statement: Statement) {
        _statement = statement
        count = sqlite3_column_count(statement.sqliteStatement)
    }

    func _element(sqliteStatement: SQLiteStatement) -> Columns { Columns(sqliteStatement, count: count) }
}
