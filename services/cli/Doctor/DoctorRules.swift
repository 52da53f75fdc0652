/// One thing that needs attention.
public struct DoctorFinding: Sendable, Hashable {
    /// A stable word for scripts: `order-stuck`, `queue-without-consumer` …
    public let code: String
    /// The service, or `rabbitmq`.
    public let service: String
    /// What is wrong.
    public let what: String
    /// What to do about it.
    public let advice: String
}

/// What counts as stuck, and what to do about it. Pure: evidence in, findings out.
public struct DoctorRules: Sendable {
    /// A message may wait this long in the outbox.
    public var outboxMilliseconds: Int64 = 10_000
    /// A consumer may have records to read and get on with none for this long.
    public var stalledSeconds: Double = 15
    /// A consumer may be this many records behind.
    public var lag: Double = 10_000
    /// A deadline may be this late.
    public var deadlineSeconds: Int64 = 10
    /// An open order may stand still for this long: longer than each of its deadlines by default.
    public var orderSeconds: Int64 = 180
    /// A move of money may stay unknown for this long: longer than payment's window by default.
    public var paymentSeconds: Int64 = 60
    /// A hold may be this old before its order is looked up, so that none is accused whose order is just ending.
    public var reservationSeconds: Int64 = 60

    public init() {}

    /// Everything that is stuck, services first in the order in which they were asked.
    public func findings(_ evidence: DoctorEvidence) -> [DoctorFinding] {
        evidence.services.flatMap(service) + orders(evidence.orders) + payments(evidence.payments)
            + reservations(evidence.reservations) + evidence.queues.compactMap(queue)
            + evidence.unknown.map {
                DoctorFinding(
                    code: "not-asked",
                    service: "doctor",
                    what: $0,
                    advice: "scripts/status.sh tells what is up"
                )
            }
    }

    private func service(_ service: DoctorEvidence.Service) -> [DoctorFinding] {
        func finding(_ code: String, _ what: String, _ advice: String) -> DoctorFinding {
            DoctorFinding(code: code, service: service.name, what: what, advice: advice)
        }
        switch service.health {
        case .noAddress: return [finding("no-address", "no address", "start Waybill with scripts/up.sh")]
        case .silent(let why):
            return [finding("no-answer", "does not answer (\(why))", "scripts/status.sh, then its log")]
        case .notReady, .ready: break
        }
        var findings: [DoctorFinding] = []
        if case .notReady(let reasons) = service.health {
            findings += (reasons.isEmpty ? ["not ready"] : reasons).map {
                finding("not-ready", $0, "it is waited for; scripts/status.sh tells whether it is up")
            }
        }
        if service.outboxAgeMilliseconds > outboxMilliseconds {
            findings.append(
                finding(
                    "outbox-waits",
                    "a message waits in the outbox for \(service.outboxAgeMilliseconds / 1000) s",
                    "waybill outbox list --service \(service.name) shows why; the broker may be away or a queue full"
                )
            )
        }
        if service.outboxParked > 0 {
            findings.append(
                finding(
                    "outbox-parked",
                    "\(counted(service.outboxParked, "message")) parked in the outbox",
                    "waybill outbox list --service \(service.name) --state parked, then unpark or discard"
                )
            )
        }
        if service.deadLetters > 0 {
            findings.append(
                finding(
                    "dead-letters",
                    counted(service.deadLetters, "dead letter"),
                    "waybill dlq list --service \(service.name), then requeue, edit or discard"
                )
            )
        }
        findings += deadlines(service)
        return findings + service.metrics.compactMap { metric(service.name, $0) }
    }

    private func deadlines(_ service: DoctorEvidence.Service) -> [DoctorFinding] {
        let late = service.deadlines.filter { $0.overdueSeconds > deadlineSeconds }
        guard let first = late.max(by: { $0.overdueSeconds < $1.overdueSeconds }) else { return [] }
        let error = first.error.isEmpty ? "" : ": \(first.error)"
        let advice =
            service.name == "order"
            ? "waybill order timeline \(first.subject); the error in the log of order says why it does not fire"
            : "the log of \(service.name) says why it does not fire"
        return [
            DoctorFinding(
                code: "deadline-overdue",
                service: service.name,
                what: "\(counted(Int64(late.count), "deadline")) overdue, \(first.name) of \(first.subject) by "
                    + "\(first.overdueSeconds) s\(error)",
                advice: advice
            )
        ]
    }

