import Messaging

/// A row that the schema should have made impossible. The service stops rather than act on it.
struct CorruptRow: ClassifiedFailure {
    let table: String

    var failureClass: FailureClass { .fatal }
    var code: String { "corrupt-row" }
    var description: String {
        "The table \(table) holds a row that cannot be; restore the database or start with an empty one."
    }
}
