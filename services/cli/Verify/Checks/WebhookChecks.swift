/// W: every subscribed event is delivered or visibly given up, and every attempt is the same event.
let webhookChecks = [
    Check("W1", "everybody has a delivery of what they want, and every end its attempt", .always) { evidence in
        guard let webhooks = evidence.webhooks else { return .notExamined("the notification database was not read") }
        var attempts: [Int64: Set<String>] = [:]
        for attempt in webhooks.attempts { attempts[attempt.delivery, default: []].insert(attempt.state) }
        var violations: [String] = []
        for delivery in webhooks.deliveries {
            let states = attempts[delivery.number] ?? []
            let what = "delivery \(delivery.number) of event \(delivery.event)"
            switch delivery.state {
            case "delivered" where !states.contains("succeeded"):
                violations.append("\(what) is called delivered and no attempt succeeded")
            case "exhausted" where !states.contains("failed"), "parked" where !states.contains("failed"):
                violations.append("\(what) was given up and no attempt failed")
            case "sending" where !states.contains("started"):
                violations.append("\(what) is being sent and no attempt was begun")
            case "sending" where evidence.isQuiescent: violations.append("\(what) is still being sent")
            case "pending"
            where evidence.isQuiescent && delivery.attempts == 0 && webhooks.ready.contains(delivery.endpoint):
                violations.append("\(what) was never tried")
            default: break
            }
        }
        // An event is kept as long as one of its deliveries is.
        let kept = Set(webhooks.deliveries.map(\.event))
        violations += webhooks.events.keys.filter { !kept.contains($0) }.map {
            "event \($0) was recorded and has no delivery"
        }
        violations += WebhookSubscriptions(webhooks).violations(evidence)
        if !webhooks.isPruned {
            for row in evidence.messaging?.inbox ?? []
            where row.consumer == "notification" && row.outcome == "handled" && !kept.contains(row.messageID) {
                violations.append("event \(row.messageID) was wanted and has no delivery")
            }
        }
        // The receiver wrote before it answered, and was read before the database.
        if evidence.isQuiescent { violations += neverTaken(webhooks, evidence.receipts ?? []) }
        return .of(
            counted(webhooks.deliveries.count, "delivery", plural: "deliveries") + ", "
                + counted(webhooks.attempts.count, "attempt") + ", " + counted(webhooks.endpoints.count, "endpoint"),
            violations: violations
        )
    },
    Check("W2", "a receiver sees one content under one webhook-id, signed, and of a kept event", .always) { evidence in
        guard let receipts = evidence.receipts else {
            return .notExamined("no receiver's record was given (--receipts)")
        }
        guard let webhooks = evidence.webhooks else { return .notExamined("the notification database was not read") }
        var digests: [String: String] = [:]
        var violations: [String] = []
        for (index, receipt) in receipts.enumerated() {
            guard receipt.isVerified else {
                violations.append("request \(index + 1) could not be verified")
                continue
            }
            let known = digests.updateValue(receipt.digest, forKey: receipt.event)
            if let known, known != receipt.digest {
                violations.append("webhook \(receipt.event) came with two contents")
            }
            if known == nil, !webhooks.isPruned, webhooks.events[receipt.event] == nil {
                violations.append("webhook \(receipt.event) came and was never recorded")
            }
        }
        return .of(
            counted(receipts.count, "request") + ", " + counted(digests.count, "webhook"),
            violations: violations
        )
    },
    Check("W3", "attempts are numbered, not early, and end with success", .always) { evidence in
        guard let webhooks = evidence.webhooks else { return .notExamined("the notification database was not read") }
        var violations: [String] = []
        var last: [Int64: WebhookEvidence.Attempt] = [:]
        for attempt in webhooks.attempts.sorted(by: { ($0.delivery, $0.number) < ($1.delivery, $1.number) }) {
            let before = last.updateValue(attempt, forKey: attempt.delivery)
            let what = "delivery \(attempt.delivery)"
            if attempt.number != (before?.number ?? 0) + 1 {
                violations.append("\(what) has no attempt \((before?.number ?? 0) + 1) before \(attempt.number)")
            }
            // People may send again whatever and whenever they like.
            guard attempt.trigger == "scheduled", let before else { continue }
            if before.state == "succeeded" {
                violations.append("\(what) was tried again after attempt \(before.number) had succeeded")
            }
            if before.trigger == "scheduled", let due = before.nextAt, attempt.startedAt < due {
                violations.append("\(what): attempt \(attempt.number) began \(due - attempt.startedAt) ms early")
            }
        }
        for delivery in webhooks.deliveries where delivery.attempts != last[delivery.number]?.number ?? 0 {
            violations.append(
                "delivery \(delivery.number) counts \(delivery.attempts) attempts and has \(last[delivery.number]?.number ?? 0)"
            )
        }
        if !webhooks.isPruned { violations += requestsWithoutRows(webhooks, evidence.receipts ?? []) }
        return .of(
            counted(webhooks.attempts.count, "attempt") + ", "
                + counted(webhooks.deliveries.count, "delivery", plural: "deliveries"),
            violations: violations
        )
    },
]

/// One event at one endpoint.
private struct Parcel: Hashable {
    var endpoint: String
    var event: String
}

/// Deliveries that the sender believes made, and that the receiver who writes everything down never took.
private func neverTaken(_ webhooks: WebhookEvidence, _ receipts: [WebhookReceipt]) -> [String] {
    let recording = Set(receipts.compactMap(\.endpoint))
    let taken = Set(
        receipts.compactMap { receipt in
            (200..<300).contains(receipt.status)
                ? receipt.endpoint.map { Parcel(endpoint: $0, event: receipt.event) } : nil
        }
    )
    return webhooks.deliveries.filter {
        $0.state == "delivered" && recording.contains($0.endpoint)
            && !taken.contains(Parcel(endpoint: $0.endpoint, event: $0.event))
    }.map { "delivery \($0.number) of event \($0.event) is called delivered, and \($0.endpoint) never took it" }
}

/// Requests that came though no attempt for them had been written down before.
private func requestsWithoutRows(_ webhooks: WebhookEvidence, _ receipts: [WebhookReceipt]) -> [String] {
    var rows: [Parcel: Int64] = [:]
    for delivery in webhooks.deliveries {
        rows[Parcel(endpoint: delivery.endpoint, event: delivery.event), default: 0] += delivery.attempts
    }
    var requests: [Parcel: Int64] = [:]
    for receipt in receipts where receipt.isVerified {
        guard let endpoint = receipt.endpoint else { continue }
        requests[Parcel(endpoint: endpoint, event: receipt.event), default: 0] += 1
    }
    return requests.filter { $0.value > rows[$0.key, default: 0] }.map {
        "\($0.key.endpoint) got event \($0.key.event) \($0.value) times, by \(counted(Int(rows[$0.key, default: 0]), "attempt"))"
    }
}
