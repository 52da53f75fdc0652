public import DurableStore
import GRDB
public import Messaging
import StrictJSON

/// A job that sends again what an endpoint missed: in the order of events, in small units, at the endpoint's own pace.
///
/// ```
/// running ──nothing left──► finished
///    │ ▲ └──cancel──► cancelled
///    │ └────resume────────┘
/// ```
///
/// Its progress is a row: a process that ends in the middle goes on where it stopped. What was delivered is skipped; what is on
/// its way is left alone.
public struct WebhookRecovery: Sendable, Identifiable {
    /// A UUID of version 7.
    public let id: String
    /// The endpoint.
    public let endpointID: String
    /// `running`, `finished` or `cancelled`.
    public let state: String
    /// Events recorded from here …
    public let since: Timestamp
    /// … to before here are meant.
    public let until: Timestamp
    /// Events looked at so far.
    public let examined: Int
    /// Deliveries that were begun again.
    public let recovered: Int
    /// The most that are begun per second; `nil` for the endpoint's own pace.
    public let perSecond: Int?
    /// When it was asked for.
    public let createdAt: Timestamp
    /// When it last went on.
    public let updatedAt: Timestamp
}

/// What a recovery is to do.
public struct RecoveryRequest: Sendable, Hashable {
    /// The endpoint, by id or uid.
    public var endpoint: String
    /// Events recorded from here on.
    public var since: Timestamp
    /// Events recorded before this; now unless set.
    public var until: Timestamp?
    /// Patterns; empty for all.
    public var eventTypes: [String] = []
    /// Only deliveries whose last answer was of this class: 5 for 500…599.
    public var statusClass: Int?
    /// Also events that the endpoint never got: made before it was added, or while it did not want them.
    public var includesMissing = false
    /// Begin at most so many per second, 1…10,000; `nil` for the endpoint's own pace.
    public var perSecond: Int?
    /// A name of the caller's own: asking again with it starts nothing new.
    public var request: String?

    /// Makes a request.
    public init(endpoint: String, since: Timestamp) {
        self.endpoint = endpoint
        self.since = since
    }
}

/// Starts, cancels and carries out recoveries.
public struct WebhookRecoveries: Sendable {
    private let store: DurableStore
    private let wake: @Sendable () -> Void
    /// Events looked at in one unit.
    static let batch = 200
    /// No more is begun while so many deliveries of the endpoint wait.
    static let backlog = 1000

    /// Makes the recoveries.
    public init(store: DurableStore, wake: @escaping @Sendable () -> Void) {
        self.store = store
        self.wake = wake
    }

    /// How many deliveries a recovery would begin. Changes nothing.
    public func count(_ request: RecoveryRequest) async throws -> Int {
        try await store.rehearse { tx in
            let job = try Self.make(request, in: tx)
            var cursor = job
            var total = 0
            while let step = try Self.step(&cursor, dryRun: true, in: tx) { total += step }
            return total
        }
    }

    /// Starts a recovery, or returns the one that was started with the same name.
    public func start(_ request: RecoveryRequest) async throws -> WebhookRecovery {
        let wake = wake
        return try await store.write { tx in
            let job = try Self.make(request, in: tx)
            tx.afterCommit(wake)
            guard let made = try Self.list(id: job.id, in: tx.db).first else {
                throw WebhookAdministration.Fault.unknown
            }
            return made
        }
    }

    /// Ends a recovery; what it began goes on.
    public func cancel(_ id: String) async throws -> WebhookRecovery {
        try await move(id, from: "running", to: "cancelled")
    }

    /// Lets a recovery that was cancelled go on where it stopped.
    public func resume(_ id: String) async throws -> WebhookRecovery {
        try await move(id, from: "cancelled", to: "running")
    }

    /// In another state nothing happens.
    private func move(_ id: String, from state: String, to next: String) async throws -> WebhookRecovery {
        try await store.write { tx in
            try tx.db.cachedStatement(
                sql: "UPDATE webhook_recoveries SET state = ?, updated_at = ? WHERE id = ? AND state = ?"
            ).run([next, tx.now.millisecondsSinceEpoch, id, state])
            guard let job = try Self.list(id: id, in: tx.db).first else { throw WebhookAdministration.Fault.unknown }
            return job
        }
    }

    /// The recoveries, the newest first; one of them when `id` is given.
    public func list(_ id: String? = nil) async throws -> [WebhookRecovery] {
        try await store.read { db in try Self.list(id: id, in: db) }
    }

