import Commerce
import DurableStore
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
        try statement.forEach([orderID.text]) { row in
            guard let kind = IntentKind(rawValue: try row[0]), let state = IntentState(rawValue: try row[1]) else {
                throw RowFault.failure("intents")
            }
            states[kind] = state
        }
        return states
    }

    /// The intent with a key, and the order that it belongs to.
    static func load(key: String, in db: Database) throws -> (orderID: OrderID, intent: Intent)? {
        let statement = try db.cachedStatement(sql: "SELECT \(columns) FROM intents WHERE key = ?")
        return try statement.first([key], decode)
    }

    /// The key of the last round of an intent.
    static func lastKey(of kind: IntentKind, for orderID: OrderID, in db: Database) throws -> String? {
        let statement = try db.cachedStatement(
            sql: "SELECT key FROM intents WHERE order_id = ? AND kind = ? ORDER BY round DESC LIMIT 1"
        )
        return try statement.first([orderID.text, kind.rawValue]) { try $0[0] }
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
        ).run([key, orderID.text, kind.rawValue, now.millisecondsSinceEpoch, pause])
    }

    static func save(_ intent: Intent, at now: Timestamp, in db: Database) throws {
        try db.cachedStatement(
            sql: """
                UPDATE intents SET state = ?, sent_at = ?, due_at = ?, tries = ?, reference = ?, note = ?, updated_at = ?
                WHERE key = ?
                """
        ).run([
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
        ).run([now.millisecondsSinceEpoch, orderID.text, kind.rawValue])
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
        ).run([now.millisecondsSinceEpoch, orderID.text, kind.rawValue])
    }

    /// What a process must do with the intents of the one before it: a call that may have been under way is not repeated
    /// before the gateway was asked.
    static func recover(at now: Timestamp, in db: Database) throws -> Int {
        try db.cachedStatement(
            sql: """
                UPDATE intents SET state = 'unknown', sent_at = coalesce(sent_at, ?1), due_at = ?1, tries = 0, updated_at = ?1
                WHERE state = 'calling' AND due_at IS NOT NULL
                """
        ).run([now.millisecondsSinceEpoch])
        return db.changesCount
    }

    /// The same for calls that this process made and whose outcome it could not store.
    static func recover(_ keys: Set<String>, at now: Timestamp, in db: Database) throws {
        for key in keys.sorted() {
            guard var (_, intent) = try load(key: key, in: db), intent.mayHaveBeenSent(at: now) else { continue }
            try save(intent, at: now, in: db)
        }
    }

    /// Makes everything due that waits for the gateway to come back.
    static func resume(at now: Timestamp, in db: Database) throws {
        try db.cachedStatement(
            sql: "UPDATE intents SET due_at = ?1, tries = 0 WHERE due_at > ?1 AND state IN ('prepared', 'unknown')"
        ).run([now.millisecondsSinceEpoch])
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
        try statement.forEach([now.millisecondsSinceEpoch, limit + excluding.count]) { row in
            guard items.count < limit, !excluding.contains(try row[0]) else { return }
            let (orderID, intent) = try decode(row)
            guard let amount: Int64 = try row[10], let currency = Currency(rawValue: try row[11] ?? ""),
                let card = CardToken(try row[12] ?? "")
            else { throw RowFault.failure("payments") }
            items.append(
                try DueIntent(
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
        return try statement.all([excluding.count + 1]) { row -> Timestamp? in
            excluding.contains(try row[0]) ? nil : Timestamp(millisecondsSinceEpoch: try row[1])
        }.lazy.compactMap { $0 }.first
    }

    private static func decode(_ row: Columns) throws -> (orderID: OrderID, intent: Intent) {
        guard let orderID = OrderID(try row[1]), let kind = IntentKind(rawValue: try row[2]),
            let state = IntentState(rawValue: try row[4])
        else { throw RowFault.failure("intents") }
        let sentAt: Int64? = try row[5]
        let dueAt: Int64? = try row[6]
        return (
            orderID,
            try Intent(
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
