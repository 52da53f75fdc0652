public import DurableStore
public import Messaging

/// Asks receivers whether they want what is sent to them, before anything is (CloudEvents HTTP webhook 1.0.2, section 4).
///
/// ```
/// pendingVerification ──OPTIONS, a row first──► headers agree ──► enabled
///        ▲                        │ no, or no answer
///        └── again, as the schedule says ──┤ schedule used up ──► disabled (failing)
///        a call of the consent address, at any time ──► enabled
/// ```
///
/// An answer that could not be stored, or that this process did not live to see, is asked for again, also after the last entry of the
/// schedule: two minutes later (``WebhookHandshake/lostAfter``).
public struct WebhookHandshakes: Sendable {
    private let store: DurableStore
    private let sender: any WebhookSending
    private let options: SenderOptions
    private let clock: any WallClock
    private let wake: @Sendable () -> Void

    /// Makes the handshakes.
    ///
    /// - Parameter wake: called after a consent; wakes the dispatcher.
    public init(
        store: DurableStore,
        sender: any WebhookSending,
        options: SenderOptions,
        clock: any WallClock = SystemClock(),
        wake: @escaping @Sendable () -> Void
    ) {
        self.store = store
        self.sender = sender
        self.options = options
        self.clock = clock
        self.wake = wake
    }

    /// Asks every receiver that is due, all at the same time, and waits for their answers.
    public func advance() async throws {
        let now = clock.now()
        let due = try await store.read { db in try HandshakeTable(db: db).due(at: now, limit: 32) }
        await withTaskGroup(of: Void.self) { tasks in
            for id in due { tasks.addTask { await self.ask(id) } }
        }
    }

    /// Asks until cancelled.
    public func run() async throws {
        while true {
            try? await advance()
            try await Task.sleep(for: .seconds(1))
        }
    }

    /// Takes a receiver's consent that came later, by a call of its consent address.
    ///
    /// - Parameters:
    ///   - token: the end of that address.
    ///   - rate: `webhook-allowed-rate` of the call; what was asked for when it has none.
    /// - Throws: ``WebhookAdministration/Fault/unknown`` when nobody was asked with this token, or the endpoint waits for nothing.
    public func grant(token: String, rate: String?) async throws {
        try await store.write { [self] tx in
            guard let handshake = try HandshakeTable(db: tx.db).find(token: token),
                let endpoint = try EndpointTable(db: tx.db).find(handshake.endpointID),
                endpoint.state == .pendingVerification
            else { throw WebhookAdministration.Fault.unknown }
            let consent = rate.map { Consent(rate: $0) } ?? .granted(perMinute: asked(of: endpoint))
            guard case .granted(let perMinute) = consent else {
                throw WebhookAdministration.Fault.conflict(
                    code: "rate-invalid",
                    sentence: "webhook-allowed-rate is a positive number or *."
                )
            }
            try grant(endpoint, perMinute, in: tx)
        }
    }

    // MARK: Inside

    private func ask(_ id: String) async {
        let begun = try? await store.write { [options] tx -> (WebhookEndpoint, String)? in
            let table = HandshakeTable(db: tx.db)
            guard let endpoint = try EndpointTable(db: tx.db).find(id), endpoint.state == .pendingVerification,
                let handshake = try table.find(id), handshake.isDue(at: tx.now)
            else { return nil }
            let next = options.schedule.next(
                afterFailures: handshake.attempts + 1,
                at: tx.now,
                floor: nil,
                random: tx.random()
            )
            try table.markAsked(id, next: next, at: tx.now)
            return (endpoint, handshake.token)
        }
        guard let (endpoint, token) = begun ?? nil else { return }
        let result: AttemptResult
        do throws(WebhookURL.Fault) {
            result = await sender.send(try request(endpoint, token)).result
        } catch {
            result = .failed(.blockedAddress, detail: error.description)
        }
        // Our own end is no answer: it is asked again.
        if case .failed(.interrupted, _) = result { return }
        _ = try? await store.write { [self] tx in
            try settle(endpoint, token, Consent(result, origin: options.origin), in: tx)
        }
    }

    private func request(_ endpoint: WebhookEndpoint, _ token: String) throws(WebhookURL.Fault) -> WebhookRequest {
        var headers: [(name: String, value: String)] = [
            ("webhook-request-origin", options.origin), ("webhook-request-rate", String(asked(of: endpoint))),
            ("user-agent", options.userAgent), ("accept", "*/*"),
        ]
        if let base = options.consentURL { headers.append(("webhook-request-callback", base + token)) }
        headers += endpoint.settings.headers.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
        return WebhookRequest(
            method: "OPTIONS",
            url: try WebhookURL(endpoint.settings.url),
            headers: headers,
            body: [],
            timeout: .milliseconds(endpoint.settings.timeoutMilliseconds)
        )
    }

    private func settle(_ asked: WebhookEndpoint, _ token: String, _ consent: Consent, in tx: Transaction) throws {
        let table = HandshakeTable(db: tx.db)
        // Asked anew meanwhile, or the consent came by the other way: this answer means nothing any more.
        guard let handshake = try table.find(asked.id), handshake.token == token,
            var endpoint = try EndpointTable(db: tx.db).find(asked.id), endpoint.state == .pendingVerification
        else { return }
        switch consent {
        case .granted(let perMinute): try grant(endpoint, perMinute, in: tx)
        case .withheld(let reason):
            try table.note(asked.id, result: reason)
            guard handshake.nextAt == nil, let next = endpoint.state.applying(.disable(.failing)) else { return }
            endpoint.state = next
            try save(&endpoint, "disabled", detail: reason, in: tx)
        }
    }

    private func grant(_ endpoint: WebhookEndpoint, _ perMinute: Int?, in tx: Transaction) throws {
        var endpoint = endpoint
        guard let next = endpoint.state.applying(.verify) else { return }
        endpoint.state = next
        endpoint.allowedPerMinute = perMinute
        try HandshakeTable(db: tx.db).grant(endpoint.id, at: tx.now)
        let rate = perMinute.map { "\($0) requests per minute" } ?? "any number of requests"
        try save(&endpoint, "verified", detail: rate, in: tx)
    }

    private func save(_ endpoint: inout WebhookEndpoint, _ action: String, detail: String, in tx: Transaction) throws {
        endpoint.version += 1
        endpoint.updatedAt = tx.now
        let table = EndpointTable(db: tx.db)
        try table.update(endpoint)
        try table.journal(endpoint, action: action, actor: "receiver", detail: detail, at: tx.now)
        try OperationalEvents(source: options.source).journalled(endpoint, action, actor: "receiver", in: tx)
        tx.afterCommit(wake)
    }

    private func asked(of endpoint: WebhookEndpoint) -> Int {
        endpoint.settings.throttlePerSecond.map { $0 * 60 } ?? options.requestedPerMinute
    }
}
