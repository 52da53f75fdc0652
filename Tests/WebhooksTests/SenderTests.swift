import DurableStore
import Foundation
import GRDB
import KitTestSupport
import Messaging
import StrictJSON
import Synchronization
import Testing

@testable import Webhooks

@Suite("The sender on a manual clock")
struct SenderTests {
    private var exact: SenderOptions {
        var options = SenderOptions()
        options.schedule = RetrySchedule(delays: RetrySchedule.standard.delays, jitterPercent: 0) ?? .standard
        options.breaker.threshold = 1000
        return options
    }

    @Test func oneBodyIsACloudEventAndAStandardWebhookAndVerifies() async throws {
        let bench = try Bench { _, _ in status(204) }
        let (_, secret) = try await bench.endpoint { $0.headers = ["authorization": "Bearer hidden"] }
        #expect(try await bench.publish("evt_1") == 1)
        // The same event again makes nothing.
        #expect(try await bench.publish("evt_1") == 0)
        try await bench.dispatcher.performDue()
        let request = try #require(bench.sender.requests.first)
        let body = try StrictJSON.parse(request.body)
        for (key, value) in [
            ("specversion", "1.0"), ("id", "evt_1"), ("source", "/shop"), ("type", "shop.order.placed"),
            ("subject", "s"),
            ("datacontenttype", "application/json"), ("time", bench.clock.now().description),
            ("timestamp", bench.clock.now().description),
        ] { #expect(body[key]?.stringValue == value) }
        #expect(body["sequence"]?.integerValue == 1 && body["data"]?["n"]?.integerValue == 1)
        let verified = WebhookVerifier(secrets: [secret]).verify(
            headers: request.headers,
            body: request.body,
            at: bench.clock.now()
        )
        #expect(try verified.get().id == "evt_1")
        #expect(
            request.headers.contains { $0.name == "traceparent" }
                && request.headers.contains { $0.value == "Bearer hidden" }
        )
        let delivery = try #require(try await bench.deliveries().first)
        #expect(delivery.state == .delivered && delivery.attempts == 1)
        let attempt = try #require(try await bench.attempts(delivery).first)
        #expect(attempt.state == "succeeded" && attempt.status == 204 && !attempt.requestHeaders.contains("hidden"))
        #expect(!attempt.requestHeaders.contains("v1,"))
    }

    @Test func seventyFiveHoursOfFailureInMilliseconds() async throws {
        let bench = try Bench(options: exact) { _, _ in status(500) }
        let (_, secret) = try await bench.endpoint()
        _ = try await bench.publish("evt_1")
        let start = bench.clock.now()
        var times: [Int64] = []
        while let delivery = try await bench.deliveries().first, let next = delivery.nextAttemptAt {
            // Not a millisecond early.
            bench.clock.set(next.advanced(byMilliseconds: -1))
            try await bench.dispatcher.performDue()
            bench.clock.set(next)
            try await bench.dispatcher.performDue()
            times.append(next.milliseconds(since: start) / 1000)
        }
        #expect(times == [0, 5, 305, 2105, 9305, 27_305, 63_305, 113_705, 185_705, 272_105])
        let delivery = try #require(try await bench.deliveries().first)
        #expect(delivery.state == .exhausted && delivery.reason == "attempts_used" && delivery.attempts == 10)
        let letters = try await bench.dead()
        #expect(letters.count == 1 && letters.first?.transport == "http" && letters.first?.attempts == 10)
        #expect(letters.first?.body == bench.sender.requests.first?.body)
        // Same id and bytes every time, signed anew each time.
        #expect(Set(bench.sender.requests.map(\.body)).count == 1)
        for (index, request) in bench.sender.requests.enumerated() {
            let now = start.advanced(byMilliseconds: times[index] * 1000)
            let result = WebhookVerifier(secrets: [secret]).verify(
                headers: request.headers,
                body: request.body,
                at: now
            )
            #expect((try? result.get())?.id == "evt_1")
        }
        #expect(try await bench.attempts(delivery).map(\.number) == Array(1...10))
    }

