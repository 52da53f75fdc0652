public import DurableStore
public import Messaging

/// What people do to endpoints and deliveries. Transport-free; each function runs inside the caller's unit and is journalled.
public struct WebhookAdministration: Sendable {
    /// The types that exist; `nil` accepts every pattern.
    public let knownTypes: [String]?
    /// Which addresses may be called.
    public let policy: AddressPolicy
    /// The most keys of one endpoint that are valid besides the present one.
    public static let maximumOldSecrets = 10
    /// The most endpoints.
    public static let maximumEndpoints = 1000
    /// The longest time that an old key stays valid: 7 days.
    public static let longestGrace: Duration = .seconds(7 * 86_400)
    private let events: OperationalEvents
    private let wake: @Sendable () -> Void

    /// Makes the administration.
    ///
    /// - Parameters:
    ///   - knownTypes: the types that exist beside the sender's own; `nil` accepts every pattern.
    ///   - source: `source` of the sender's own events.
    ///   - wake: called after a commit that may have made work; wakes the dispatcher.
    public init(
        knownTypes: [String]?,
        policy: AddressPolicy,
        source: String = SenderOptions().source,
        wake: @escaping @Sendable () -> Void
    ) {
        self.knownTypes = knownTypes.map { $0 + OperationalEvents.types }
        self.policy = policy
        events = OperationalEvents(source: source)
        self.wake = wake
    }

    /// Why something cannot be done.
    public enum Fault: Error, Sendable {
        /// The settings are wrong.
        case invalid([EndpointSettings.Fault])
        /// There is no such endpoint or delivery.
        case unknown
        /// Not in this state.
        case conflict(code: String, sentence: String)
    }

    // MARK: Endpoints

    /// Adds an endpoint with a key: enabled, or waiting for the receiver's consent.
    ///
    /// - Parameter secret: the caller's own key; a new one is made when it is `nil`.
    /// - Returns: the endpoint and its key, which is shown now.
    public func create(
        _ settings: EndpointSettings,
        secret: WebhookSecret? = nil,
        actor: String,
        in tx: Transaction
    ) throws -> (endpoint: WebhookEndpoint, secret: WebhookSecret) {
        let table = EndpointTable(db: tx.db)
        try check(settings)
        if let uid = settings.uid, try table.lookUp(uid) != nil {
            throw Fault.conflict(code: "uid-taken", sentence: "Another endpoint has the uid \(uid).")
        }
        guard try table.list(limit: Self.maximumEndpoints).count < Self.maximumEndpoints else {
            throw Fault.conflict(
                code: "too-many-endpoints",
                sentence: "There are \(Self.maximumEndpoints) endpoints already."
            )
        }
        var endpoint = WebhookEndpoint(
            id: tx.newID(),
            settings: settings,
            state: .enabled,
            breaker: Breaker(),
            version: 1,
            createdAt: tx.now,
            updatedAt: tx.now
        )
        if settings.signs != .v1 { endpoint.signingKey = WebhookSigningKey.generate().text }
        let secret = secret ?? .generate()
        if settings.asksConsent { endpoint.state = .pendingVerification }
        try table.insert(endpoint)
        try table.addSecret(secret, to: endpoint.id, previousUntil: nil, at: tx.now)
        if settings.asksConsent { try HandshakeTable(db: tx.db).ask(endpoint.id, at: tx.now) }
        try table.journal(endpoint, action: "created", actor: actor, at: tx.now)
        try events.journalled(endpoint, "created", actor: actor, in: tx)
        tx.afterCommit(wake)
        return (endpoint, secret)
    }

    /// Changes settings.
    public func update(
        _ id: String,
        actor: String,
        in tx: Transaction,
        _ change: (inout EndpointSettings) throws -> Void
    ) throws -> WebhookEndpoint {
        let table = EndpointTable(db: tx.db)
        var endpoint = try endpoint(id, tx)
        let before = endpoint.settings
        try change(&endpoint.settings)
        guard endpoint.settings != before else { return endpoint }
        try check(endpoint.settings)
        if let uid = endpoint.settings.uid, let other = try table.lookUp(uid), other.id != endpoint.id {
            throw Fault.conflict(code: "uid-taken", sentence: "Another endpoint has the uid \(uid).")
        }
        if endpoint.settings.signs == .v1 {
            endpoint.signingKey = nil
        } else if endpoint.signingKey == nil {
            endpoint.signingKey = WebhookSigningKey.generate().text
        }
        if before.ordering == .key, endpoint.settings.ordering == .none {
            try DeliveryTable(db: tx.db).releaseAll(endpoint: endpoint.id, at: tx.now)
        }
        if endpoint.settings.url != before.url { endpoint.breaker = Breaker() }
        if !endpoint.settings.asksConsent {
            endpoint.allowedPerMinute = nil
            if let next = endpoint.state.applying(.verify) { endpoint.state = next }
        } else if !before.asksConsent || endpoint.settings.url != before.url {
            // Consent is for one address.
            try HandshakeTable(db: tx.db).ask(endpoint.id, at: tx.now)
            endpoint.allowedPerMinute = nil
            if let next = endpoint.state.applying(.ask) { endpoint.state = next }
        }
        try save(&endpoint, "updated", actor, tx)
        return endpoint
    }

