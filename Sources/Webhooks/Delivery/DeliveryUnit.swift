import DurableStore
import GRDB
import Messaging

/// An attempt whose row is committed: what is to be sent.
struct PreparedAttempt: Sendable {
    let attemptID: String
    let delivery: Delivery
    let message: StoredWebhook
    /// What is sent: the event in the delivery's form.
    let content: WebhookContent
    let endpoint: WebhookEndpoint
    let secrets: [WebhookSecret]
    let startedAt: Timestamp
}

extension Delivery.Trigger {
    /// Whether a person asked for the attempt: an open breaker does not keep it back.
    var isAsked: Bool { self == .test || self == .manual }
}

/// What settling an attempt brought about, for metrics.
struct SettledAttempt: Sendable {
    var state: Delivery.State
    var outcome: String
    var code: String
    var breakerOpened = false
    var held = false
    var slowsDown = false
    var disabled: EndpointState.Reason?
    var deadLettered = false
}

/// The two units of work around a request: the row before the first byte, and what came of it.
struct DeliveryUnit: Sendable {
    let options: SenderOptions

    /// Writes the attempt's row and marks the delivery. `nil` when there is nothing to send any more, or not now.
    func begin(_ seq: Int64, in tx: Transaction) throws -> PreparedAttempt? {
        let deliveries = DeliveryTable(db: tx.db)
        let endpoints = EndpointTable(db: tx.db)
        guard let delivery = try deliveries.find(seq: seq), delivery.state == .pending,
            let due = delivery.nextAttemptAt, due <= tx.now,
            let endpoint = try endpoints.find(delivery.endpointID), endpoint.state == .enabled,
            (endpoint.holdUntil ?? tx.now) <= tx.now,
            delivery.trigger.isAsked || endpoint.breaker.permits(upTo: 1, at: tx.now) > 0,
            let message = try deliveries.message(delivery.messageID)
        else { return nil }
        let isProbe = !delivery.trigger.isAsked && endpoint.breaker.openUntil != nil
        let attempt = PreparedAttempt(
            attemptID: tx.newID(),
            delivery: delivery,
            message: message,
            content: message.content(as: delivery.form),
            endpoint: endpoint,
            secrets: try endpoints.secrets(of: endpoint.id, at: tx.now).map(\.secret),
            startedAt: tx.now
        )
        try deliveries.markSending(seq)
        try AttemptTable(db: tx.db).insert(
            id: attempt.attemptID,
            delivery: seq,
            number: delivery.attempts + 1,
            trigger: isProbe ? .probe : delivery.trigger,
            url: endpoint.settings.url,
            requestHeaders: shownHeaders(attempt),
            at: tx.now
        )
        return attempt
    }

    /// Builds the request. The signature is made now: with the keys and the second of this attempt.
    func request(_ attempt: PreparedAttempt) throws(WebhookURL.Fault) -> WebhookRequest {
        let seconds = attempt.startedAt.millisecondsSinceEpoch / 1000
        let settings = attempt.endpoint.settings
        let signer = WebhookSigner(
            secrets: settings.signs == .v1a ? [] : attempt.secrets,
            signingKey: attempt.endpoint.signingKey.flatMap { WebhookSigningKey($0) }
        )
        var headers = standardHeaders(attempt)
        headers.append(("webhook-timestamp", String(seconds)))
        headers.append(
            (
                "webhook-signature",
                signer.signatures(id: attempt.message.id, timestamp: seconds, body: attempt.content.body)
            )
        )
        headers += settings.headers.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
        return WebhookRequest(
            url: try WebhookURL(settings.url),
            headers: headers,
            body: attempt.content.body
                + (Sabotage.isOn("webhook-body-changes") ? Array("\(attempt.delivery.attempts)".utf8) : []),
            timeout: .milliseconds(settings.timeoutMilliseconds)
        )
    }