    @Test func goneDisablesAndLaterEventsAreSkippedUntilEnabled() async throws {
        let bench = try Bench(options: exact) { _, number in status(number == 1 ? 410 : 200) }
        let (endpoint, _) = try await bench.endpoint()
        _ = try await bench.publish("evt_1")
        try await bench.dispatcher.performDue()
        #expect(try await bench.queries.endpoint(endpoint.id)?.state == .disabled(.gone))
        #expect(try await bench.deliveries().first?.reason == "gone")
        _ = try await bench.publish("evt_2")
        try await bench.dispatcher.performDue()
        #expect(try await bench.deliveries().map(\.state) == [.exhausted, .skipped])
        try await bench.act(.enable, endpoint.id)
        _ = try await bench.publish("evt_3")
        try await bench.dispatcher.performDue()
        #expect(try await bench.deliveries().map(\.state) == [.exhausted, .skipped, .delivered])
        let skipped = try await bench.deliveries()[1]
        _ = try await bench.store.write { [administration = bench.administration] tx in
            try administration.redrive(skipped.id, in: tx)
        }
        try await bench.dispatcher.performDue()
        #expect(try await bench.deliveries()[1].state == .delivered)
        let actions = try await bench.queries.journal(of: endpoint.id).map(\.action)
        #expect(actions == ["enabled", "disabled", "created"])
    }

    @Test func retryAfterHoldsTheWholeEndpointAndUsesNoAttempt() async throws {
        let bench = try Bench(options: exact) { _, number in
            number == 1 ? status(429, [("retry-after", "600")]) : status(200)
        }
        let (endpoint, _) = try await bench.endpoint()
        for index in 1...3 { _ = try await bench.publish("evt_\(index)", subject: "s\(index)") }
        // One at a time: the hold keeps the others, though they are due.
        try await bench.dispatcher.performDue()
        #expect(bench.sender.requests.count == 1)
        for minutes in 1...9 {
            bench.clock.set(bench.clock.now().advanced(byMilliseconds: 60_000))
            try await bench.dispatcher.performDue()
            #expect(bench.sender.requests.count == 1, "minute \(minutes)")
        }
        #expect(try await bench.deliveries().map(\.attempts) == [1, 0, 0])
        bench.clock.advance(by: .seconds(60))
        try await bench.dispatcher.performDue()
        #expect(try await bench.deliveries().allSatisfy { $0.state == .delivered })
        #expect(try await bench.queries.endpoint(endpoint.id)?.holdUntil != nil)
    }

    /// It gave up after some seconds, and the delivery stayed `sending` until the next start.
    @Test func anAnswerIsRecordedHoweverLongTheDiskIsFull() async throws {
        let refusals = Mutex(0)
        var configuration = DurableStoreConfiguration(path: nil) { step in
            let isFull =
                step == .beforeCommit
                && refusals.withLock { left in
                    left -= 1
                    return left >= 0
                }
            if isFull { throw DatabaseError(resultCode: .SQLITE_FULL) }
        }
        configuration.pause = { _ in }
        let bench = try Bench(configuration: configuration) { _, _ in
            refusals.withLock { $0 = 30 }
            return status(200)
        }
        _ = try await bench.endpoint()
        _ = try await bench.publish("evt_1")
        try await bench.dispatcher.performDue()
        #expect(try await bench.deliveries().map(\.state) == [.delivered])
        #expect(bench.sender.requests.count == 1)
    }

