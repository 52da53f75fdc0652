import DurableStore
import GRDB
public import Messaging
import StrictJSON

/// Every statement on `webhook_endpoints`, `webhook_secrets` and the journal.
struct EndpointTable {
    let db: Database

    private static let columns = """
        id, uid, url, description, event_types, headers, metadata, state, state_reason, timeout_ms, max_in_flight, throttle,
        ordering, on_exhausted, terminal_statuses, schedule, signing_key, signs, request_origin, hold_until, breaker_failures,
        breaker_openings, breaker_until, failing_since, last_success_at, version, created_at, updated_at, breaker_threshold,
        channels, content_filter, payload, allowed_per_minute, exhausted_in_row, format
        """

    func find(_ id: String) throws -> WebhookEndpoint? {
        try db.cachedStatement(sql: "SELECT \(Self.columns) FROM webhook_endpoints WHERE id = ?").first([id], endpoint)
    }

    /// By id or by the caller's own name.
    func lookUp(_ name: String) throws -> WebhookEndpoint? {
        if let endpoint = try find(name) { return endpoint }
        return try db.cachedStatement(sql: "SELECT \(Self.columns) FROM webhook_endpoints WHERE uid = ?")
            .first([name], endpoint)
    }

    /// All that are not deleted, after an id, in the order of their ids (which is that of their creation).
    func list(after id: String = "", limit: Int = 1000) throws -> [WebhookEndpoint] {
        try db.cachedStatement(
            sql: "SELECT \(Self.columns) FROM webhook_endpoints WHERE state <> 'deleted' AND id > ? ORDER BY id LIMIT ?"
        ).all([id, limit], endpoint)
    }

    func insert(_ endpoint: WebhookEndpoint) throws {
        try db.cachedStatement(sql: Self.insertion).run(
            [endpoint.id, endpoint.createdAt.millisecondsSinceEpoch] + settings(of: endpoint) + health(of: endpoint)
        )
    }

    /// Writes settings and state.
    func update(_ endpoint: WebhookEndpoint) throws {
        try db.cachedStatement(sql: Self.updateOfSettings).run(settings(of: endpoint) + [endpoint.id])
        try updateHealth(endpoint)
    }

    /// Writes what attempts change: hold, breaker, failing since, given up in a row.
    func updateHealth(_ endpoint: WebhookEndpoint) throws {
        try db.cachedStatement(sql: Self.updateOfHealth).run(health(of: endpoint) + [endpoint.id])
    }

    private static let settingColumns = [
        "uid", "url", "description", "event_types", "headers", "metadata", "state", "state_reason", "timeout_ms",
        "max_in_flight", "throttle", "ordering", "on_exhausted", "terminal_statuses", "schedule", "signing_key",
        "signs", "request_origin", "version", "updated_at", "breaker_threshold", "channels", "content_filter",
        "payload", "allowed_per_minute", "format",
    ]
    private static let healthColumns = [
        "hold_until", "breaker_failures", "breaker_openings", "breaker_until", "failing_since", "last_success_at",
        "exhausted_in_row",
    ]

    private static let insertion: String = {
        let columns = ["id", "created_at"] + settingColumns + healthColumns
        return "INSERT INTO webhook_endpoints (\(list(columns))) VALUES (\(places(columns)))"
    }()
    private static let updateOfSettings = update(of: settingColumns)
    private static let updateOfHealth = update(of: healthColumns)

    private static func update(of columns: [String]) -> String {
        "UPDATE webhook_endpoints SET (\(list(columns))) = (\(places(columns))) WHERE id = ?"
    }

    private static func list(_ columns: [String]) -> String { columns.joined(separator: ", ") }

    private static func places(_ columns: [String]) -> String { list(columns.map { _ in "?" }) }

