import DurableStore
import Foundation
import GRDB
import KitTestSupport
import Messaging
import StrictJSON
import Testing

@testable import Webhooks

@Suite("The sender's own events, and giving an endpoint up")
struct OperationalEventTests {
    private func options(attempts: Int) -> SenderOptions {
        var options = SenderOptions()
        options.breaker.threshold = 1_000_000
        let delays = [Int64](repeating: 1000, count: attempts - 1)
        options.schedule = RetrySchedule(delays: delays, jitterPercent: 0) ?? .standard
        return options
    }

    /// Bodies of the sender's own events, in order.
    private func told(_ bench: Bench) throws -> [JSONValue] {
        try bench.sender.requests.map { try StrictJSON.parse($0.body) }.filter {
            $0["type"]?.stringValue?.hasPrefix("webhook.") ?? false
        }
    }

    private func types(_ bench: Bench) throws -> [String] {
        try told(bench).compactMap {
            $0["type"]?.stringValue?.replacing("webhook.", with: "").replacing(".v1", with: "")
        }
    }

    /// A recovery of what an endpoint has not got passes over what is about itself, as the fan-out does.
    @Test func recoveringTellsNoEndpointAboutItself() async throws {
        let bench = try Bench(options: options(attempts: 1)) { _, _ in status(200) }
        let (one, _) = try await bench.endpoint { $0.eventTypes = ["webhook.*"] }
        let since = bench.clock.now()
        bench.clock.advance(by: .milliseconds(1))
        // The first is told of the second one, which is told of nothing.
        let (other, _) = try await bench.endpoint {
            $0.url = "http://127.0.0.1:9/other"
            $0.eventTypes = ["webhook.*"]
        }
        bench.clock.advance(by: .seconds(1))
        #expect(try await bench.deliveries { $0.endpointID = one.id }.count == 1)
        let recoveries = WebhookRecoveries(store: bench.store) {}
        var request = RecoveryRequest(endpoint: other.id, since: since)
        request.includesMissing = true
        #expect(try await recoveries.count(request) == 0)
    }