    /// Moves an endpoint in its state machine. An action that changes nothing is fine; one that is not possible is a conflict.
    public func act(
        _ action: EndpointState.Action,
        on id: String,
        actor: String,
        in tx: Transaction
    ) throws -> WebhookEndpoint {
        var endpoint = try endpoint(id, tx)
        var action = action
        if action == .enable, endpoint.settings.asksConsent, endpoint.state.reason != nil,
            try !HandshakeTable(db: tx.db).isGranted(endpoint.id)
        {
            action = .ask
        }
        guard let next = endpoint.state.applying(action) else {
            throw Fault.conflict(
                code: "state-conflict",
                sentence: "The endpoint is \(endpoint.state.name); this cannot be done to it now."
            )
        }
        if action == .ask { try HandshakeTable(db: tx.db).ask(endpoint.id, at: tx.now) }
        guard next != endpoint.state else { return endpoint }
        if action == .enable || action == .ask { forget(&endpoint) }
        endpoint.state = next
        if next == .deleted {
            _ = try DeliveryTable(db: tx.db).cancelOpen(endpoint: endpoint.id, at: tx.now)
            endpoint.settings.uid = nil
        }
        try save(&endpoint, Self.name(of: action), actor, tx)
        return endpoint
    }

    /// Closes the breaker and ends a hold.
    public func resetBreaker(_ id: String, actor: String, in tx: Transaction) throws -> WebhookEndpoint {
        var endpoint = try endpoint(id, tx)
        forget(&endpoint)
        try save(&endpoint, "breaker-reset", actor, tx)
        return endpoint
    }

    /// Adds a key that signs first from now on; the present one signs too until the grace ends.
    ///
    /// - Parameter grace: 0…7 days; 0 ends the old keys at once.
    /// - Returns: the new key and when the present one ends.
    public func rotate(
        _ id: String,
        grace: Duration,
        secret: WebhookSecret? = nil,
        actor: String,
        in tx: Transaction
    ) throws -> (secret: WebhookSecret, previousUntil: Timestamp) {
        guard grace >= .zero, grace <= Self.longestGrace else {
            throw Fault.invalid([.init("graceSeconds", "The grace is 0 to 604,800 seconds.")])
        }
        let table = EndpointTable(db: tx.db)
        var endpoint = try endpoint(id, tx)
        let old = try table.secrets(of: endpoint.id, at: tx.now).filter { $0.expiresAt != nil }
        guard old.count < Self.maximumOldSecrets || grace == .zero else {
            let next = old.compactMap(\.expiresAt).min()?.description ?? ""
            throw Fault.conflict(
                code: "too-many-secrets",
                sentence: "\(Self.maximumOldSecrets) old keys are still valid; the next ends at \(next)."
            )
        }
        let secret = secret ?? .generate()
        let until = tx.now.advanced(by: grace)
        try table.addSecret(secret, to: endpoint.id, previousUntil: until, at: tx.now)
        try save(&endpoint, "rotated", actor, tx, detail: "the key before ends at \(until)")
        return (secret, until)
    }

    /// Keys that are valid now, the newest first. Reading them is journalled by the caller's log, not by a row.
    public func secrets(of id: String, in tx: Transaction) throws -> [EndpointSecret] {
        try EndpointTable(db: tx.db).secrets(of: try endpoint(id, tx).id, at: tx.now)
    }