    /// The values of ``settingColumns``.
    private func settings(of endpoint: WebhookEndpoint) throws -> [Statement.Parameter] {
        let settings = endpoint.settings
        return [
            settings.uid, settings.url, settings.description, text(settings.eventTypes), text(settings.headers),
            text(settings.metadata), endpoint.state.name, endpoint.state.reason?.rawValue,
            settings.timeoutMilliseconds, settings.maximumInFlight, settings.throttlePerSecond,
            settings.ordering.rawValue, settings.onExhausted.rawValue, text(settings.terminalStatuses),
            settings.schedule.map(text), endpoint.signingKey, settings.signs.rawValue, settings.asksConsent,
            endpoint.version, endpoint.updatedAt.millisecondsSinceEpoch, settings.breakerThreshold,
            text(settings.channels), settings.filter?.text, settings.payload.rawValue, endpoint.allowedPerMinute,
            settings.format.rawValue,
        ]
    }

    /// The values of ``healthColumns``.
    private func health(of endpoint: WebhookEndpoint) -> [Statement.Parameter] {
        [
            endpoint.holdUntil?.millisecondsSinceEpoch, endpoint.breaker.failures, endpoint.breaker.openings,
            endpoint.breaker.openUntil?.millisecondsSinceEpoch, endpoint.failingSince?.millisecondsSinceEpoch,
            endpoint.lastSuccessAt?.millisecondsSinceEpoch, endpoint.exhaustedInRow,
        ]
    }

    // MARK: Journal

    func journal(
        _ endpoint: WebhookEndpoint,
        action: String,
        actor: String,
        detail: String = "",
        at now: Timestamp
    ) throws {
        try db.cachedStatement(
            sql: """
                INSERT INTO webhook_endpoint_journal (endpoint_id, version, action, state, reason, actor, detail, at)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?)
                """
        ).run([
            endpoint.id, endpoint.version, action, endpoint.state.name, endpoint.state.reason?.rawValue, actor, detail,
            now.millisecondsSinceEpoch,
        ])
    }

    func journal(of id: String, limit: Int) throws -> [EndpointJournalEntry] {
        try Row.fetchAll(
            db.cachedStatement(
                sql: """
                    SELECT version, action, state, reason, actor, detail, at FROM webhook_endpoint_journal
                    WHERE endpoint_id = ? ORDER BY version DESC LIMIT ?
                    """
            ),
            arguments: [id, limit]
        ).map {
            EndpointJournalEntry(
                version: $0[0],
                action: $0[1],
                state: $0[2],
                reason: $0[3],
                actor: $0[4],
                detail: $0[5],
                at: Timestamp(millisecondsSinceEpoch: $0[6])
            )
        }
    }

    // MARK: Secrets

    /// Keys that are valid at a time, the newest first.
    func secrets(of id: String, at now: Timestamp) throws -> [EndpointSecret] {
        try db.cachedStatement(
            sql: """
                SELECT number, secret, created_at, expires_at FROM webhook_secrets
                WHERE endpoint_id = ? AND (expires_at IS NULL OR expires_at > ?) ORDER BY number DESC LIMIT 16
                """
        ).all([id, now.millisecondsSinceEpoch]) { row in
            guard let secret = try? WebhookSecret(row[1] as String) else {
                throw CorruptWebhookRow(table: "webhook_secrets")
            }
            return try EndpointSecret(
                number: row[0],
                secret: secret,
                createdAt: Timestamp(millisecondsSinceEpoch: row[2]),
                expiresAt: (row[3] as Int64?).map(Timestamp.init(millisecondsSinceEpoch:))
            )
        }
    }

    /// Adds a key and lets the present one end; expired ones are removed.
    func addSecret(_ secret: WebhookSecret, to id: String, previousUntil: Timestamp?, at now: Timestamp) throws {
        try db.cachedStatement(sql: "DELETE FROM webhook_secrets WHERE endpoint_id = ? AND expires_at <= ?")
            .run([id, now.millisecondsSinceEpoch])
        if let previousUntil {
            if previousUntil <= now {
                try db.cachedStatement(sql: "DELETE FROM webhook_secrets WHERE endpoint_id = ?").run([id]
                )
            } else {
                try db.cachedStatement(
                    sql: "UPDATE webhook_secrets SET expires_at = ? WHERE endpoint_id = ? AND expires_at IS NULL"
                ).run([previousUntil.millisecondsSinceEpoch, id])
            }
        }
        try db.cachedStatement(
            sql: """
                INSERT INTO webhook_secrets (endpoint_id, number, secret, created_at, expires_at)
                SELECT ?1, coalesce(max(number), 0) + 1, ?2, ?3, NULL FROM webhook_secrets WHERE endpoint_id = ?1
                """
        ).run([id, secret.text, now.millisecondsSinceEpoch])
    }

