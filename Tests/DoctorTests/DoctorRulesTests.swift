import Doctor
import Testing

@Suite struct DoctorRulesTests {
    private func codes(_ change: (inout DoctorEvidence) -> Void) -> [String] {
        var evidence = DoctorEvidence()
        change(&evidence)
        return DoctorRules().findings(evidence).map(\.code)
    }

    private func codes(service change: (inout DoctorEvidence.Service) -> Void) -> [String] {
        codes { evidence in
            var service = DoctorEvidence.Service("payment")
            change(&service)
            evidence.services = [service]
        }
    }

    private func metric(_ line: String) throws -> DoctorEvidence.Metric {
        try #require(DoctorEvidence.Metric(line: Substring(line)))
    }

    @Test func aHealthySystemHasNoFindings() throws {
        var evidence = DoctorEvidence()
        var service = DoctorEvidence.Service("order")
        service.outboxAgeMilliseconds = 10_000
        service.deadlines = [.init(name: "stock", subject: "o", overdueSeconds: 10, error: "")]
        service.metrics = [
            try metric("waybill_payment_gateway_breaker{operation=\"capture\"} 0"),
            try metric("webhook_breaker_opened_total 7"),
            try metric("waybill_consumer_lag{consumer=\"analytics\"} 10000"),
            try metric("waybill_consumer_stalled_seconds{consumer=\"analytics\"} 15"),
            try metric("waybill_consumer_held_partitions{consumer=\"analytics\"} 0"),
            try metric("waybill_consumer_parked_keys{consumer=\"analytics\"} 0"),
        ]
        evidence.services = [service]
        evidence.orders = [.init(id: "o", status: "awaitingStock", unchangedSeconds: 180)]
        evidence.payments = [.init(orderID: "o", kind: "capture", state: "unknown", openSeconds: 60)]
        evidence.reservations = [
            .init(orderID: "o", heldSeconds: 60, orderStatus: nil),
            .init(orderID: "p", heldSeconds: 3000, orderStatus: "awaitingPayment"),
        ]
        evidence.queues = [.init(name: "order.inbox", consumers: 1, messages: 100)]
        #expect(DoctorRules().findings(evidence) == [])
    }

    @Test func servicesThatDoNotAnswerAreNamedOnce() {
        #expect(codes { (evidence: inout DoctorEvidence) in evidence.services = [.init("order")] } == [])
        #expect(
            codes(service: {
                $0.health = .noAddress
                $0.deadLetters = 1
            }) == ["no-address"]
        )
        #expect(codes(service: { $0.health = .silent("timeout") }) == ["no-answer"])
        #expect(
            codes(service: { $0.health = .notReady(["rabbitmq: away", "event-log: away"]) }) == [
                "not-ready", "not-ready",
            ]
        )
        #expect(codes(service: { $0.health = .notReady([]) }) == ["not-ready"])
    }

    @Test func whatWaitsForAPersonIsFound() {
        #expect(codes(service: { $0.outboxAgeMilliseconds = 10_001 }) == ["outbox-waits"])
        #expect(codes(service: { $0.outboxParked = 1 }) == ["outbox-parked"])
        #expect(codes(service: { $0.deadLetters = 3 }) == ["dead-letters"])
    }

    @Test func overdueDeadlinesAreOneFindingWithTheWorst() throws {
        var evidence = DoctorEvidence()
        var service = DoctorEvidence.Service("order")
        service.deadlines = [
            .init(name: "stock", subject: "a", overdueSeconds: 11, error: ""),
            .init(name: "payment", subject: "b", overdueSeconds: 70, error: "The row cannot be read."),
            .init(name: "payment", subject: "c", overdueSeconds: 3, error: ""),
        ]
        evidence.services = [service]
        let finding = try #require(DoctorRules().findings(evidence).first)
        #expect(finding.code == "deadline-overdue")
        #expect(finding.what == "2 deadlines overdue, payment of b by 70 s: The row cannot be read.")
        #expect(finding.advice.contains("waybill order timeline b"))
    }

    @Test(arguments: [
        ("waybill_consumer_stalled_seconds{consumer=\"analytics\"} 15.5", "consumer-stalled"),
        ("waybill_consumer_lag{consumer=\"analytics\"} 10001", "consumer-behind"),
        ("waybill_consumer_held_partitions{consumer=\"analytics\"} 2", "partition-held"),
        ("waybill_consumer_parked_keys{consumer=\"analytics\"} 1", "keys-parked"),
        ("waybill_payment_gateway_breaker{operation=\"capture\"} 2", "breaker-open"),
        ("waybill_payment_gateway_breaker{operation=\"lookup\"} 1", "breaker-open"),
        ("webhook_breaker_state{endpoint=\"e-1\"} 2", "breaker-open"),
    ])
    func eachMetricHasItsRule(line: String, code: String) throws {
        let sample = try metric(line)
        #expect(codes(service: { $0.metrics = [sample] }) == [code])
    }

    @Test func metricsAreReadWithTheirLabels() throws {
        let sample = try metric("webhook_breaker_state{endpoint=\"e-1\",state=\"x\"} 2")
        #expect(sample.name == "webhook_breaker_state" && sample.label("endpoint") == "e-1" && sample.value == 2)
        #expect(sample.label("state") == "x" && sample.label("missing") == "")
        for line in ["# TYPE a gauge", "", "a", "a b"] { #expect(DoctorEvidence.Metric(line: Substring(line)) == nil) }
    }

    @Test func ordersAreGroupedByStatusAndTheOldestIsNamed() {
        var evidence = DoctorEvidence()
        evidence.orders = [
            .init(id: "a", status: "awaitingStock", unchangedSeconds: 181),
            .init(id: "b", status: "awaitingStock", unchangedSeconds: 400),
            .init(id: "c", status: "needsOperator", unchangedSeconds: 0),
        ]
        let findings = DoctorRules().findings(evidence)
        #expect(findings.map(\.code) == ["order-stuck", "order-needs-operator"])
        #expect(findings.first?.what == "2 orders at awaitingStock, the oldest for 400 s")
        #expect(findings.first?.advice.contains("waybill order timeline b") == true)
    }

    @Test func moneyAndStockThatAreForgottenAreFound() {
        #expect(
            codes { $0.payments = [.init(orderID: "o", kind: "capture", state: "unknown", openSeconds: 61)] }
                == ["payment-unknown"]
        )
        for status in [nil, "completed", "rejected", "cancelled"] {
            #expect(
                codes { $0.reservations = [.init(orderID: "o", heldSeconds: 61, orderStatus: status)] }
                    == ["reservation-without-order"]
            )
        }
    }

    @Test func queuesWithoutConsumersOrProgressAreFound() {
        #expect(
            codes { $0.queues = [.init(name: "order.inbox", consumers: 0, messages: 0)] } == ["queue-without-consumer"]
        )
        #expect(
            codes { $0.queues = [.init(name: "order.inbox", consumers: 1, messages: 4, isStill: true)] }
                == ["consumer-stalled"]
        )
    }

    @Test func whatCouldNotBeAskedIsNoSilence() {
        #expect(codes { $0.unknown = ["queues: no answer"] } == ["not-asked"])
    }

    @Test func everyFindingSaysWhatToDo() {
        var evidence = DoctorEvidence()
        evidence.orders = [.init(id: "a", status: "confirming", unchangedSeconds: 999)]
        evidence.queues = [.init(name: "payment.inbox", consumers: 0, messages: 1)]
        evidence.unknown = ["x"]
        #expect(DoctorRules().findings(evidence).allSatisfy { !$0.advice.isEmpty && !$0.what.isEmpty })
    }
}
