import Commerce
import GRDB
import Messaging
import PaymentCore

/// Reads and writes `intents`.
enum IntentTable {
    private static let columns = "key, order_id, kind, round, state, sent_at, due_at, tries, reference, note"

    /// How far the intents of an order are; the last round of each kind.
    static func states(of orderID: OrderID, in db: Database) throws -> [IntentKind: IntentState] {
        let statement = try db.cachedStatement(
            sql: "SELECT kind, state FROM intents WHERE order_id = ? ORDER BY kind, round"
        )
        var states: [IntentKind: IntentState] = [:]
        let rows = try Row.fetchCursor(statement, arguments: [orderID.text])
        while let row = try rows.next() {
            guard let kind = IntentKind(rawValue: row[0]), let state = IntentState(rawValue: row[1]) else {
                throw RowFault.failure("intents")
            }
            states[kind] = state
        }
        return states
    }

    /// The intent with a key, and the order that it belongs to.
    static func load(key: String, in db: Database) throws -> (orderID: OrderID, intent: Intent)? {
        let statement = try db.cachedStatement(sql: "SELECT \(columns) FROM intents WHERE key = ?")
        return try Row.fetchOne(statement, arguments: [key]).map(decode)
    }

    /// The key of the last round of an intent.
    static func lastKey(of kind: IntentKind, for orderID: OrderID, in db: Database) throws -> String? {
        let statement = try db.cachedStatement(
            sql: "SELECT key FROM intents WHERE order_id = ? AND kind = ? ORDER BY round DESC LIMIT 1"
        )
        return try Row.fetchOne(statement, arguments: [orderID.text, kind.rawValue]).map { $0[0] }
    }

    /// Creates the next round of an intent, to be called at once or after a pause.
    static func begin(
        _ kind: IntentKind,
        for orderID: OrderID,
        key: String,
        pause: Int64,
        at now: Timestamp,
        in db: Database
    ) throws {
        try db.cachedStatement(
            sql: """
                INSERT INTO intents (key, order_id, kind, round, state, due_at, tries, created_at, updated_at)
                SELECT ?1, ?2, ?3, coalesce(max(round), 0) + 1,
                    CASE WHEN coalesce(max(round), 0) = 0 THEN 'calling' ELSE 'prepared' END,
                    CASE WHEN coalesce(max(round), 0) = 0 THEN ?4 ELSE ?4 + ?5 END, 0, ?4, ?4
                FROM intents WHERE order_id = ?2 AND kind = ?3
                """
        ).execute(arguments: [key, orderID.text, kind.rawValue, now.millisecondsSinceEpoch, pause])
    }

    static func save(_ intent: Intent, at now: Timestamp, in db: Database) throws {
        try db.cachedStatement(
            sql: """
                UPDATE intents SET state = ?, sent_at = ?, due_at = ?, tries = ?, reference = ?, note = ?, updated_at = ?
                WHERE key = ?
                """
        ).execute(arguments: [
            intent.state.rawValue, intent.sentAt?.millisecondsSinceEpoch, intent.dueAt?.millisecondsSinceEpoch,
            intent.tries, intent.reference, intent.note, now.millisecondsSinceEpoch, intent.key,
        ])
    }

    /// Takes back an intent that was never sent.
    static func withdraw(_ kind: IntentKind, of orderID: OrderID, at now: Timestamp, in db: Database) throws {
        try db.cachedStatement(
            sql: """
                UPDATE intents SET state = 'withdrawn', due_at = NULL, updated_at = ?
                WHERE order_id = ? AND kind = ? AND state = 'prepared'
                """
        ).execute(arguments: [now.millisecondsSinceEpoch, orderID.text, kind.rawValue])
        guard db.changesCount == 1 else {
            throw Failure(.retryable, code: "intent-changed", "The intent was changed by someone else meanwhile.")
        }
    }

    /// Has the gateway asked about unresolved intents of a kind at once.
    static func hasten(_ kind: IntentKind, of orderID: OrderID, at now: Timestamp, in db: Database) throws {
        try db.cachedStatement(
            sql: """
                UPDATE intents SET due_at = ?1, tries = 0, updated_at = ?1
                WHERE order_id = ?2 AND kind = ?3 AND state IN ('unknown', 'abandoned')
                """
        ).execute(arguments: [now.millisecondsSinceEpoch, orderID.text, kind.rawValue])
    }

