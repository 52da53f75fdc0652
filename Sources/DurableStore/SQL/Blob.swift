import CSQLite
public import GRDB

/// Bytes in a column, without a detour by Foundation's `Data`.
public struct Blob: Sendable, Hashable, StatementBinding, StatementColumnConvertible {
    /// The bytes.
    public let bytes: [UInt8]

    /// Makes a value to be stored.
    public init(_ bytes: [UInt8]) { self.bytes = bytes }

    public init?(sqliteStatement: SQLiteStatement, index: CInt) {
        // SQLite gives no address for an empty value.
        guard let start = sqlite3_column_blob(sqliteStatement, index) else {
            bytes = []
            return
        }
        bytes = [UInt8](
            UnsafeRawBufferPointer(start: start, count: Int(sqlite3_column_bytes(sqliteStatement, index)))
        )
    }

    public func bind(to sqliteStatement: SQLiteStatement, at index: CInt) -> CInt {
        bytes.withUnsafeBytes { sqlite_bind_copy(sqliteStatement, index, $0.baseAddress, $0.count) }
    }
}
