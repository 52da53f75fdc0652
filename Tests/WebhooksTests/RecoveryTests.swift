import DurableStore
import Foundation
import KitTestSupport
import Messaging
import Testing

@testable import Webhooks

@Suite("Recovering what an endpoint missed")
struct RecoveryTests {
    private func bench() throws -> Bench {
        var options = SenderOptions()
        options.breaker.threshold = 1000
        options.schedule = RetrySchedule(delays: []) ?? .standard
        return try Bench(options: options) { request, _ in
            String(decoding: request.body, as: UTF8.self).contains("odd") ? status(500) : status(200)
        }
    }

    private func drain(_ bench: Bench) async throws {
        for _ in 0..<80 { try await bench.dispatcher.performDue() }
    }

    @Test func aDryRunCountsAndTheJobSendsInOrderAndSurvivesItsProcess() async throws {
        let bench = try bench()
        let (endpoint, _) = try await bench.endpoint()
        let since = bench.clock.now()
        for index in 0..<450 {
            bench.clock.advance(by: .milliseconds(1))
            _ = try await bench.publish(index % 3 == 0 ? "odd\(index)" : "even\(index)", subject: "s\(index)")
        }
        try await drain(bench)
        bench.clock.advance(by: .seconds(1))
        let failed = try await bench.deliveries { $0.state = .exhausted }
        #expect(failed.count == 150)
        #expect(try await bench.dead().filter { $0.state == .held }.count == 150)
        let recoveries = WebhookRecoveries(store: bench.store) {}
        var request = RecoveryRequest(endpoint: endpoint.id, since: since)
        request.request = "once"
        #expect(try await recoveries.count(request) == 150)
        #expect(try await recoveries.list().isEmpty)
        request.statusClass = 4
        #expect(try await recoveries.count(request) == 0)
        request.statusClass = 5
        let job = try await recoveries.start(request)
        #expect(try await recoveries.start(request).id == job.id)
        bench.sender.set { _, _ in status(200) }
        #expect(try await recoveries.advance())
        // Another process goes on where this one stopped.
        let again = WebhookRecoveries(store: bench.store) {}
        while try await again.advance() {}
        let finished = try #require(try await again.list(job.id).first)
        #expect(finished.state == "finished" && finished.recovered == 150 && finished.examined == 450)
        let before = bench.sender.requests.count
        try await drain(bench)
        #expect(try await bench.deliveries { $0.state = .delivered }.count == 450)
        let order = bench.sender.requests[before...].compactMap { request in
            request.headers.first { $0.name == "webhook-id" }?.value
        }
        #expect(order == failed.map(\.messageID))
        #expect(try await bench.dead().allSatisfy { $0.state == .requeued })
    }

    @Test("what is recovered of one subject goes one after the other where the endpoint asks for order")
    func recoveredInOrder() async throws {
        let bench = try bench()
        let (endpoint, _) = try await bench.endpoint { $0.ordering = .key }
        let since = bench.clock.now()
        for index in 1...3 {
            bench.clock.advance(by: .milliseconds(1))
            _ = try await bench.publish("odd\(index)", subject: "one")
        }
        try await drain(bench)
        bench.clock.advance(by: .seconds(1))
        #expect(try await bench.deliveries().map(\.state) == [.exhausted, .exhausted, .exhausted])
        let recoveries = WebhookRecoveries(store: bench.store) {}
        _ = try await recoveries.start(RecoveryRequest(endpoint: endpoint.id, since: since))
        while try await recoveries.advance() {}
        #expect(try await bench.deliveries().map(\.state) == [.pending, .waiting, .waiting])
        bench.sender.set { _, _ in status(200) }
        let before = bench.sender.requests.count
        try await drain(bench)
        let order = bench.sender.requests[before...].compactMap { request in
            request.headers.first { $0.name == "webhook-id" }?.value
        }
        #expect(order == ["odd1", "odd2", "odd3"])
    }

    @Test func missingEventsAndCancelling() async throws {
        let bench = try bench()
        _ = try await bench.endpoint()
        let since = bench.clock.now()
        for index in 0..<5 { _ = try await bench.publish("e\(index)") }
        bench.clock.advance(by: .seconds(1))
        let (late, _) = try await bench.endpoint()
        let recoveries = WebhookRecoveries(store: bench.store) {}
        var request = RecoveryRequest(endpoint: late.id, since: since)
        #expect(try await recoveries.count(request) == 0)
        request.includesMissing = true
        #expect(try await recoveries.count(request) == 5)
        let job = try await recoveries.start(request)
        #expect(try await recoveries.cancel(job.id).state == "cancelled")
        #expect(try await !recoveries.advance())
        #expect(try await bench.deliveries { $0.endpointID = late.id }.isEmpty)
        _ = try await recoveries.start(request)
        while try await recoveries.advance() {}
        try await drain(bench)
        #expect(
            try await bench.deliveries { $0.endpointID = late.id }.map(\.state)
                == Array(repeating: .delivered, count: 5)
        )
        await #expect(throws: WebhookAdministration.Fault.self) {
            try await recoveries.count(RecoveryRequest(endpoint: "nobody", since: since))
        }
    }

    @Test func aThrottledRecoveryBeginsOnlySoManyPerSecondAndGoesOnAfterACancel() async throws {
        let bench = try bench()
        let (endpoint, _) = try await bench.endpoint()
        let since = bench.clock.now()
        for index in 0..<30 {
            bench.clock.advance(by: .milliseconds(1))
            _ = try await bench.publish("odd\(index)", subject: "s\(index)")
        }
        try await drain(bench)
        bench.sender.set { _, _ in status(200) }
        bench.clock.advance(by: .seconds(1))
        let recoveries = WebhookRecoveries(store: bench.store) {}
        var request = RecoveryRequest(endpoint: endpoint.id, since: since)
        request.perSecond = 10
        let job = try await recoveries.start(request)
        func begun() async throws -> Int { try await recoveries.list(job.id).first?.recovered ?? -1 }
        var counts: [Int] = []
        for _ in 0..<4 {
            // Asked often, it begins no more than the time allows.
            for _ in 0..<5 { #expect(try await recoveries.advance()) }
            counts.append(try await begun())
            bench.clock.advance(by: .milliseconds(500))
        }
        #expect(counts == [0, 5, 10, 15])
        #expect(try await recoveries.cancel(job.id).state == "cancelled")
        bench.clock.advance(by: .seconds(10))
        #expect(try await !recoveries.advance())
        #expect(try await recoveries.resume(job.id).state == "running")
        var rounds = 0
        while try await recoveries.list(job.id).first?.state == "running", rounds < 100 {
            _ = try await recoveries.advance()
            bench.clock.advance(by: .milliseconds(500))
            rounds += 1
        }
        #expect(try await begun() == 30 && rounds >= 3)
        try await drain(bench)
        #expect(try await bench.deliveries { $0.state = .delivered }.count == 30)
        request.perSecond = 0
        let wrong = request
        await #expect(throws: WebhookAdministration.Fault.self) { try await recoveries.start(wrong) }
    }
}