    /// Sends an example event, signed, marked as a test, outside the budget and the breaker.
    /// - Returns: the delivery to look at.
    public func test(_ id: String, _ event: WebhookEvent, in tx: Transaction) throws -> Delivery {
        let endpoint = try endpoint(id, tx)
        guard endpoint.state == .enabled else {
            throw Fault.conflict(
                code: "state-conflict",
                sentence: "The endpoint is \(endpoint.state.name); a test is sent to enabled ones."
            )
        }
        let table = DeliveryTable(db: tx.db)
        _ = try table.insert(event, body: event.body(isTest: true), isTest: true, at: tx.now)
        let seq = try table.insert(
            id: tx.newID(),
            message: event.id,
            endpoint: endpoint.id,
            type: event.type,
            orderingKey: nil,
            state: .pending,
            trigger: .test,
            form: endpoint.settings.form,
            at: tx.now
        )
        tx.afterCommit(wake)
        guard let seq, let delivery = try table.find(seq: seq) else { throw Fault.unknown }
        return delivery
    }

    /// Sends an example event to every enabled endpoint that would get it if it were real, as ``test(_:_:in:)`` does.
    /// - Returns: the deliveries, by the endpoints' age.
    public func test(_ event: WebhookEvent, in tx: Transaction) throws -> [Delivery] {
        try EndpointTable(db: tx.db).list(limit: Self.maximumEndpoints).filter { endpoint in
            endpoint.state == .enabled
                && endpoint.settings.wants(event.type, channels: event.channels) { event.document(isTest: true) }
        }.map { try test($0.id, event, in: tx) }
    }

    // MARK: Deliveries

    /// Sends once more, now, with the same id and bytes. Success ends the automatic retries; failure leaves them as they are.
    public func resend(_ id: String, in tx: Transaction) throws -> Delivery {
        let table = DeliveryTable(db: tx.db)
        let delivery = try delivery(id, table)
        switch delivery.state {
        case .sending:
            throw Fault.conflict(code: "in-flight", sentence: "An attempt is under way; wait for what comes of it.")
        case .waiting:
            throw Fault.conflict(
                code: "waits-in-line",
                sentence: "An earlier event of the same subject is not delivered yet."
            )
        case .pending where delivery.trigger == .manual: return delivery
        default: break
        }
        try requireSendable(delivery, tx)
        try table.requestNow(delivery, trigger: .manual, at: tx.now)
        tx.afterCommit(wake)
        return try self.delivery(id, table)
    }

    /// What would come of ``redrive(_:in:)`` now.
    public enum Outlook: Sendable, Hashable {
        /// It is due at once.
        case now
        /// It waits for something that its endpoint must do or become first.
        case later(code: String, sentence: String)
        /// It was delivered, and there is nothing to do.
        case delivered(at: Timestamp?)
    }

    /// Whether a delivery would be sent if it were begun again now, or what it would wait for.
    ///
    /// - Throws: ``Fault`` as ``redrive(_:in:)`` does: the delivery is gone or on its way, its endpoint is deleted or disabled, its
    ///   payload was erased.
    public func outlook(_ id: String, in tx: Transaction) throws -> Outlook {
        let delivery = try delivery(id, DeliveryTable(db: tx.db))
        if delivery.state == .delivered { return .delivered(at: delivery.completedAt) }
        try requireGivenUp(delivery)
        try requireSendable(delivery, tx)
        guard let endpoint = try EndpointTable(db: tx.db).find(delivery.endpointID) else { throw Fault.unknown }
        switch endpoint.state {
        case .paused:
            return .later(code: "endpoint-paused", sentence: "The endpoint is paused; it is sent when that is resumed.")
        case .pendingVerification:
            return .later(
                code: "endpoint-unverified",
                sentence: "The receiver has not agreed to be called; it is sent when it has."
            )
        case .enabled, .disabled, .deleted: break
        }
        if let until = endpoint.breaker.openUntil, until > tx.now {
            return .later(
                code: "breaker-open",
                sentence: "The endpoint does not answer; it is sent when a probe at \(until) or later succeeds."
            )
        }
        if let until = endpoint.holdUntil, until > tx.now {
            return .later(code: "endpoint-held", sentence: "The endpoint asked for no requests before \(until).")
        }
        return .now
    }

    /// Begins a delivery that was given up again, with a fresh budget.
    public func redrive(_ id: String, in tx: Transaction) throws -> Delivery {
        let table = DeliveryTable(db: tx.db)
        let delivery = try delivery(id, table)
        try requireGivenUp(delivery)
        try requireSendable(delivery, tx)
        try table.restart(delivery.seq, trigger: .recovery, recovery: nil, at: tx.now)
        try WebhookDeadLetters(db: tx.db).requeued(delivery, reason: "redriven", at: tx.now)
        tx.afterCommit(wake)
        return try self.delivery(id, table)
    }

