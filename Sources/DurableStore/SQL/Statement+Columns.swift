import CSQLite
public import GRDB

/// Values go straight to SQLite and come straight from it, a step at a time.
///
/// GRDB's own calls keep a copy of the arguments (two arrays and a dictionary each time) and look around at each statement for
/// observers, suspended apps and what was read, none of which this kit has. The cache of statements is GRDB's.
extension Statement {
    /// A value for a parameter; `nil` is NULL.
    public typealias Parameter = (any StatementBinding)?

    /// Runs a statement that gives no rows.
    ///
    /// - Parameter values: one for each parameter, in the order of their numbers.
    /// - Throws: a `DatabaseError`; `SQLITE_MISUSE` when there are more values or fewer than parameters, `SQLITE_ABORT` for a
    ///   statement that writes when no transaction is open. `CancellationError` when the read was cancelled.
    public func run(_ values: [Parameter] = []) throws {
        try bind(values)
        defer { finish() }
        while try step() {}
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
        return try step() ? read(columns) : nil
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
        let columns = columns
        while try step() { try body(columns) }
    }

    private var columns: Columns { Columns(sqliteStatement, count: sqlite3_column_count(sqliteStatement)) }

    private func bind(_ values: [Parameter]) throws {
        finish()
        guard values.count == Int(sqlite3_bind_parameter_count(sqliteStatement)) else {
            throw DatabaseError(
                resultCode: .SQLITE_MISUSE,
                message: "\(values.count) values for the parameters",
                sql: sql
            )
        }
        for (index, value) in values.enumerated() {
            let position = CInt(index + 1)
            let code = value?.bind(to: sqliteStatement, at: position) ?? sqlite3_bind_null(sqliteStatement, position)
            guard code == SQLITE_OK else { throw DatabaseError(resultCode: ResultCode(rawValue: code), sql: sql) }
        }
        // SQLite ends a transaction by itself when the disk is full or fails: what its unit still writes must not commit alone.
        guard
            sqlite3_stmt_readonly(sqliteStatement) != 0
                || sqlite3_get_autocommit(sqlite3_db_handle(sqliteStatement)) == 0
        else {
            throw DatabaseError(resultCode: .SQLITE_ABORT, message: "no transaction is open", sql: sql)
        }
    }

    /// - Returns: whether the statement stands at a row.
    private func step() throws -> Bool {
        let code = sqlite3_step(sqliteStatement)
        switch code {
        case SQLITE_ROW: return true
        case SQLITE_DONE: return false
        // Only GRDB interrupts, a read whose task was cancelled.
        case SQLITE_INTERRUPT: throw CancellationError()
        default:
            throw DatabaseError(
                resultCode: ResultCode(rawValue: code),
                message: String(cString: sqlite3_errmsg(sqlite3_db_handle(sqliteStatement))),
                sql: sql
            )
        }
    }

    /// A row that is stood at keeps the snapshot open. The code is that of the last step, which was told already.
    private func finish() { _ = sqlite3_reset(sqliteStatement) }
}