    /// What a process must do with the intents of the one before it: a call that may have been under way is not repeated
    /// before the gateway was asked.
    static func recover(at now: Timestamp, in db: Database) throws -> Int {
        try db.cachedStatement(
            sql: """
                UPDATE intents SET state = 'unknown', sent_at = coalesce(sent_at, ?1), due_at = ?1, tries = 0, updated_at = ?1
                WHERE state = 'calling' AND due_at IS NOT NULL
                """
        ).execute(arguments: [now.millisecondsSinceEpoch])
        return db.changesCount
    }

    /// Makes everything due that waits for the gateway to come back.
    static func resume(at now: Timestamp, in db: Database) throws {
        try db.cachedStatement(
            sql: "UPDATE intents SET due_at = ?1, tries = 0 WHERE due_at > ?1 AND state IN ('prepared', 'unknown')"
        ).execute(arguments: [now.millisecondsSinceEpoch])
    }

    /// What is due, oldest first.
    static func due(at now: Timestamp, limit: Int, excluding: Set<String>, in db: Database) throws -> [DueIntent] {
        let statement = try db.cachedStatement(
            sql: """
                SELECT i.key, i.order_id, i.kind, i.round, i.state, i.sent_at, i.due_at, i.tries, i.reference, i.note,
                    p.amount, p.currency, p.card, p.authorization, p.capture, p.traceparent
                FROM intents i JOIN payments p ON p.order_id = i.order_id
                WHERE i.due_at <= ? ORDER BY i.due_at LIMIT ?
                """
        )
        var items: [DueIntent] = []
        let rows = try Row.fetchCursor(statement, arguments: [now.millisecondsSinceEpoch, limit + excluding.count])
        while items.count < limit, let row = try rows.next() {
            guard !excluding.contains(row[0]) else { continue }
            let (orderID, intent) = try decode(row)
            guard let amount: Int64 = row[10], let currency = Currency(rawValue: row[11] ?? ""),
                let card = CardToken(row[12] ?? "")
            else { throw RowFault.failure("payments") }
            items.append(
                DueIntent(
                    intent: intent,
                    call: GatewayCall(
                        key: intent.key,
                        kind: intent.kind,
                        orderID: orderID,
                        amount: Money(minorUnits: amount, currency: currency),
                        card: card,
                        authorization: row[13],
                        capture: row[14],
                        traceparent: row[15]
                    )
                )
            )
        }
        return items
    }

    /// When the next intent is due that is not among `excluding`.
    static func nextDue(excluding: Set<String>, in db: Database) throws -> Timestamp? {
        let statement = try db.cachedStatement(
            sql: "SELECT key, due_at FROM intents WHERE due_at IS NOT NULL ORDER BY due_at LIMIT ?"
        )
        let rows = try Row.fetchCursor(statement, arguments: [excluding.count + 1])
        while let row = try rows.next() {
            if !excluding.contains(row[0]) { return Timestamp(millisecondsSinceEpoch: row[1]) }
        }
        return nil
    }

    private static func decode(_ row: Row) throws -> (orderID: OrderID, intent: Intent) {
        guard let orderID = OrderID(row[1]), let kind = IntentKind(rawValue: row[2]),
            let state = IntentState(rawValue: row[4])
        else { throw RowFault.failure("intents") }
        let sentAt: Int64? = row[5]
        let dueAt: Int64? = row[6]
        return (
            orderID,
            Intent(
                key: row[0],
                kind: kind,
                round: row[3],
                state: state,
                sentAt: sentAt.map(Timestamp.init(millisecondsSinceEpoch:)),
                dueAt: dueAt.map(Timestamp.init(millisecondsSinceEpoch:)),
                tries: row[7],
                reference: row[8],
                note: row[9]
            )
        )
    }
}

/// An intent that is due, with everything that its call needs.
struct DueIntent: Sendable, Identifiable {
    let intent: Intent
    let call: GatewayCall

    var id: String { intent.key }
}