    // MARK: Rows

    private func endpoint(_ row: Columns) throws -> WebhookEndpoint {
        let texts = try EndpointTexts(
            eventTypes: row[4],
            headers: row[5],
            metadata: row[6],
            terminalStatuses: row[14],
            schedule: row[15],
            channels: row[29],
            filter: row[30]
        )
        guard let state = try EndpointState(name: row[7], reason: row[8]),
            let ordering = EndpointSettings.Ordering(rawValue: try row[12]),
            let onExhausted = EndpointSettings.OnExhausted(rawValue: try row[13]),
            let signs = EndpointSettings.Signing(rawValue: try row[17]), let values = texts.values,
            let payload = EndpointSettings.Payload(rawValue: try row[31]),
            let format = EndpointSettings.Format(rawValue: try row[34])
        else { throw CorruptWebhookRow(table: "webhook_endpoints") }
        var settings = EndpointSettings(url: try row[2])
        settings.uid = try row[1]
        settings.description = try row[3]
        settings.eventTypes = values.eventTypes
        settings.headers = values.headers
        settings.metadata = values.metadata
        settings.timeoutMilliseconds = try row[9]
        settings.maximumInFlight = try row[10]
        settings.throttlePerSecond = try row[11]
        settings.ordering = ordering
        settings.onExhausted = onExhausted
        settings.terminalStatuses = values.terminalStatuses
        settings.schedule = values.schedule
        settings.signs = signs
        settings.breakerThreshold = try row[28]
        settings.asksConsent = try row[18]
        settings.channels = values.channels
        settings.filter = values.filter
        settings.payload = payload
        settings.format = format
        func time(_ index: Int) throws -> Timestamp? {
            try (row[index] as Int64?).map(Timestamp.init(millisecondsSinceEpoch:))
        }
        return try WebhookEndpoint(
            id: row[0],
            settings: settings,
            state: state,
            holdUntil: time(19),
            breaker: Breaker(failures: row[20], openings: row[21], openUntil: time(22)),
            failingSince: time(23),
            lastSuccessAt: time(24),
            exhaustedInRow: row[33],
            allowedPerMinute: row[32],
            version: row[25],
            createdAt: Timestamp(millisecondsSinceEpoch: row[26]),
            updatedAt: Timestamp(millisecondsSinceEpoch: row[27]),
            signingKey: row[16]
        )
    }

    private func text(_ value: some Encodable) -> String {
        // Strings and integers only: this cannot fail, and an empty text would be refused when read.
        (try? StrictJSON.encode(value)).map { String(decoding: $0, as: UTF8.self) } ?? ""
    }
}

/// A key of an endpoint.
public struct EndpointSecret: Sendable {
    /// 1, 2 … per endpoint.
    public let number: Int64
    /// The key.
    public let secret: WebhookSecret
    /// When it was added.
    public let createdAt: Timestamp
    /// When it ends; `nil` for the present one.
    public let expiresAt: Timestamp?
}

/// One change of an endpoint.
public struct EndpointJournalEntry: Sendable {
    /// The endpoint's version after it.
    public let version: Int64
    /// `created`, `updated`, `paused`, `rotated` …
    public let action: String
    /// The state after it.
    public let state: String
    /// The reason of a disabled state.
    public let reason: String?
    /// Who: `operator`, or `sender` for what an answer brought about.
    public let actor: String
    /// What else there is to say; never a secret.
    public let detail: String
    /// When.
    public let at: Timestamp
}

/// A row that the schema should have made impossible.
struct CorruptWebhookRow: ClassifiedFailure {
    let table: String

    var failureClass: FailureClass { .fatal }
    var code: String { "corrupt-row" }
    var description: String { "The table \(table) holds a row that cannot be; restore the database." }
}
