public import GRDB
import Messaging

/// The columns of the row at which a statement stands, read by position straight from SQLite.
///
/// GRDB's `Row` makes a dictionary of its column names for each query; rows that are read by position do not need it, and in the
/// tables of this kit it took longer than the query.
///
/// Lives within the closure that gets it, on the thread of its connection.
public struct Columns {
    @usableFromInline let statement: SQLiteStatement
    @usableFromInline let count: CInt

    @inlinable init(_ statement: SQLiteStatement, count: CInt) {
        self.statement = statement
        self.count = count
    }

    /// The value of a column, from 0. NULL is `nil` where the type is optional.
    ///
    /// Types follow SQLite's conversions (<https://www.sqlite.org/c3ref/column_blob.html>); in STRICT tables there is nothing
    /// to convert.
    ///
    /// - Throws: a ``Failure`` of class poison, `column-unreadable`, for NULL where the type is not optional, a value that the
    ///   type does not have, or a position that the statement does not have.
    @inlinable public subscript<Value: StatementColumnConvertible>(_ index: Int) -> Value {
        get throws {
            guard (0..<Int(count)).contains(index),
                let value = Value.fromStatement(statement, atUncheckedIndex: CInt(index))
            else { throw Self.unreadable(index) }
            return value
        }
    }

    @usableFromInline static func unreadable(_ index: Int) -> any Error {
        Failure(.poison, code: "column-unreadable", "Column \(index) of a row cannot be read.")
    }
}