    private func metric(_ service: String, _ metric: DoctorEvidence.Metric) -> DoctorFinding? {
        func finding(_ code: String, _ what: String, _ advice: String) -> DoctorFinding {
            DoctorFinding(code: code, service: service, what: what, advice: advice)
        }
        let consumer = metric.label("consumer")
        switch metric.name {
        case "waybill_consumer_stalled_seconds" where metric.value > stalledSeconds:
            return finding(
                "consumer-stalled",
                "the consumer \(consumer) has had events to read for \(Int(metric.value)) s and got on with none",
                "its log says why; restarting the service is safe"
            )
        case "waybill_consumer_lag" where metric.value > lag:
            return finding(
                "consumer-behind",
                "the consumer \(consumer) is \(Int(metric.value)) events behind",
                "it catches up unless this number grows; one instance reads everything, and what follows from that is in "
                    + "docs/adr/0004-offsets-in-the-readers-database.md"
            )
        case "waybill_consumer_held_partitions" where metric.value >= 1:
            return finding(
                "partition-held",
                "\(Int(metric.value)) partitions of the consumer \(consumer) are held: what fails there cannot be parked",
                "waybill dlq parked --service \(service) shows what fails; mend its cause, and they go on by themselves"
            )
        case "waybill_consumer_parked_keys" where metric.value >= 1:
            return finding(
                "keys-parked",
                "\(Int(metric.value)) keys of the consumer \(consumer) wait for another attempt",
                "waybill dlq parked --service \(service) shows why; they are tried again by themselves"
            )
        case "waybill_payment_gateway_breaker" where metric.value >= 1:
            return finding(
                "breaker-open",
                "the circuit breaker around \(metric.label("operation")) at the card gateway is "
                    + (metric.value >= 2 ? "open" : "half open"),
                "look after the gateway; calls wait, use no attempt, and go on when it answers"
            )
        case "webhook_breaker_state" where metric.value >= 1:
            return finding(
                "breaker-open",
                "the breaker of the webhook endpoint \(metric.label("endpoint")) is "
                    + (metric.value >= 2 ? "open" : "half open"),
                "its subscriber does not answer; waybill webhook endpoint get \(metric.label("endpoint"))"
            )
        default: return nil
        }
    }

    private func orders(_ orders: [DoctorEvidence.Order]) -> [DoctorFinding] {
        let stuck = orders.filter { $0.status == "needsOperator" || $0.unchangedSeconds > orderSeconds }
        return Dictionary(grouping: stuck, by: \.status).sorted { $0.key < $1.key }.compactMap { status, group in
            guard let oldest = group.max(by: { $0.unchangedSeconds < $1.unchangedSeconds }) else { return nil }
            return DoctorFinding(
                code: status == "needsOperator" ? "order-needs-operator" : "order-stuck",
                service: "order",
                what:
                    "\(counted(Int64(group.count), "order")) at \(status), the oldest for \(oldest.unchangedSeconds) s",
                advice: status == "needsOperator"
                    ? "waybill order timeline \(oldest.id): settle its stock and money by hand"
                    : "waybill order timeline \(oldest.id); waybill outbox republish asks again for what it waits for"
            )
        }
    }

    private func payments(_ payments: [DoctorEvidence.Payment]) -> [DoctorFinding] {
        let stuck = payments.filter { $0.openSeconds > paymentSeconds }
        guard let oldest = stuck.max(by: { $0.openSeconds < $1.openSeconds }) else { return [] }
        return [
            DoctorFinding(
                code: "payment-unknown",
                service: "payment",
                what:
                    "\(counted(Int64(stuck.count), "move")) of money unknown for too long, the \(oldest.kind) of order "
                    + "\(oldest.orderID) for \(oldest.openSeconds) s",
                advice:
                    "the gateway is asked again by itself; ask the provider about order \(oldest.orderID) if it stays so"
            )
        ]
    }

    private func reservations(_ reservations: [DoctorEvidence.Reservation]) -> [DoctorFinding] {
        let ended: Set = ["completed", "rejected", "cancelled"]
        let lost = reservations.filter { reservation in
            guard reservation.heldSeconds > reservationSeconds else { return false }
            return reservation.orderStatus.map(ended.contains) ?? true
        }
        guard let oldest = lost.max(by: { $0.heldSeconds < $1.heldSeconds }) else { return [] }
        let standing = oldest.orderStatus.map { "which is \($0)" } ?? "which does not exist"
        return [
            DoctorFinding(
                code: "reservation-without-order",
                service: "inventory",
                what: "\(counted(Int64(lost.count), "reservation")) without an open order, the oldest for "
                    + "\(oldest.orderID), \(standing)",
                advice: "it expires within an hour and the pieces come back; waybill verify tells whether more is wrong"
            )
        ]
    }

    private func queue(_ queue: DoctorEvidence.Queue) -> DoctorFinding? {
        let owner = String(queue.name.prefix { $0 != "." })
        if queue.consumers == 0 {
            return DoctorFinding(
                code: "queue-without-consumer",
                service: "rabbitmq",
                what: "nobody consumes \(queue.name); \(counted(queue.messages, "message")) waiting",
                advice: "start \(owner): scripts/up.sh; scripts/status.sh tells what it lacks"
            )
        }
        guard queue.isStill, queue.messages > 0 else { return nil }
        return DoctorFinding(
            code: "consumer-stalled",
            service: "rabbitmq",
            what:
                "\(counted(queue.messages, "message")) waiting in \(queue.name), and none was acknowledged between two looks",
            advice: "the log of \(owner) says why; restarting it is safe"
        )
    }

    private func counted(_ count: Int64, _ noun: String) -> String { "\(count) \(noun)\(count == 1 ? "" : "s")" }
}
