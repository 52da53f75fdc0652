public import DurableStore
import GRDB
public import Messaging

/// What people and metrics look at. Reads beside the writer.
public struct WebhookQueries: Sendable {
    private let store: DurableStore

    /// Makes the queries.
    public init(store: DurableStore) {
        self.store = store
    }

    /// An endpoint by id or uid; `nil` also for a deleted one.
    public func endpoint(_ name: String) async throws -> WebhookEndpoint? {
        try await store.read { db in
            try EndpointTable(db: db).lookUp(name).flatMap { $0.state == .deleted ? nil : $0 }
        }
    }

    /// Endpoints after an id.
    public func endpoints(after id: String, limit: Int) async throws -> [WebhookEndpoint] {
        try await store.read { db in try EndpointTable(db: db).list(after: id, limit: limit) }
    }

    /// What was done to an endpoint, the newest first.
    public func journal(of id: String, limit: Int = 100) async throws -> [EndpointJournalEntry] {
        try await store.read { db in try EndpointTable(db: db).journal(of: id, limit: limit) }
    }

    /// Whether the receiver of an endpoint agreed; `nil` when it was never asked.
    public func handshake(of id: String) async throws -> WebhookHandshake? {
        try await store.read { db in try HandshakeTable(db: db).find(id) }
    }

    /// Which deliveries are meant; every property that is set must fit.
    public struct Filter: Sendable {
        public var endpointID: String?
        public var state: Delivery.State?
        public var messageID: String?
        public var type: String?
        public var subject: String?
        /// The last status.
        public var status: Int?
        /// 2 for 200…299.
        public var statusClass: Int?
        /// The last fault.
        public var code: String?
        public var since: Timestamp?
        public var until: Timestamp?
        /// Only deliveries older than this one.
        public var before: Int64?

        /// Everything.
        public init() {}
    }

    /// Deliveries, the newest first. Stable while new ones come: the seq of the last is the next page's `before`.
    public func deliveries(_ filter: Filter, limit: Int) async throws -> [Delivery] {
        try await store.read { db in
            let (sql, arguments) = Self.select(filter, limit: limit)
            return try db.cachedStatement(sql: sql).all(arguments, DeliveryTable.delivery)
        }
    }

    /// The statement behind ``deliveries(_:limit:)``. What went wrong is rare among what went well and has indexes of its own, which
    /// serve unless something narrower is asked for.
    static func select(_ filter: Filter, limit: Int) -> (sql: String, arguments: [Statement.Parameter]) {
        var parts = ["1"]
        var arguments: [Statement.Parameter] = []
        func require(_ part: String, _ value: Statement.Parameter) {
            guard let value else { return }
            parts.append(part)
            arguments.append(value)
        }
        require("d.endpoint_id = ?", filter.endpointID)
        require("d.state = ?", filter.state?.rawValue)
        var index = ""
        if filter.endpointID == nil, filter.messageID == nil, filter.subject == nil {
            if [.exhausted, .parked, .cancelled].contains(filter.state) {
                parts.append("d.reason IS NOT NULL")
                index = "INDEXED BY webhook_deliveries_ended"
            } else if let statusClass = filter.statusClass, statusClass != 2 {
                parts.append("d.first_failed_at IS NOT NULL")
                index = "INDEXED BY webhook_deliveries_failed"
            }
        }
        require("d.message_id = ?", filter.messageID)
        require("d.type = ?", filter.type)
        require("d.message_id IN (SELECT id FROM webhook_messages WHERE subject = ?)", filter.subject)
        require("d.last_status = ?", filter.status)
        require("d.last_status / 100 = ?", filter.statusClass)
        require("d.last_code = ?", filter.code)
        require("d.created_at >= ?", filter.since?.millisecondsSinceEpoch)
        require("d.created_at < ?", filter.until?.millisecondsSinceEpoch)
        require("d.seq < ?", filter.before)
        let sql = """
            SELECT \(DeliveryTable.columns) FROM webhook_deliveries d \(index)
            WHERE \(parts.joined(separator: " AND ")) ORDER BY d.seq DESC LIMIT ?
            """
        return (sql, arguments + [limit])
    }

    /// A delivery with its event and its attempts, the newest first; at most 200 of them.
    public func delivery(
        _ id: String
    ) async throws -> (delivery: Delivery, message: StoredWebhook?, attempts: [DeliveryAttempt])? {
        try await store.read { db in
            let table = DeliveryTable(db: db)
            guard let delivery = try table.find(id: id) else { return nil }
            return (
                delivery, try table.message(delivery.messageID),
                try AttemptTable(db: db).list(of: delivery.seq, limit: 200)
            )
        }
    }

    /// Depths and states for metrics.
    public struct Gauges: Sendable {
        /// Deliveries that wait, by endpoint and state.
        public var depth: [(endpointID: String, state: String, count: Int)] = []
        /// Age of the oldest delivery that is due or overdue, in milliseconds.
        public var oldestPendingMilliseconds: Int64 = 0
        /// Breakers by endpoint: 0 closed, 1 half open, 2 open.
        public var breakers: [(endpointID: String, value: Int64)] = []
        /// Deliveries that were given up and not sent since.
        public var deadLetters = 0
    }

    /// Counts what waits.
    public func gauges(at now: Timestamp) async throws -> Gauges {
        try await store.read { db in
            var gauges = Gauges()
            gauges.depth = try Row.fetchAll(
                db.cachedStatement(
                    sql: """
                        SELECT endpoint_id, 'pending', count(*) FROM webhook_deliveries WHERE state = 'pending' GROUP BY endpoint_id
                        UNION ALL
                        SELECT endpoint_id, 'waiting', count(*) FROM webhook_deliveries
                            WHERE ordering_key IS NOT NULL AND state IN ('pending', 'sending', 'waiting', 'parked')
                                AND state = 'waiting'
                            GROUP BY endpoint_id
                        """
                )
            ).map { ($0[0], $0[1], $0[2]) }
            if let oldest = try Int64.fetchOne(
                db.cachedStatement(
                    sql: """
                        SELECT min(next_attempt_at) FROM webhook_deliveries
                        WHERE state = 'pending' AND next_attempt_at <= ?
                        """
                ),
                arguments: [now.millisecondsSinceEpoch]
            ) {
                gauges.oldestPendingMilliseconds = now.millisecondsSinceEpoch - oldest
            }
            gauges.breakers = try Row.fetchAll(
                db.cachedStatement(sql: "SELECT id, breaker_until FROM webhook_endpoints WHERE state <> 'deleted'")
            ).map { row in
                let until = row[1] as Int64?
                return (row[0], until.map { $0 > now.millisecondsSinceEpoch ? 2 : 1 } ?? 0)
            }
            gauges.deadLetters =
                try Int.fetchOne(
                    db.cachedStatement(
                        sql: "SELECT count(*) FROM dead_letters WHERE state = 'held' AND transport = 'http'"
                    )
                ) ?? 0
            return gauges
        }
    }
}
