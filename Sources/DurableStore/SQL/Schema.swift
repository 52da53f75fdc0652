/// Text for schemas.
public enum Schema {
    /// A condition for a `CHECK` or for the `WHEN` of a trigger: the column has one of these values, or is NULL.
    ///
    /// Written out as comparisons: for `IN` with three or more values SQLite opens, fills and closes a b-tree in memory each
    /// time that a row is written (`EXPLAIN` shows `OpenEphemeral`), which costs more than the row.
    ///
    /// - Parameters:
    ///   - column: its name, or `OLD.name` in a trigger.
    ///   - values: texts without quotation marks.
    /// - Returns: SQL in brackets.
    public static func oneOf(_ column: String, _ values: String...) -> String { oneOf(column, values) }

    /// ``oneOf(_:_:)-(String,String...)`` with a list.
    public static func oneOf(_ column: String, _ values: [String]) -> String {
        "(" + values.map { "\(column) = '\($0)'" }.joined(separator: " OR ") + ")"
    }
}