    /// Carries out one unit of every running recovery.
    /// - Returns: whether one of them has more to do now.
    @discardableResult
    public func advance() async throws -> Bool {
        guard try await store.read({ db in try !Self.running(in: db).isEmpty }) else { return false }
        let wake = wake
        return try await store.write { tx in
            var isMore = false
            for var job in try Self.running(in: tx.db) {
                let waiting =
                    try Int.fetchOne(
                        tx.db.cachedStatement(
                            sql: """
                                SELECT count(*) FROM (SELECT 1 FROM webhook_deliveries
                                    WHERE endpoint_id = ? AND state = 'pending' LIMIT ?)
                                """
                        ),
                        arguments: [job.endpointID, Self.backlog]
                    ) ?? 0
                guard waiting < Self.backlog else { continue }
                var most = Int.max
                if let rate = job.perSecond {
                    // Whole deliveries that the time since the last unit allows, at most a second's worth.
                    most = Int(min(max(tx.now.millisecondsSinceEpoch - job.updatedAt, 0), 1000)) * rate / 1000
                    guard most > 0 else {
                        isMore = true
                        continue
                    }
                }
                if try Self.step(&job, most: most, dryRun: false, in: tx) != nil { isMore = true }
                try Self.save(job, in: tx)
            }
            tx.afterCommit(wake)
            return isMore
        }
    }

    /// Carries recoveries out until cancelled.
    public func run() async throws {
        while true {
            let isMore = (try? await advance()) ?? false
            try await Task.sleep(for: isMore ? .milliseconds(20) : .seconds(1))
        }
    }

    // MARK: Inside

    private struct Job: Sendable {
        let id: String
        let endpointID: String
        let until: Int64
        let eventTypes: [EventTypePattern]
        let statusClass: Int?
        let includesMissing: Bool
        let perSecond: Int?
        let updatedAt: Int64
        var createdAt: Int64
        var messageID: String
        var examined = 0
        var recovered = 0
        var isFinished = false
    }

    private static func make(_ request: RecoveryRequest, in tx: Transaction) throws -> Job {
        guard let endpoint = try EndpointTable(db: tx.db).lookUp(request.endpoint), endpoint.state != .deleted else {
            throw WebhookAdministration.Fault.unknown
        }
        guard request.eventTypes.count <= 100, request.eventTypes.allSatisfy({ EventTypePattern($0) != nil }),
            request.statusClass.map({ (1...5).contains($0) }) ?? true,
            request.perSecond.map({ (1...10_000).contains($0) }) ?? true,
            (request.request?.utf8.count ?? 1) <= 128
        else {
            throw WebhookAdministration.Fault.invalid([
                .init("eventTypes", "Patterns, a class from 1 to 5, a rate from 1 to 10,000, a short name.")
            ])
        }
        let until = min(request.until ?? tx.now, tx.now)
        let id = tx.newID()
        let name = request.request ?? id
        try tx.db.cachedStatement(
            sql: """
                INSERT INTO webhook_recoveries (id, endpoint_id, request, since, until, event_types, status_class,
                    includes_missing, per_second, state, cursor_created, cursor_id, created_at, updated_at)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 'running', ?, '', ?, ?) ON CONFLICT (endpoint_id, request) DO NOTHING
                """
        ).run([
            id, endpoint.id, name, request.since.millisecondsSinceEpoch, until.millisecondsSinceEpoch,
            request.eventTypes.joined(separator: " "), request.statusClass, request.includesMissing,
            request.perSecond, request.since.millisecondsSinceEpoch, tx.now.millisecondsSinceEpoch,
            tx.now.millisecondsSinceEpoch,
        ])
        guard
            let row = try Row.fetchOne(
                tx.db.cachedStatement(
                    sql: "SELECT \(jobColumns) FROM webhook_recoveries WHERE endpoint_id = ? AND request = ?"
                ),
                arguments: [endpoint.id, name]
            )
        else { throw WebhookAdministration.Fault.unknown }
        return job(row)
    }

    private static let jobColumns = """
        id, endpoint_id, until, event_types, status_class, includes_missing, cursor_created, cursor_id, examined, recovered,
        per_second, updated_at
        """

    private static func job(_ row: Row) -> Job {
        Job(
            id: row[0],
            endpointID: row[1],
            until: row[2],
            eventTypes: (row[3] as String).split(separator: " ").compactMap { EventTypePattern(String($0)) },
            statusClass: row[4],
            includesMissing: row[5],
            perSecond: row[10],
            updatedAt: row[11],
            createdAt: row[6],
            messageID: row[7],
            examined: row[8],
            recovered: row[9]
        )
    }

    private static func running(in db: Database) throws -> [Job] {
        try Row.fetchAll(
            db.cachedStatement(
                sql: "SELECT \(jobColumns) FROM webhook_recoveries WHERE state = 'running' ORDER BY created_at LIMIT 16"
            )
        ).map(job)
    }