    @Test func whoAsksIsToldOfEndpointsAndDeliveries() async throws {
        let bench = try Bench(options: options(attempts: 6)) { request, _ in
            status(request.url.target == "/bad" ? 500 : 200)
        }
        let (listener, secret) = try await bench.endpoint { $0.eventTypes = ["webhook.*"] }
        // Wants everything, which does not mean these.
        let (bad, _) = try await bench.endpoint {
            $0.url = "http://127.0.0.1:9/bad"
            $0.eventTypes = []
            $0.uid = "bad"
        }
        _ = try await bench.publish("evt_1")
        for _ in 0..<6 {
            try await bench.dispatcher.performDue()
            bench.clock.advance(by: .seconds(1))
        }
        try await bench.dispatcher.performDue()
        #expect(try types(bench) == ["endpoint.created", "message.failing", "message.exhausted"])
        let failing = try told(bench)[1]
        #expect(failing["data"]?["attempts"]?.integerValue == 4 && failing["data"]?["lastStatus"]?.integerValue == 500)
        #expect(failing["data"]?["webhookId"]?.stringValue == "evt_1")
        // A redrive that comes through, a change, and the end.
        bench.sender.set { _, _ in status(200) }
        let delivery = try #require(try await bench.deliveries { $0.endpointID = bad.id }.first)
        _ = try await bench.store.write { [administration = bench.administration] tx in
            _ = try administration.redrive(delivery.id, in: tx)
        }
        for _ in 0..<2 { try await bench.dispatcher.performDue() }
        _ = try await bench.store.write { [administration = bench.administration] tx in
            try administration.update("bad", actor: "test", in: tx) { $0.description = "changed" }
        }
        try await bench.act(.disable(.manual), bad.id)
        try await bench.act(.delete, bad.id)
        for _ in 0..<2 { try await bench.dispatcher.performDue() }
        #expect(
            try types(bench).dropFirst(3) == [
                "message.recovered", "endpoint.updated", "endpoint.disabled", "endpoint.deleted",
            ]
        )
        // The sequence of an endpoint's events has no gaps.
        let versions = try told(bench).filter { $0["subject"]?.stringValue == bad.id }
            .compactMap { $0["sequence"]?.integerValue }
        #expect(versions == [1, 2, 3, 4])
        // They are signed like all others, and the failing endpoint, which wants “everything”, never got one.
        for request in bench.sender.requests where request.url.target != "/bad" {
            let now = Timestamp(
                millisecondsSinceEpoch: (Int64(request.headers.first { $0.name == "webhook-timestamp" }?.value ?? "")
                    ?? 0)
                    * 1000
            )
            let verdict = WebhookVerifier(secrets: [secret]).verify(
                headers: request.headers,
                body: request.body,
                at: now
            )
            #expect((try? verdict.get()) != nil)
        }
        #expect(try await bench.deliveries { $0.endpointID = bad.id }.count == 1)
        #expect(try await bench.queries.endpoint(listener.id)?.version == 1)
    }

    @Test func nothingThatHappensToThemMakesAnother() async throws {
        let bench = try Bench(options: options(attempts: 5)) { _, _ in status(500) }
        let (listener, _) = try await bench.endpoint { $0.eventTypes = ["webhook.*"] }
        _ = try await bench.endpoint { $0.eventTypes = ["nothing.*"] }
        for _ in 0..<8 {
            try await bench.dispatcher.performDue()
            bench.clock.advance(by: .seconds(1))
        }
        // Created, five times tried, given up; and of that nobody is told.
        #expect(try await bench.deliveries().map(\.state) == [.exhausted])
        #expect(bench.sender.requests.count == 5)
        // No endpoint is told about itself.
        try await bench.act(.pause, listener.id)
        #expect(try await bench.deliveries().count == 1)
    }

    @Test func anEndpointIsDisabledWhenTooManyDeliveriesInARowAreGivenUp() async throws {
        var options = options(attempts: 1)
        options.disableAfterExhausted = 5
        let bench = try Bench(options: options) { request, _ in
            status(String(decoding: request.body, as: UTF8.self).contains("good") ? 200 : 500)
        }
        let (endpoint, _) = try await bench.endpoint { $0.maximumInFlight = 1 }
        func deliver(_ ids: [String]) async throws -> EndpointState? {
            for id in ids {
                _ = try await bench.publish(id)
                try await bench.dispatcher.performDue()
            }
            return try await bench.queries.endpoint(endpoint.id)?.state
        }
        // A success in between begins the count anew.
        #expect(try await deliver(["a1", "a2", "a3", "a4", "good", "b1", "b2", "b3", "b4"]) == .enabled)
        #expect(try await bench.queries.endpoint(endpoint.id)?.exhaustedInRow == 4)
        #expect(try await deliver(["b5"]) == .disabled(.failing))
        try await bench.act(.enable, endpoint.id)
        // Enabled again, the full number applies.
        #expect(try await deliver(["c1", "c2", "c3", "c4"]) == .enabled)
    }

    @Test func anEndpointWhoseAddressIsDeniedToTheEndIsDisabledForIt() async throws {
        let bench = try Bench(options: options(attempts: 3)) { _, _ in .failed(.blockedAddress, detail: "10.0.0.1") }
        let (endpoint, _) = try await bench.endpoint()
        _ = try await bench.publish("evt_1")
        for _ in 0..<5 {
            try await bench.dispatcher.performDue()
            bench.clock.advance(by: .seconds(1))
        }
        #expect(try await bench.queries.endpoint(endpoint.id)?.state == .disabled(.blockedAddress))
        let delivery = try #require(try await bench.deliveries().first)
        #expect(delivery.attempts == 3 && delivery.state == .exhausted)
    }

    @Test func theAttemptBehindABreakerIsAProbeAndAResendDoesNotWaitForIt() async throws {
        var options = options(attempts: 20)
        options.breaker = Breaker.Policy()
        let bench = try Bench(options: options) { _, _ in status(500) }
        _ = try await bench.endpoint()
        _ = try await bench.publish("evt_1")
        for _ in 0..<4 {
            try await bench.dispatcher.performDue()
            bench.clock.advance(by: .seconds(1))
        }
        let open = try #require(try await bench.deliveries().first)
        try await bench.dispatcher.performDue()
        #expect(open.attempts == 4 && bench.sender.requests.count == 4)
        _ = try await bench.store.write { [administration = bench.administration] tx in
            try administration.resend(open.id, in: tx)
        }
        try await bench.dispatcher.performDue()
        #expect(bench.sender.requests.count == 5)
        bench.clock.advance(by: .seconds(60))
        try await bench.dispatcher.performDue()
        let triggers = try await bench.attempts(open).map(\.trigger)
        #expect(triggers == [.scheduled, .scheduled, .scheduled, .scheduled, .manual, .probe])
    }

    @Test func deletingAnEndpointWhileARequestIsOnTheWireEndsItsDelivery() async throws {
        let bench = try Bench(options: options(attempts: 5)) { _, _ in status(200) }
        let (endpoint, _) = try await bench.endpoint()
        let (store, admin) = (bench.store, bench.administration)
        bench.sender.set { _, _ in
            _ = try? await store.write { tx in try admin.act(.delete, on: endpoint.id, actor: "test", in: tx) }
            return status(500)
        }
        _ = try await bench.publish("evt_1")
        try await bench.dispatcher.performDue()
        let delivery = try #require(try await bench.deliveries().first)
        #expect(delivery.state == .cancelled && delivery.reason == "endpoint_deleted")
        // The same when the process died in the middle.
        try await store.write { tx in
            try tx.db.execute(sql: "UPDATE webhook_deliveries SET state = 'sending', completed_at = NULL")
            try tx.db.execute(sql: "UPDATE webhook_attempts SET state = 'started', ended_at = NULL")
        }
        #expect(try await bench.dispatcher.recover() == 1)
        #expect(try await bench.deliveries().first?.state == .cancelled)
        #expect(try await bench.queries.gauges(at: bench.clock.now()).depth.isEmpty)
    }

    @Test func whatIsQueuedBeforeARotationIsSignedWithTheKeysOfItsSending() async throws {
        let bench = try Bench(options: options(attempts: 2)) { _, _ in status(200) }
        let (endpoint, old) = try await bench.endpoint()
        try await bench.act(.pause, endpoint.id)
        _ = try await bench.publish("evt_1")
        let admin = bench.administration
        let new = try await bench.store.write { tx in
            try admin.rotate(endpoint.id, grace: .zero, actor: "test", in: tx).secret
        }
        try await bench.act(.resume, endpoint.id)
        try await bench.dispatcher.performDue()
        let request = try #require(bench.sender.requests.first)
        func fits(_ secret: WebhookSecret) -> Bool {
            let verifier = WebhookVerifier(secrets: [secret])
            return (try? verifier.verify(headers: request.headers, body: request.body, at: bench.clock.now()).get())
                != nil
        }
        #expect(fits(new) && !fits(old))
    }

    @Test func theSameEventPublishedAtOnceManyTimesIsFannedOutOnce() async throws {
        let bench = try Bench(options: options(attempts: 2)) { _, _ in status(200) }
        _ = try await bench.endpoint()
        let made = try await withThrowingTaskGroup(of: Int.self) { tasks in
            for _ in 0..<50 { tasks.addTask { try await bench.publish("evt_1") } }
            return try await tasks.reduce(0, +)
        }
        #expect(made == 1)
        #expect(try await bench.deliveries().count == 1)
    }

    @Test func behindAnOpenBreakerOnlyWhatAPersonAskedForIsLookedAt() async throws {
        let bench = try Bench(options: options(attempts: 5)) { _, _ in status(200) }
        let (endpoint, _) = try await bench.endpoint()
        _ = try await bench.publish("evt_0")
        let until = bench.clock.now().advanced(by: .seconds(3600)).millisecondsSinceEpoch
        try await bench.store.write { tx in
            try tx.db.execute(
                sql: "UPDATE webhook_endpoints SET breaker_failures = 4, breaker_openings = 1, breaker_until = ?",
                arguments: [until]
            )
            // 20,000 more of the same.
            try tx.db.execute(
                sql: """
                    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000)
                    INSERT INTO webhook_messages (id, type, subject, body, occurred_at, created_at)
                    SELECT 'm' || i, 'a.b', 's', x'7B7D', 0, 0 FROM n
                    """
            )
            try tx.db.execute(
                sql: """
                    INSERT INTO webhook_deliveries (id, message_id, endpoint_id, type, state, attempt_trigger, lane,
                        next_attempt_at, created_at)
                    SELECT 'd' || id, id, ?, type, 'pending', 'scheduled', 0, 0, 0 FROM webhook_messages WHERE id LIKE 'm%'
                    """,
                arguments: [endpoint.id]
            )
        }
        // The statement names its index: where that could not serve, looking would fail instead of reading every row.
        for _ in 0..<3 { try await bench.dispatcher.performDue() }
        #expect(bench.sender.requests.isEmpty)
        // What a person asks for goes at once.
        let delivery = try #require(try await bench.deliveries { $0.messageID = "evt_0" }.first)
        _ = try await bench.store.write { [administration = bench.administration] tx in
            try administration.resend(delivery.id, in: tx)
        }
        try await bench.dispatcher.performDue()
        #expect(bench.sender.requests.count == 1)
    }
}
