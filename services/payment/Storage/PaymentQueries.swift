import Commerce
public import DurableStore
import GRDB
import Messaging
public import PaymentCore
public import StrictJSON

/// What operators may read about payments.
public struct PaymentQueries: Sendable {
    /// The most payments of one list.
    public static let maximumLimit = 500

    private let store: DurableStore

    /// Makes the queries.
    public init(store: DurableStore) {
        self.store = store
    }

    /// A payment with its history, intents and ledger transactions; `nil` when the order has none.
    public func payment(of orderID: String) async throws -> JSONValue? {
        try await store.read { db in
            guard let row = try Row.fetchOne(db, sql: "SELECT * FROM payments WHERE order_id = ?", arguments: [orderID])
            else { return nil }
            var document = Self.document(row)
            document["history"] = .array(
                try Row.fetchAll(
                    db,
                    sql: "SELECT * FROM payment_history WHERE order_id = ? ORDER BY version",
                    arguments: [orderID]
                ).map { row in
                    Self.object([
                        ("version", Self.integer(row["version"])), ("from", Self.text(row["from_status"])),
                        ("to", Self.text(row["to_status"])), ("reason", Self.text(row["reason"])),
                        ("at", Self.time(row["at"])),
                    ])
                }
            )
            document["intents"] = .array(
                try Row.fetchAll(
                    db,
                    sql: "SELECT * FROM intents WHERE order_id = ? ORDER BY created_at, key",
                    arguments: [orderID]
                ).map { row in
                    Self.object([
                        ("key", Self.text(row["key"])), ("kind", Self.text(row["kind"])),
                        ("round", Self.integer(row["round"])),
                        ("state", Self.text(row["state"])), ("sentAt", Self.time(row["sent_at"])),
                        ("dueAt", Self.time(row["due_at"])), ("tries", Self.integer(row["tries"])),
                        ("reference", Self.text(row["reference"])), ("note", Self.text(row["note"])),
                        ("createdAt", Self.time(row["created_at"])), ("updatedAt", Self.time(row["updated_at"])),
                    ])
                }
            )
            document["ledger"] = .array(
                try Row.fetchAll(
                    db,
                    sql: """
                        SELECT t.id, t.source_event, t.kind, t.posted_at, e.account, e.amount, e.currency
                        FROM ledger_transactions t JOIN ledger_entries e ON e.transaction_id = t.id
                        WHERE t.source_event IN (SELECT key FROM intents WHERE order_id = ?) ORDER BY t.id, e.position
                        """,
                    arguments: [orderID]
                ).map { row in
                    Self.object([
                        ("transaction", Self.integer(row["id"])), ("sourceEvent", Self.text(row["source_event"])),
                        ("kind", Self.text(row["kind"])), ("account", Self.text(row["account"])),
                        ("amount", Self.integer(row["amount"])), ("currency", Self.text(row["currency"])),
                        ("postedAt", Self.time(row["posted_at"])),
                    ])
                }
            )
            return .object(document)
        }
    }

    /// The newest payments, those of one phase if one is given.
    public func payments(phase: PaymentPhase?, limit: Int) async throws -> JSONValue {
        let limit = min(max(1, limit), Self.maximumLimit)
        return try await store.read { db in
            let rows =
                if let phase {
                    try Row.fetchAll(
                        db,
                        sql: "SELECT * FROM payments WHERE phase = ? ORDER BY order_id DESC LIMIT ?",
                        arguments: [phase.rawValue, limit]
                    )
                } else {
                    try Row.fetchAll(
                        db,
                        sql: "SELECT * FROM payments ORDER BY order_id DESC LIMIT ?",
                        arguments: [limit]
                    )
                }
            return ["payments": .array(rows.map { .object(Self.document($0)) })]
        }
    }

    /// Moves of money whose outcome is not known, those first that have been open longest. Abandoned ones are not among
    /// them: what became of those was decided, and they are only watched. Reads what is due at some time, not all that ever was.
    public func openIntents(limit: Int) async throws -> JSONValue {
        let limit = min(max(1, limit), Self.maximumLimit)
        let now = store.clock.now()
        return try await store.read { db in
            let rows = try Row.fetchAll(
                db,
                sql: """
                    SELECT key, order_id, kind, state, tries, note, created_at FROM intents INDEXED BY intents_due
                    WHERE due_at IS NOT NULL AND state IN ('prepared', 'calling', 'unknown') ORDER BY created_at LIMIT ?
                    """,
                arguments: [limit]
            )
            let intents = rows.map { row in
                let created = Timestamp(millisecondsSinceEpoch: row["created_at"])
                return Self.object([
                    ("key", Self.text(row["key"])), ("orderID", Self.text(row["order_id"])),
                    ("kind", Self.text(row["kind"])), ("state", Self.text(row["state"])),
                    ("tries", Self.integer(row["tries"])), ("note", Self.text(row["note"])),
                    ("createdAt", .string(created.description)), ("openMs", .integer(now.milliseconds(since: created))),
                ])
            }
            return ["intents": .array(intents)]
        }
    }

    /// How many payments are in each phase in which something is under way, and how many intents wait in each state.
    func openCounts() async throws -> (phases: [PaymentPhase: Int64], intents: [IntentState: Int64], abandoned: Int64) {
        try await store.read { db in
            var phases: [PaymentPhase: Int64] = [:]
            for phase in PaymentPhase.allCases where !phase.isSettled {
                phases[phase] = try Int64.fetchOne(
                    db.cachedStatement(sql: "SELECT count(*) FROM payments WHERE phase = ?"),
                    arguments: [phase.rawValue]
                )
            }
            var intents: [IntentState: Int64] = [:]
            let rows = try Row.fetchCursor(
                db.cachedStatement(sql: "SELECT state, count(*) FROM intents WHERE due_at IS NOT NULL GROUP BY state")
            )
            while let row = try rows.next() { IntentState(rawValue: row[0]).map { intents[$0] = row[1] } }
            return (phases, intents, intents[.abandoned] ?? 0)
        }
    }

    private static func document(_ row: Row) -> JSONObject {
        guard
            case .object(let object) = object([
                ("orderID", text(row["order_id"])), ("paymentID", text(row["payment_id"])),
                ("state", text(row["phase"])),
                ("amount", integer(row["amount"])), ("currency", text(row["currency"])), ("card", text(row["card"])),
                ("reason", text(row["reason"])), ("cancelReason", text(row["cancel_reason"])),
                ("authorization", text(row["authorization"])), ("capture", text(row["capture"])),
                ("refunded", .bool(row["refunded"])), ("version", integer(row["version"])),
                ("createdAt", time(row["created_at"])), ("updatedAt", time(row["updated_at"])),
            ])
        else { return [:] }
        return object
    }

    /// Members that are nil are left out.
    private static func object(_ members: [(String, JSONValue?)]) -> JSONValue {
        .object(JSONObject(members.compactMap { name, value in value.map { JSONMember(name, $0) } }))
    }

    private static func text(_ value: String?) -> JSONValue? { value.map(JSONValue.string) }

    private static func integer(_ value: Int64?) -> JSONValue? { value.map(JSONValue.integer) }

    private static func time(_ value: Int64?) -> JSONValue? {
        value.map { .string(Timestamp(millisecondsSinceEpoch: $0).description) }
    }
}