    @Test func theBreakerLetsOneProbeThroughAndUsesNoAttempt() async throws {
        var options = exact
        options.breaker = Breaker.Policy()
        options.schedule = RetrySchedule(delays: [Int64](repeating: 1, count: 20), jitterPercent: 0) ?? .standard
        let bench = try Bench(options: options) { _, _ in status(500) }
        let (endpoint, _) = try await bench.endpoint()
        for index in 1...20 { _ = try await bench.publish("evt_\(index)", subject: "s\(index)") }
        try await bench.dispatcher.performDue()
        #expect(bench.sender.requests.count == 4)
        bench.clock.advance(by: .seconds(59))
        try await bench.dispatcher.performDue()
        #expect(bench.sender.requests.count == 4)
        bench.clock.advance(by: .seconds(1))
        try await bench.dispatcher.performDue()
        try await bench.dispatcher.performDue()
        #expect(bench.sender.requests.count == 5)
        bench.sender.set { _, _ in status(200) }
        bench.clock.advance(by: .seconds(120))
        try await bench.dispatcher.performDue()
        #expect(try await bench.queries.endpoint(endpoint.id)?.breaker == Breaker())
        for _ in 0..<5 {
            bench.clock.advance(by: .milliseconds(1))
            try await bench.dispatcher.performDue()
        }
        #expect(try await bench.deliveries().allSatisfy { $0.state == .delivered })
        #expect(try await bench.deliveries().map(\.attempts).reduce(0, +) == bench.sender.requests.count)
    }

    @Test func anEndpointMayDoWithoutABreaker() async throws {
        var options = exact
        options.breaker = Breaker.Policy()
        options.schedule = RetrySchedule(delays: [0, 0, 0], jitterPercent: 0) ?? .standard
        let bench = try Bench(options: options) { _, _ in status(500) }
        let (endpoint, _) = try await bench.endpoint { $0.breakerThreshold = 0 }
        for index in 1...5 { _ = try await bench.publish("evt_\(index)") }
        for _ in 0..<10 { try await bench.dispatcher.performDue() }
        #expect(bench.sender.requests.count == 20)
        #expect(try await bench.queries.endpoint(endpoint.id)?.breaker == Breaker())
    }

    @Test func anEndpointThatFailsForFiveDaysIsDisabled() async throws {
        var options = exact
        options.schedule =
            RetrySchedule(delays: [Int64](repeating: 12 * 3_600_000, count: 20), jitterPercent: 0) ?? .standard
        let bench = try Bench(options: options) { _, _ in .failed(.refused, detail: "") }
        let (endpoint, _) = try await bench.endpoint()
        _ = try await bench.publish("evt_1")
        var halfDays = 0
        while try await bench.queries.endpoint(endpoint.id)?.state == .enabled, halfDays < 30 {
            try await bench.dispatcher.performDue()
            bench.clock.advance(by: .seconds(12 * 3600))
            halfDays += 1
        }
        #expect(halfDays == 11)
        #expect(try await bench.queries.endpoint(endpoint.id)?.state == .disabled(.failing))
        // Enabling goes on where it stopped, with a fresh period.
        bench.sender.set { _, _ in status(200) }
        try await bench.act(.enable, endpoint.id)
        try await bench.dispatcher.performDue()
        #expect(try await bench.deliveries().first?.state == .delivered)
    }

    @Test func anEndpointThatIsEnabledAgainHasTheWholePeriodAgain() async throws {
        var options = exact
        options.schedule =
            RetrySchedule(delays: [Int64](repeating: 12 * 3_600_000, count: 40), jitterPercent: 0) ?? .standard
        let bench = try Bench(options: options) { _, _ in .failed(.refused, detail: "") }
        let (endpoint, _) = try await bench.endpoint()
        _ = try await bench.publish("evt_1")
        for _ in 0..<2 {
            var halfDays = 0
            while try await bench.queries.endpoint(endpoint.id)?.state == .enabled, halfDays < 30 {
                try await bench.dispatcher.performDue()
                bench.clock.advance(by: .seconds(12 * 3600))
                halfDays += 1
            }
            #expect(halfDays == 11)
            try await bench.act(.enable, endpoint.id)
            let enabled = try #require(try await bench.queries.endpoint(endpoint.id))
            #expect(enabled.breaker == Breaker() && enabled.failingSince == nil && enabled.holdUntil == nil)
        }
    }