    /// Writes what came of an attempt, for the delivery, its endpoint, its line and the dead letters.
    func settle(_ attempt: PreparedAttempt, _ exchange: WebhookExchange, in tx: Transaction) throws -> SettledAttempt {
        let deliveries = DeliveryTable(db: tx.db)
        let endpoints = EndpointTable(db: tx.db)
        guard let delivery = try deliveries.find(seq: attempt.delivery.seq),
            var endpoint = try endpoints.find(delivery.endpointID)
        else { throw CorruptWebhookRow(table: "webhook_deliveries") }
        if case .failed(.interrupted, _) = exchange.result {
            return try interrupt(attempt, delivery, exchange, in: tx)
        }
        let verdict = AttemptVerdict(exchange.result, terminalStatuses: endpoint.settings.terminalStatuses, now: tx.now)
        // What another address said, before the endpoint got its present one, decides nothing about this one.
        if verdict.fate != .delivered, attempt.endpoint.settings.url != endpoint.settings.url {
            return try interrupt(attempt, delivery, exchange, in: tx)
        }
        let isErased = try verdict.fate != .delivered && deliveries.isErased(delivery.messageID)
        let settlement = settlement(delivery, endpoint, verdict, exchange, isErased: isErased, tx)
        try AttemptTable(db: tx.db).finish(
            attempt.attemptID,
            state: verdict.fate == .delivered ? "succeeded" : "failed",
            exchange: exchange,
            next: settlement.next,
            at: tx.now
        )
        try deliveries.settle(delivery, settlement, at: tx.now)
        var settled = SettledAttempt(
            state: settlement.state,
            outcome: verdict.fate == .delivered ? "delivered" : "failed",
            code: settlement.code ?? settlement.status.map(String.init) ?? ""
        )
        if settlement.state == .exhausted || settlement.state == .parked, !attempt.message.isTest {
            settled.deadLettered = delivery.resume == nil
            try WebhookDeadLetters(db: tx.db).hold(
                delivery,
                message: attempt.message,
                content: attempt.content,
                endpoint: endpoint,
                code: settlement.reason ?? "attempts_used",
                error: sentence(exchange.result),
                attempts: delivery.attempts,
                at: tx.now
            )
        } else if settlement.state == .delivered, delivery.firstFailedAt != nil {
            try WebhookDeadLetters(db: tx.db).requeued(delivery, reason: "delivered", at: tx.now)
        }
        if delivery.trigger != .test, endpoint.state != .deleted {
            try noteHealth(&endpoint, verdict, settlement, &settled, in: tx)
        }
        if let key = delivery.orderingKey, settlement.state != .pending {
            try deliveries.releaseNext(key: key, endpoint: endpoint.id, at: tx.now)
        }
        try OperationalEvents(source: options.source).settled(delivery, settlement, in: tx)
        return settled
    }

    // MARK: Pure parts

    /// What becomes of a delivery: the whole rule.
    private func settlement(
        _ delivery: Delivery,
        _ endpoint: WebhookEndpoint,
        _ verdict: AttemptVerdict,
        _ exchange: WebhookExchange,
        isErased: Bool,
        _ tx: Transaction
    ) -> DeliveryTable.Settlement {
        var status: Int?
        var code: String?
        switch exchange.result {
        case .answered(let answer): status = answer.status
        case .failed(let fault, _): code = fault.rawValue
        }
        var result = DeliveryTable.Settlement(
            state: .delivered,
            failures: delivery.failures,
            status: status,
            code: code,
            trigger: delivery.trigger
        )
        guard verdict.fate != .delivered else { return result }
        result.failedAt = tx.now
        // Cancelled while the request was on the wire: it stays cancelled.
        guard delivery.state == .sending else {
            result.state = delivery.state
            result.reason = delivery.reason
            return result
        }
        if let reason = endpoint.state == .deleted ? "endpoint_deleted" : isErased ? "payload_erased" : nil {
            // Meanwhile nothing is to be sent any more.
            result.state = .cancelled
            result.reason = reason
            return result
        }
        let ended: Delivery.State =
            delivery.orderingKey != nil && endpoint.settings.onExhausted == .park ? .parked : .exhausted
        if delivery.trigger == .test {
            result.state = .exhausted
            result.reason = "test"
            return result
        }
        // What arrived has arrived, whatever is said of it when a person sends it once more.
        if case .terminal(let reason) = verdict.fate, delivery.resume?.state != .delivered {
            result.state = ended
            result.reason = reason
            result.failures += 1
            return result
        }
        if let resume = delivery.resume {
            // A resend that failed leaves everything as it was.
            result.state = resume.state
            result.next = resume.state == .pending ? (resume.at ?? tx.now) : nil
            result.reason = delivery.reason
            result.trigger = .scheduled
            return result
        }
        result.failures += 1
        let schedule = endpoint.settings.schedule.flatMap {
            RetrySchedule(delays: $0, jitterPercent: options.schedule.jitterPercent)
        }
        result.next = (schedule ?? options.schedule).next(
            afterFailures: result.failures,
            at: tx.now,
            floor: verdict.holdUntil,
            random: tx.random()
        )
        if result.next != nil {
            result.state = .pending
            if delivery.trigger == .manual { result.trigger = .scheduled }
        } else {
            result.state = ended
            result.reason = "attempts_used"
        }
        return result
    }

