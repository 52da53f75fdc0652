import Commerce
import Cryptography
import DurableStore
import GRDB
import Messaging
import PaymentCore

/// Writes the payment ledger: per posting its entries, then the transaction that closes them and extends the hash chain.
enum LedgerTable {
    /// - Parameter sourceEvent: the key of the intent that moved the money; booked once (L5).
    static func post(
        _ posting: Posting,
        sourceEvent: String,
        orderID: OrderID,
        at now: Timestamp,
        in db: Database
    ) throws {
        let last = try db.cachedStatement(sql: "SELECT id, hash FROM ledger_transactions ORDER BY id DESC LIMIT 1")
            .first { try (id: $0[0] as Int64, hash: $0[1] as String) }
        let id = (last?.id ?? 0) + 1
        let previous = last?.hash ?? LedgerChain.genesis
        let insert = try db.cachedStatement(
            sql:
                "INSERT INTO ledger_entries (transaction_id, position, account, amount, currency) VALUES (?, ?, ?, ?, ?)"
        )
        for (index, entry) in posting.entries.enumerated() {
            try insert.run([
                id, index + 1, entry.account.rawValue, entry.minorUnits, posting.amount.currency.rawValue,
            ])
        }
        let text = LedgerChain.text(
            id: id,
            sourceEvent: sourceEvent,
            orderID: orderID.text,
            kind: posting.kind.rawValue,
            postedAt: now.millisecondsSinceEpoch,
            entries: posting.entries.map { ($0.account.rawValue, $0.minorUnits, posting.amount.currency.rawValue) },
            previousHash: previous
        )
        try db.cachedStatement(
            sql: """
                INSERT INTO ledger_transactions (id, source_event, order_id, kind, posted_at, previous_hash, hash)
                VALUES (?, ?, ?, ?, ?, ?, ?)
                """
        ).run([
            id, sourceEvent, orderID.text, posting.kind.rawValue, now.millisecondsSinceEpoch, previous, hash(of: text),
        ])
    }

    static func hash(of text: String) -> String { SHA256.hash(Array(text.utf8)).hexadecimal }
}