    @Test func disablingStopsTheRetriesAndEnablingGoesOnWithWhatIsLeftOfThem() async throws {
        let bench = try Bench(options: exact) { _, _ in status(500) }
        let (endpoint, _) = try await bench.endpoint { $0.schedule = [1000, 1000, 1000] }
        _ = try await bench.publish("evt_1")
        try await bench.dispatcher.performDue()
        try await bench.act(.disable(.manual), endpoint.id)
        bench.clock.advance(by: .seconds(60))
        try await bench.dispatcher.performDue()
        #expect(bench.sender.requests.count == 1)
        #expect(try await bench.deliveries().first?.state == .pending)
        try await bench.act(.enable, endpoint.id)
        for _ in 0..<5 {
            try await bench.dispatcher.performDue()
            bench.clock.advance(by: .seconds(1))
        }
        let delivery = try #require(try await bench.deliveries().first)
        #expect(delivery.state == .exhausted && delivery.attempts == 4 && bench.sender.requests.count == 4)
    }

    @Test func anOpenBreakerOutlivesItsProcessAndAPersonMayCloseIt() async throws {
        var options = exact
        options.breaker.threshold = 4
        let bench = try Bench(options: options) { _, _ in status(500) }
        let (endpoint, _) = try await bench.endpoint { $0.schedule = [0, 0, 0, 0, 0, 0] }
        _ = try await bench.publish("evt_1")
        for _ in 0..<6 { try await bench.dispatcher.performDue() }
        #expect(bench.sender.requests.count == 4)
        let next = WebhookDispatcher(store: bench.store, sender: bench.sender, options: options, clock: bench.clock)
        try await next.recover()
        try await next.performDue()
        #expect(bench.sender.requests.count == 4)
        let open = try #require(try await bench.queries.endpoint(endpoint.id)?.breaker)
        #expect(
            open.openUntil == bench.clock.now().advanced(by: .seconds(60)) && open.name(at: bench.clock.now()) == "open"
        )
        let administration = bench.administration
        _ = try await bench.store.write { tx in try administration.resetBreaker(endpoint.id, actor: "test", in: tx) }
        try await next.performDue()
        #expect(bench.sender.requests.count == 5)
    }

    @Test func newEventsAndRetriesTakeTurns() async throws {
        let bench = try Bench(options: exact) { _, _ in status(500) }
        _ = try await bench.endpoint { $0.schedule = [1000] }
        for index in 0..<16 { _ = try await bench.publish("old_\(index)") }
        for _ in 0..<2 { try await bench.dispatcher.performDue() }
        bench.clock.advance(by: .seconds(5))
        for index in 0..<16 { _ = try await bench.publish("new_\(index)") }
        bench.sender.set { _, _ in status(200) }
        try await bench.dispatcher.performDue()
        let ids = bench.sender.requests.dropFirst(16).compactMap { request in
            request.headers.first { $0.name == "webhook-id" }?.value
        }
        #expect(ids == (0..<4).flatMap { ["new_\($0)", "old_\($0)"] })
    }

    @Test func onlyTheStuckSubjectWaits() async throws {
        let bench = try Bench(options: exact) { request, _ in
            String(decoding: request.body, as: UTF8.self).contains(#""subject":"bad""#) ? status(500) : status(200)
        }
        let (_, _) = try await bench.endpoint {
            $0.ordering = .key
            $0.schedule = [1000]
        }
        for index in 1...3 {
            _ = try await bench.publish("bad_\(index)", subject: "bad")
            _ = try await bench.publish("good_\(index)", subject: "good")
        }
        #expect(try await bench.deliveries { $0.state = .waiting }.count == 4)
        for _ in 0..<4 { try await bench.dispatcher.performDue() }
        #expect(
            try await bench.deliveries { $0.state = .delivered }.map(\.messageID) == ["good_1", "good_2", "good_3"]
        )
        #expect(bench.sender.requests.count == 4)
        bench.clock.advance(by: .seconds(1))
        try await bench.dispatcher.performDue()
        // Given up: the next of the subject goes, in order.
        #expect(try await bench.deliveries { $0.state = .exhausted }.map(\.messageID) == ["bad_1"])
        try await bench.dispatcher.performDue()
        let order = bench.sender.requests.compactMap { request in
            request.headers.first { $0.name == "webhook-id" }?.value
        }
        #expect(order.filter { $0.hasPrefix("bad") } == ["bad_1", "bad_1", "bad_2"])
    }

    @Test func aParkedSubjectWaitsForAPerson() async throws {
        let bench = try Bench(options: exact) { _, _ in status(500) }
        let (_, _) = try await bench.endpoint {
            $0.ordering = .key
            $0.onExhausted = .park
            $0.schedule = []
        }
        try await bench.store.write { tx in }
        for index in 1...2 { _ = try await bench.publish("evt_\(index)") }
        try await bench.dispatcher.performDue()
        bench.clock.advance(by: .seconds(3600))
        try await bench.dispatcher.performDue()
        // The standard schedule applies to an empty list of the endpoint only when it is nil.
        let parked = try #require(try await bench.deliveries().first)
        #expect(parked.state == .parked)
        #expect(bench.sender.requests.count == 1)
        bench.sender.set { _, _ in status(200) }
        _ = try await bench.store.write { [administration = bench.administration] tx in
            try administration.resend(parked.id, in: tx)
        }
        try await bench.dispatcher.performDue()
        try await bench.dispatcher.performDue()
        #expect(try await bench.deliveries().map(\.state) == [.delivered, .delivered])
        #expect(try await bench.dead().map(\.state) == [.requeued])
    }

    @Test func resendingLeavesTheScheduleUntouchedWhenItFails() async throws {
        let bench = try Bench(options: exact) { _, _ in status(500) }
        _ = try await bench.endpoint()
        _ = try await bench.publish("evt_1")
        try await bench.dispatcher.performDue()
        let before = try #require(try await bench.deliveries().first)
        bench.clock.advance(by: .seconds(2))
        func resend() async throws {
            _ = try await bench.store.write { [administration = bench.administration] tx in
                try administration.resend(before.id, in: tx)
            }
            try await bench.dispatcher.performDue()
        }
        try await resend()
        let after = try #require(try await bench.deliveries().first)
        #expect(
            after.state == .pending && after.nextAttemptAt == before.nextAttemptAt && after.failures == 1
                && after.attempts == 2
        )
        bench.sender.set { _, _ in status(200) }
        try await resend()
        #expect(try await bench.deliveries().first?.state == .delivered)
        bench.clock.advance(by: .seconds(86_400))
        try await bench.dispatcher.performDue()
        #expect(bench.sender.requests.count == 3)
        // A delivered one may be sent again too.
        try await resend()
        #expect(bench.sender.requests.count == 4)
        let delivery = try #require(try await bench.deliveries().first)
        #expect(try await bench.attempts(delivery).map(\.trigger) == [.scheduled, .manual, .manual, .manual])
    }

    @Test("what was delivered stays delivered, whatever a person's resend of it is answered with")
    func resendingADeliveredOneGivesNothingUp() async throws {
        let bench = try Bench(options: exact) { _, _ in status(200) }
        _ = try await bench.endpoint {
            $0.ordering = .key
            $0.onExhausted = .park
            $0.terminalStatuses = [409]
        }
        _ = try await bench.publish("evt_1")
        try await bench.dispatcher.performDue()
        let delivered = try #require(try await bench.deliveries().first)
        bench.sender.set { _, _ in status(409) }
        _ = try await bench.store.write { [administration = bench.administration] tx in
            try administration.resend(delivered.id, in: tx)
        }
        try await bench.dispatcher.performDue()
        #expect(bench.sender.requests.count == 2)
        #expect(try await bench.deliveries().first?.state == .delivered)
        #expect(try await bench.dead().isEmpty)
        // Nor does it hold up what comes after it.
        bench.sender.set { _, _ in status(200) }
        _ = try await bench.publish("evt_2")
        try await bench.dispatcher.performDue()
        #expect(try await bench.deliveries().map(\.state) == [.delivered, .delivered])
    }

    @Test("what an address says that the endpoint has no longer decides nothing about the new one")
    func anAnswerOfTheOldAddress() async throws {
        let bench = try Bench(options: exact) { _, _ in status(200) }
        let (endpoint, _) = try await bench.endpoint()
        bench.sender.set { [administration = bench.administration, store = bench.store] _, _ in
            _ = try? await store.write { tx in
                try administration.update(endpoint.id, actor: "test", in: tx) { $0.url = "http://127.0.0.1:9/new" }
            }
            return status(410, [("retry-after", "3600")])
        }
        _ = try await bench.publish("evt_1")
        try await bench.dispatcher.performDue()
        let after = try #require(try await bench.queries.endpoint(endpoint.id))
        #expect(after.state == .enabled && after.holdUntil == nil && after.failingSince == nil)
        #expect(try await bench.dead().isEmpty)
        bench.sender.set { _, _ in status(200) }
        try await bench.dispatcher.performDue()
        #expect(bench.sender.requests.map(\.url.target) == ["/hook", "/new"])
        #expect(try await bench.deliveries().map(\.state) == [.delivered])
    }

    @Test func pausedWaitsAndDeletedCancels() async throws {
        let bench = try Bench(options: exact) { _, _ in status(200) }
        let (endpoint, _) = try await bench.endpoint()
        try await bench.act(.pause, endpoint.id)
        for index in 1...3 { _ = try await bench.publish("evt_\(index)") }
        try await bench.dispatcher.performDue()
        #expect(bench.sender.requests.isEmpty)
        try await bench.act(.resume, endpoint.id)
        try await bench.dispatcher.performDue()
        #expect(bench.sender.requests.count == 3)
        try await bench.act(.pause, endpoint.id)
        _ = try await bench.publish("evt_4")
        try await bench.act(.delete, endpoint.id)
        #expect(try await bench.deliveries().last?.state == .cancelled)
        #expect(try await bench.publish("evt_5") == 0)
        #expect(try await bench.queries.endpoint(endpoint.id) == nil)
    }

    @Test func rotationSignsWithBothKeysUntilTheGraceEnds() async throws {
        let bench = try Bench(options: exact) { _, _ in status(200) }
        let (endpoint, old) = try await bench.endpoint()
        let admin = bench.administration
        let new = try await bench.store.write { tx in
            try admin.rotate(endpoint.id, grace: .seconds(2), actor: "test", in: tx).secret
        }
        func tokens() async throws -> Int {
            _ = try await bench.publish("evt_\(bench.sender.requests.count)")
            try await bench.dispatcher.performDue()
            let request = try #require(bench.sender.requests.last)
            for secret in [old, new] where secret == new || bench.sender.requests.count == 1 {
                let result = WebhookVerifier(secrets: [secret]).verify(
                    headers: request.headers,
                    body: request.body,
                    at: bench.clock.now()
                )
                #expect((try? result.get()) != nil)
            }
            return request.headers.first { $0.name == "webhook-signature" }?.value.split(separator: " ").count ?? 0
        }
        #expect(try await tokens() == 2)
        bench.clock.advance(by: .seconds(2))
        #expect(try await tokens() == 1)
        for _ in 1...10 {
            _ = try await bench.store.write { tx in
                try admin.rotate(endpoint.id, grace: .seconds(60), actor: "test", in: tx)
            }
        }
        await #expect(throws: WebhookAdministration.Fault.self) {
            _ = try await bench.store.write { tx in
                try admin.rotate(endpoint.id, grace: .seconds(60), actor: "test", in: tx)
            }
        }
    }

    @Test func aTestEventIsOutsideBudgetAndBreaker() async throws {
        let bench = try Bench(options: exact) { _, _ in status(500) }
        let (endpoint, _) = try await bench.endpoint()
        let admin = bench.administration
        let delivery = try await bench.store.write { tx in
            try admin.test(
                endpoint.id,
                WebhookEvent(id: "t1", source: "/x", type: "a.b", subject: "s", time: tx.now, data: ["a": 1]),
                in: tx
            )
        }
        try await bench.dispatcher.performDue()
        let after = try #require(try await bench.deliveries().first)
        #expect(after.id == delivery.id && after.state == .exhausted && after.reason == "test")
        #expect(try await bench.dead().isEmpty)
        #expect(try await bench.queries.endpoint(endpoint.id)?.breaker == Breaker())
        let request = try #require(bench.sender.requests.first)
        #expect(try StrictJSON.parse(request.body)["test"]?.boolValue == true)
        #expect(request.headers.contains { $0.name == "webhook-test" && $0.value == "true" })
    }

    @Test func theRowIsThereBeforeTheFirstByteAndAnInterruptedOneIsSentAgain() async throws {
        let seen = Mutex<[String]>([])
        let bench = try Bench(options: exact) { _, _ in status(200) }
        let store = bench.store
        bench.sender.set { _, _ in
            let rows = try? await store.read { db in
                try String.fetchAll(db, sql: "SELECT a.state || d.state FROM webhook_attempts a, webhook_deliveries d")
            }
            seen.withLock { $0 += rows ?? [] }
            return .failed(.interrupted, detail: "")
        }
        _ = try await bench.endpoint()
        _ = try await bench.publish("evt_1")
        try await bench.dispatcher.performDue()
        #expect(seen.withLock { $0 } == ["startedsending"])
        let interrupted = try #require(try await bench.deliveries().first)
        #expect(interrupted.state == .pending && interrupted.failures == 0)
        // A process that died leaves the row open.
        try await store.write { tx in
            try tx.db.execute(sql: "UPDATE webhook_deliveries SET state = 'sending', next_attempt_at = NULL")
            try tx.db.execute(sql: "UPDATE webhook_attempts SET state = 'started', ended_at = NULL")
        }
        #expect(try await bench.dispatcher.recover() == 1)
        bench.sender.set { _, _ in status(200) }
        try await bench.dispatcher.performDue()
        let delivery = try #require(try await bench.deliveries().first)
        #expect(delivery.state == .delivered)
        #expect(try await bench.attempts(delivery).map(\.state) == ["interrupted", "succeeded"])
    }

    @Test func filtersAndTypes() async throws {
        let bench = try Bench(options: exact) { _, _ in status(200) }
        _ = try await bench.endpoint { $0.eventTypes = ["shop.order.*"] }
        _ = try await bench.endpoint { $0.eventTypes = ["shop.payment.captured"] }
        #expect(try await bench.publish("a", type: "shop.order.placed") == 1)
        #expect(try await bench.publish("b", type: "shop.payment.captured") == 1)
        #expect(try await bench.publish("c", type: "shop.payment.refunded") == 0)
        let stored = try await bench.store.read { db in
            try Int.fetchOne(db, sql: "SELECT count(*) FROM webhook_messages") ?? 0
        }
        #expect(stored == 2)
        let admin = WebhookAdministration(knownTypes: ["shop.order.placed"], policy: AddressPolicy()) {}
        await #expect(throws: WebhookAdministration.Fault.self) {
            _ = try await bench.store.write { tx in
                var settings = EndpointSettings(url: "https://hook.example/")
                settings.eventTypes = ["shop.parcel.*"]
                return try admin.create(settings, actor: "test", in: tx).secret
            }
        }
    }

    @Test func retentionRemovesWhatIsFinished() async throws {
        let bench = try Bench(options: exact) { _, number in status(number == 1 ? 200 : 500) }
        _ = try await bench.endpoint()
        _ = try await bench.publish("evt_1")
        _ = try await bench.publish("evt_2")
        try await bench.dispatcher.performDue()
        bench.clock.advance(by: .seconds(31 * 86_400))
        #expect(try await WebhookRetention(store: bench.store).purge() == 1)
        #expect(try await bench.deliveries().map(\.messageID) == ["evt_2"])
    }
}
