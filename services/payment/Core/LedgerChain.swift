/// How the payment ledger is chained: each transaction's hash is the SHA-256 of this text, in lower-case hexadecimal.
///
/// The text begins with the hash of the transaction before, so that no row can be changed, removed or put in between without
/// every later hash being wrong.
public enum LedgerChain {
    /// The hash before the first transaction.
    public static let genesis = String(repeating: "0", count: 64)

    /// The text that is hashed: one line for the transaction, one per entry, fields separated by `|`, lines by `\n`.
    ///
    /// No field can hold a separator: they are numbers, UUIDs and words of fixed lists.
    public static func text(
        id: Int64,
        sourceEvent: String,
        orderID: String,
        kind: String,
        postedAt: Int64,
        entries: [(account: String, amount: Int64, currency: String)],
        previousHash: String
    ) -> String {
        var text = "\(previousHash)\n\(id)|\(sourceEvent)|\(orderID)|\(kind)|\(postedAt)"
        for (index, entry) in entries.enumerated() {
            text += "\n\(index + 1)|\(entry.account)|\(entry.amount)|\(entry.currency)"
        }
        return text
    }
}