    /// Gives a parked delivery up for good; its subject goes on with the next event.
    public func skip(_ id: String, in tx: Transaction) throws -> Delivery {
        let table = DeliveryTable(db: tx.db)
        let delivery = try delivery(id, table)
        guard delivery.state == .parked, let key = delivery.orderingKey else {
            throw Fault.conflict(
                code: "state-conflict",
                sentence: "The delivery is \(delivery.state.rawValue), not parked."
            )
        }
        try table.settle(
            delivery,
            .init(
                state: .exhausted,
                failures: delivery.failures,
                status: delivery.lastStatus,
                code: delivery.lastCode,
                reason: "skipped_by_operator",
                trigger: delivery.trigger
            ),
            at: tx.now
        )
        try table.releaseNext(key: key, endpoint: delivery.endpointID, at: tx.now)
        tx.afterCommit(wake)
        return try self.delivery(id, table)
    }

    /// Removes an event's payload for good: nothing sends it any more, and it cannot be sent again. What the attempts noted about
    /// themselves stays.
    ///
    /// - Parameter id: `webhook-id`.
    /// - Returns: deliveries that were ended by it.
    public func erase(_ id: String, actor: String, in tx: Transaction) throws -> Int {
        let table = DeliveryTable(db: tx.db)
        guard try table.message(id) != nil else { throw Fault.unknown }
        let ended = try table.erase(id, actor: actor, at: tx.now) ?? 0
        tx.afterCommit(wake)
        return ended
    }

    // MARK: Inside

    private func check(_ settings: EndpointSettings) throws {
        let faults = settings.faults(knownTypes: knownTypes, policy: policy)
        guard faults.isEmpty else { throw Fault.invalid(faults) }
    }

    private func endpoint(_ id: String, _ tx: Transaction) throws -> WebhookEndpoint {
        guard let endpoint = try EndpointTable(db: tx.db).lookUp(id), endpoint.state != .deleted else {
            throw Fault.unknown
        }
        return endpoint
    }

    private func delivery(_ id: String, _ table: DeliveryTable) throws -> Delivery {
        guard let delivery = try table.find(id: id) else { throw Fault.unknown }
        return delivery
    }

    private func requireGivenUp(_ delivery: Delivery) throws {
        guard [.exhausted, .parked, .skipped, .cancelled].contains(delivery.state) else {
            throw Fault.conflict(
                code: "state-conflict",
                sentence: "The delivery is \(delivery.state.rawValue), not given up."
            )
        }
    }

    private func requireSendable(_ delivery: Delivery, _ tx: Transaction) throws {
        guard let endpoint = try EndpointTable(db: tx.db).find(delivery.endpointID), endpoint.state != .deleted else {
            throw Fault.conflict(code: "endpoint-deleted", sentence: "The endpoint is deleted.")
        }
        guard endpoint.state.reason == nil else {
            throw Fault.conflict(
                code: "endpoint-disabled",
                sentence: "The endpoint is disabled (\(endpoint.state.reason?.rawValue ?? ""))."
            )
        }
        guard try DeliveryTable(db: tx.db).message(delivery.messageID)?.body.isEmpty == false else {
            throw Fault.conflict(
                code: "payload-erased",
                sentence: "The event's payload was erased; it cannot be sent again."
            )
        }
    }

    private func forget(_ endpoint: inout WebhookEndpoint) {
        endpoint.exhaustedInRow = 0
        endpoint.breaker = Breaker()
        endpoint.holdUntil = nil
        endpoint.failingSince = nil
    }

    private func save(
        _ endpoint: inout WebhookEndpoint,
        _ action: String,
        _ actor: String,
        _ tx: Transaction,
        detail: String = ""
    ) throws {
        endpoint.version += 1
        endpoint.updatedAt = tx.now
        let table = EndpointTable(db: tx.db)
        try table.update(endpoint)
        try table.journal(endpoint, action: action, actor: actor, detail: detail, at: tx.now)
        try events.journalled(endpoint, action, actor: actor, in: tx)
        tx.afterCommit(wake)
    }

    private static func name(of action: EndpointState.Action) -> String {
        switch action {
        case .verify: "verified"
        case .pause: "paused"
        case .resume: "resumed"
        case .enable: "enabled"
        case .delete: "deleted"
        case .disable: "disabled"
        case .ask: "asked"
        }
    }
}
