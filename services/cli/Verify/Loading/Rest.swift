import Commerce
import Foundation
import GRDB

/// What still moves in a run directory: zero everywhere means that everything has come to rest.
public struct Rest: Sendable, Hashable {
    /// Orders that have not ended.
    public var orders = 0
    /// Messages that no broker has confirmed, and events that wait for another attempt.
    public var messages = 0
    /// Money that is under way: calls to the gateway without an answer, what the gateway has done and payment has not taken
    /// note of, and what the gateway has taken on and will do later.
    public var money = 0
    /// Webhooks that are being sent, or could be and never were. One that failed and is tried again later is not waited for.
    public var webhooks = 0
    /// Records of the event log that a consumer has not read; `nil` when the log was not asked.
    public var unread: Int64? = nil

    /// Nothing moves.
    public var isComplete: Bool { orders == 0 && messages == 0 && money == 0 && webhooks == 0 && unread ?? 0 == 0 }

    /// `3 open orders, 12 waiting messages`; what is zero is left out.
    public var description: String {
        [
            (Int64(orders), "open order", "open orders"), (Int64(messages), "waiting message", "waiting messages"),
            (Int64(money), "payment under way", "payments under way"),
            (Int64(webhooks), "untried webhook", "untried webhooks"), (unread ?? 0, "unread event", "unread events"),
        ].filter { $0.0 > 0 }.map { "\($0.0) \($0.0 == 1 ? $0.1 : $0.2)" }.joined(separator: ", ")
    }
}

/// Looks, without copies, whether anything still moves.
enum RestQueries {
    /// - Parameters:
    ///   - ends: the ends of the event log's partitions; `nil` leaves the readers out.
    static func look(_ dataDirectory: String, ends: [String: Int64]?) throws -> Rest {
        var rest = Rest()
        if ends != nil { rest.unread = 0 }
        for service in ["order", "payment", "inventory", "notification", "analytics"] {
            let path = "\(dataDirectory)/\(service)/\(service).db"
            guard FileManager.default.fileExists(atPath: path) else { continue }
            var reading = Configuration()
            reading.readonly = true
            reading.busyMode = .timeout(5)
            let unlanded = try DatabaseQueue(path: path, configuration: reading).read { db -> [String] in
                try count(service, db, ends, into: &rest)
                guard service == "payment" else { return [] }
                return try String.fetchAll(db, sql: "SELECT key FROM intents WHERE state = 'abandoned'")
            }
            // An intent that was given up moves again when its money has landed, and when the gateway has taken it on. Otherwise
            // it is watched for a day, which is not waited for.
            if service == "payment" {
                rest.money += try landing(Set(unlanded), dataDirectory + "/gateway/ledger.jsonl")
            }
        }
        return rest
    }

    private static func count(
        _ service: String,
        _ db: Database,
        _ ends: [String: Int64]?,
        into rest: inout Rest
    ) throws {
        func number(_ sql: String) throws -> Int { try Int.fetchOne(db, sql: sql) ?? 0 }
        rest.messages += try number("SELECT count(*) FROM outbox WHERE published_at IS NULL AND parked_at IS NULL")
        rest.messages += try number("SELECT count(*) FROM parked_records")
        switch service {
        case "order":
            rest.orders += try number(
                """
                SELECT count(*) FROM orders
                WHERE status NOT IN ('completed', 'rejected', 'cancelled', 'needsOperator')
                """
            )
        case "payment":
            rest.money += try number("SELECT count(*) FROM intents WHERE state IN ('prepared', 'calling', 'unknown')")
        case "notification":
            rest.webhooks += try number(
                """
                SELECT count(*) FROM webhook_deliveries WHERE state = 'sending' OR (state = 'pending' AND attempts = 0
                    AND endpoint_id IN (SELECT id FROM webhook_endpoints WHERE \(WebhookQueries.isReady)))
                """
            )
        default: break
        }
        guard let ends else { return }
        for reader in EventReader.all where reader.service == service {
            let next = try Dictionary(
                Row.fetchAll(
                    db,
                    sql: "SELECT topic || '/' || partition, next_offset FROM consumer_offsets WHERE consumer = ?",
                    arguments: [reader.consumer]
                ).map { ($0[0] as String, $0[1] as Int64) },
                uniquingKeysWith: max
            )
            // Where a consumer never was it has no row.
            for (partition, end) in ends where reader.reads(partition) {
                rest.unread = (rest.unread ?? 0) + max(0, end - (next[partition] ?? 0))
            }
        }
    }

    /// How many keys of abandoned intents the gateway has used or will use: what it took on stands in the journal beside its
    /// ledger until the ledger has its key.
    private static func landing(_ abandoned: Set<String>, _ ledger: String) throws -> Int {
        let late = try TextFiles.lateKeys(ledger + ".late")
        guard !abandoned.isEmpty || !late.isEmpty else { return 0 }
        let done = Set((try TextFiles.gatewayLedger(ledger) ?? []).map(\.key))
        return abandoned.intersection(done).count + late.subtracting(done).count
    }
}