    private func interrupt(
        _ attempt: PreparedAttempt,
        _ delivery: Delivery,
        _ exchange: WebhookExchange,
        in tx: Transaction
    ) throws -> SettledAttempt {
        try AttemptTable(db: tx.db).finish(
            attempt.attemptID,
            state: "interrupted",
            exchange: exchange,
            next: tx.now,
            at: tx.now
        )
        if delivery.state == .sending {
            let isDeleted = try EndpointTable(db: tx.db).find(delivery.endpointID)?.state == .deleted
            try DeliveryTable(db: tx.db).settle(
                delivery,
                .init(
                    state: isDeleted ? .cancelled : .pending,
                    next: isDeleted ? nil : tx.now,
                    failures: delivery.failures,
                    code: AttemptFault.interrupted.rawValue,
                    reason: isDeleted ? "endpoint_deleted" : delivery.reason,
                    trigger: delivery.trigger,
                    keepsResume: true
                ),
                at: tx.now
            )
        }
        return SettledAttempt(state: .pending, outcome: "interrupted", code: AttemptFault.interrupted.rawValue)
    }

    private func noteHealth(
        _ endpoint: inout WebhookEndpoint,
        _ verdict: AttemptVerdict,
        _ settlement: DeliveryTable.Settlement,
        _ settled: inout SettledAttempt,
        in tx: Transaction
    ) throws {
        let endpoints = EndpointTable(db: tx.db)
        let before = endpoint
        let success = verdict.fate == .delivered
        var policy = options.breaker
        policy.threshold = endpoint.settings.breakerThreshold ?? policy.threshold
        if success || policy.threshold > 0 {
            settled.breakerOpened = endpoint.breaker.note(success: success, at: tx.now, policy: policy)
        }
        settled.slowsDown = verdict.slowsDown
        if success {
            endpoint.failingSince = nil
            endpoint.exhaustedInRow = 0
            // Once a second is enough for people, and spares a write per delivery.
            if tx.now.milliseconds(since: endpoint.lastSuccessAt ?? .init(millisecondsSinceEpoch: 0)) >= 1000 {
                endpoint.lastSuccessAt = tx.now
            }
        } else {
            endpoint.failingSince = endpoint.failingSince ?? tx.now
            if settled.deadLettered { endpoint.exhaustedInRow = min(endpoint.exhaustedInRow + 1, 1_000_000) }
        }
        if let hold = verdict.holdUntil, hold > endpoint.holdUntil ?? tx.now {
            endpoint.holdUntil = hold
            settled.held = true
        }
        if let reason = verdict.disable ?? (success ? nil : givingUp(on: endpoint, settlement, settled, at: tx.now)),
            let next = endpoint.state.applying(.disable(reason)), next != endpoint.state
        {
            endpoint.state = next
            endpoint.version += 1
            endpoint.updatedAt = tx.now
            settled.disabled = reason
            try endpoints.update(endpoint)
            try endpoints.journal(endpoint, action: "disabled", actor: "sender", detail: reason.rawValue, at: tx.now)
            try OperationalEvents(source: options.source).journalled(endpoint, "disabled", actor: "sender", in: tx)
        } else if endpoint != before {
            try endpoints.updateHealth(endpoint)
        }
    }

    /// Why an endpoint is to be left alone after one more failure; `nil` while it is not.
    private func givingUp(
        on endpoint: WebhookEndpoint,
        _ settlement: DeliveryTable.Settlement,
        _ settled: SettledAttempt,
        at now: Timestamp
    ) -> EndpointState.Reason? {
        if settled.deadLettered, settlement.code == AttemptFault.blockedAddress.rawValue { return .blockedAddress }
        let failingFor = endpoint.failingSince.map { now.milliseconds(since: $0) } ?? 0
        let isGivenUp =
            failingFor >= options.disableAfter.wholeMilliseconds
            || endpoint.exhaustedInRow >= max(1, options.disableAfterExhausted)
        return isGivenUp ? .failing : nil
    }

    private func standardHeaders(_ attempt: PreparedAttempt) -> [(name: String, value: String)] {
        var headers: [(name: String, value: String)] = [
            ("webhook-id", Sabotage.isOn("webhook-id-per-attempt") ? attempt.attemptID : attempt.message.id),
            ("user-agent", options.userAgent),
            ("accept", "*/*"),
        ]
        headers += attempt.content.headers
        if let trace = attempt.message.traceparent { headers.append(("traceparent", trace)) }
        if attempt.message.isTest { headers.append(("webhook-test", "true")) }
        if attempt.endpoint.settings.asksConsent { headers.append(("webhook-request-origin", options.origin)) }
        return headers
    }

    private func shownHeaders(_ attempt: PreparedAttempt) -> String {
        let own = attempt.endpoint.settings.headers.keys.sorted().map { (name: $0, value: "…") }
        let seconds = attempt.startedAt.millisecondsSinceEpoch / 1000
        return AttemptTable.text(standardHeaders(attempt) + [("webhook-timestamp", String(seconds))] + own)
    }

    private func sentence(_ result: AttemptResult) -> String {
        switch result {
        case .answered(let answer): "The last answer was \(answer.status)."
        case .failed(let fault, let detail): "The last attempt ended with \(fault.rawValue): \(detail)."
        }
    }
}