    /// Looks at the next events, until `most` deliveries are begun.
    /// - Returns: how many deliveries were begun (or would be); `nil` when nothing is left.
    private static func step(
        _ job: inout Job,
        most: Int = .max,
        dryRun: Bool,
        in tx: Transaction
    ) throws -> Int? {
        guard let endpoint = try EndpointTable(db: tx.db).find(job.endpointID), endpoint.state != .deleted else {
            job.isFinished = true
            return nil
        }
        let table = DeliveryTable(db: tx.db)
        let rows = try Row.fetchAll(
            tx.db.cachedStatement(
                sql: """
                    SELECT m.id, m.type, m.subject, m.created_at, d.id, d.state, d.last_status, m.channels
                    FROM webhook_messages m
                    LEFT JOIN webhook_deliveries d ON d.endpoint_id = ? AND d.message_id = m.id
                    WHERE (m.created_at, m.id) > (?, ?) AND m.created_at < ? AND m.is_test = 0 AND m.erased_at IS NULL
                    ORDER BY m.created_at, m.id LIMIT ?
                    """
            ),
            arguments: [job.endpointID, job.createdAt, job.messageID, job.until, dryRun ? 1000 : batch]
        )
        guard !rows.isEmpty else {
            job.isFinished = true
            return nil
        }
        var count = 0
        for row in rows where count < most {
            job.createdAt = row[3]
            job.messageID = row[0]
            job.examined += 1
            let type: String = row[1]
            guard job.eventTypes.isEmpty || job.eventTypes.contains(where: { $0.matches(type) }) else { continue }
            if let deliveryID = row[4] as String? {
                let state: String = row[5]
                guard ["exhausted", "skipped", "cancelled", "parked"].contains(state),
                    job.statusClass == nil || (row[6] as Int?).map({ $0 / 100 }) == job.statusClass
                else { continue }
                count += 1
                guard !dryRun, let delivery = try table.find(id: deliveryID) else { continue }
                try table.restart(delivery.seq, trigger: .recovery, recovery: job.id, at: tx.now)
                try WebhookDeadLetters(db: tx.db).requeued(delivery, reason: "recovered", at: tx.now)
            } else if job.includesMissing, job.statusClass == nil, try wants(endpoint, row, table) {
                count += 1
                guard !dryRun else { continue }
                _ = try table.insert(
                    id: tx.newID(),
                    message: row[0],
                    endpoint: endpoint.id,
                    type: type,
                    orderingKey: endpoint.settings.ordering == .key ? row[2] : nil,
                    state: .pending,
                    trigger: .recovery,
                    form: endpoint.settings.form,
                    at: tx.now
                )
            }
        }
        job.recovered += count
        return count
    }

    /// Whether an endpoint would have wanted a stored event.
    private static func wants(_ endpoint: WebhookEndpoint, _ row: Row, _ table: DeliveryTable) throws -> Bool {
        let channels = try StrictJSON.decode([String].self, from: Array((row[7] as String).utf8))
        let id: String = row[0]
        func document() throws -> JSONValue? {
            try table.message(id).map { try StrictJSON.parse($0.body, limits: .message) }
        }
        if OperationalEvents.isType(row[1]), OperationalEvents.endpoint(of: try document()) == endpoint.id {
            return false
        }
        var fault: (any Error)?
        let wants = endpoint.settings.wants(row[1], channels: channels) {
            do {
                return try document()
            } catch {
                fault = error
                return nil
            }
        }
        if let fault { throw fault }
        return wants
    }

    private static func save(_ job: Job, in tx: Transaction) throws {
        try tx.db.cachedStatement(
            sql: """
                UPDATE webhook_recoveries SET cursor_created = ?, cursor_id = ?, examined = ?, recovered = ?, state = ?,
                    updated_at = ? WHERE id = ? AND state = 'running'
                """
        ).run([
            job.createdAt, job.messageID, job.examined, job.recovered, job.isFinished ? "finished" : "running",
            tx.now.millisecondsSinceEpoch, job.id,
        ])
    }

    private static func list(id: String?, in db: Database) throws -> [WebhookRecovery] {
        try Row.fetchAll(
            db.cachedStatement(
                sql: """
                    SELECT id, endpoint_id, state, since, until, examined, recovered, created_at, updated_at, per_second
                    FROM webhook_recoveries WHERE ?1 IS NULL OR id = ?1 ORDER BY created_at DESC LIMIT 100
                    """
            ),
            arguments: [id]
        ).map { row in
            func time(_ index: Int) -> Timestamp { Timestamp(millisecondsSinceEpoch: row[index]) }
            return WebhookRecovery(
                id: row[0],
                endpointID: row[1],
                state: row[2],
                since: time(3),
                until: time(4),
                examined: row[5],
                recovered: row[6],
                perSecond: row[9],
                createdAt: time(7),
                updatedAt: time(8)
            )
        }
    }
}
