import Commerce
import DurableStore
import GRDB
import Messaging
import OrderCore

/// Something that happened to an order, as it was recorded.
struct JournalEntry: Sendable, Hashable {
    let number: Int64
    let input: String
    let disposition: String
    let messageID: String?
    /// What was asked for in answer.
    let sent: [SentCommand]
    let at: Timestamp
}

/// A command that was put into the outbox.
struct SentCommand: Sendable, Hashable {
    /// Its word, see ``OrderCommand/name``.
    let name: String
    /// The message.
    let id: String
}

/// Everything that happened to every order. Append-only.
enum OrderJournal {
    /// The most entries that ``entries(of:in:)`` returns. An order that is undone in vain for a day has some more.
    static let readLimit = 1_000

    static func append(
        _ input: OrderInput,
        disposition: OrderDisposition,
        messageID: String?,
        sent: [SentCommand],
        of id: OrderID,
        at now: Timestamp,
        in db: Database
    ) throws {
        try db.cachedStatement(
            sql: """
                INSERT INTO order_inputs(order_id, number, input, disposition, message_id, sent, at)
                VALUES (?1, (SELECT coalesce(max(number), 0) + 1 FROM order_inputs WHERE order_id = ?1), ?2, ?3, ?4, ?5, ?6)
                """
        ).run([
            id.text, input.name, disposition.rawValue, messageID,
            sent.map { "\($0.name):\($0.id)" }.joined(separator: " "), now.millisecondsSinceEpoch,
        ])
    }

    /// What happened to an order, in order; at most ``readLimit`` entries, the last ones: what matters about an order that is
    /// stuck is its end. The numbers say how many came before.
    static func entries(of id: OrderID, in db: Database) throws -> [JournalEntry] {
        try db.cachedStatement(
            sql: """
                SELECT number, input, disposition, message_id, sent, at FROM order_inputs
                WHERE order_id = ? ORDER BY number DESC LIMIT ?
                """
        ).all([id.text, readLimit]) { row -> JournalEntry in
            let sent = (try row[4] as String).split(separator: " ").map { token in
                let parts = token.split(separator: ":", maxSplits: 1)
                return SentCommand(name: String(parts.first ?? ""), id: parts.count == 2 ? String(parts[1]) : "")
            }
            return try JournalEntry(
                number: row[0],
                input: row[1],
                disposition: row[2],
                messageID: row[3],
                sent: sent,
                at: Timestamp(millisecondsSinceEpoch: row[5])
            )
        }.reversed()
    }
}
