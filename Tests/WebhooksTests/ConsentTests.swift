import DurableStore
import Foundation
import GRDB
import KitTestSupport
import Messaging
import Synchronization
import Testing

@testable import Webhooks

@Suite("The receiver's consent")
struct ConsentTests {
    private func consent(_ code: Int, _ headers: [(String, String)]) -> Consent {
        Consent(status(code, headers), origin: "sender.example")
    }

    @Test func headersAreConsentAndTheStatusIsNot() {
        let both = [("WebHook-Allowed-Origin", "sender.example"), ("WebHook-Allowed-Rate", "120")]
        for code in [200, 204, 405, 500] { #expect(consent(code, both) == .granted(perMinute: 120)) }
        let any = [("webhook-allowed-origin", "*"), ("webhook-allowed-rate", "*")]
        #expect(consent(200, any) == .granted(perMinute: nil))
        #expect(consent(200, [any[0], ("webhook-allowed-rate", "99999999999")]) == .granted(perMinute: nil))
        let withheld: [[(String, String)]] = [
            [], [both[0]], [both[1]], [("webhook-allowed-origin", "other.example"), both[1]],
            [both[0], ("webhook-allowed-rate", "0")], [both[0], ("webhook-allowed-rate", "-1")],
            [both[0], ("webhook-allowed-rate", "many")], [both[0], ("webhook-allowed-rate", "9999999999999999999999")],
        ]
        for headers in withheld {
            guard case .withheld = consent(200, headers) else {
                Issue.record("\(headers)")
                continue
            }
        }
        guard case .withheld = Consent(.failed(.refused, detail: ""), origin: "x") else {
            Issue.record("no answer is no consent")
            return
        }
    }

    private struct Parts: Sendable {
        let bench: Bench
        let handshakes: WebhookHandshakes

        init(
            delays: [Int64] = [1000, 2000],
            configuration: DurableStoreConfiguration = DurableStoreConfiguration(path: nil),
            _ script: @escaping ScriptedSender.Script
        ) throws {
            var options = SenderOptions()
            options.origin = "sender.example"
            options.consentURL = "https://sender.example/agree/"
            options.schedule = RetrySchedule(delays: delays, jitterPercent: 0) ?? .standard
            bench = try Bench(options: options, configuration: configuration, script)
            handshakes = WebhookHandshakes(
                store: bench.store,
                sender: bench.sender,
                options: options,
                clock: bench.clock
            ) {}
        }

        func state(_ endpoint: WebhookEndpoint) async throws -> EndpointState? {
            try await bench.queries.endpoint(endpoint.id)?.state
        }
    }

    private static let agrees = [("webhook-allowed-origin", "sender.example"), ("webhook-allowed-rate", "60")]

    @Test func nothingIsSentBeforeTheReceiverAgreed() async throws {
        let parts = try Parts { request, number in
            request.method == "OPTIONS" && number == 1 ? status(200) : status(200, Self.agrees)
        }
        let bench = parts.bench
        let (endpoint, _) = try await bench.endpoint { $0.asksConsent = true }
        #expect(endpoint.state == .pendingVerification)
        #expect(try await bench.publish("evt_1") == 1)
        try await bench.dispatcher.performDue()
        #expect(bench.sender.requests.isEmpty)
        // The first answer is a 200 without the headers: no consent.
        try await parts.handshakes.advance()
        #expect(try await parts.state(endpoint) == .pendingVerification)
        try await parts.handshakes.advance()
        #expect(bench.sender.requests.count == 1)
        let asked = try #require(try await bench.queries.handshake(of: endpoint.id))
        #expect(asked.attempts == 1 && asked.result?.contains("webhook-allowed-origin") == true)
        bench.clock.advance(by: .seconds(1))
        try await parts.handshakes.advance()
        #expect(try await parts.state(endpoint) == .enabled)
        let request = try #require(bench.sender.requests.last)
        func header(_ name: String) -> String? { request.headers.first { $0.name == name }?.value }
        #expect(request.method == "OPTIONS" && request.url.description == endpoint.settings.url && request.body.isEmpty)
        #expect(header("webhook-request-origin") == "sender.example" && header("webhook-request-rate") == "6000")
        #expect(header("webhook-request-callback")?.hasPrefix("https://sender.example/agree/") == true)
        // Now the event that waited goes, and says who sends.
        try await bench.dispatcher.performDue()
        let sent = try #require(bench.sender.requests.last)
        #expect(sent.method == "POST" && sent.headers.contains { $0 == ("webhook-request-origin", "sender.example") })
        #expect(try await bench.queries.journal(of: endpoint.id).map(\.action) == ["verified", "created"])
    }

    @Test("a last question without a word about its answer is asked again", arguments: [false, true])
    func theLastQuestionIsNotLost(_ isInterrupted: Bool) async throws {
        let isFull = Mutex(false)
        let parts = try Parts(
            delays: [],
            configuration: DurableStoreConfiguration(path: nil) { step in
                guard step == .beforeCommit, isFull.withLock({ $0 }) else { return }
                throw DatabaseError(resultCode: .SQLITE_FULL, message: "simulated")
            }
        ) { _, _ in
            // Our own end interrupts it; or it agrees, and that cannot be stored.
            if isInterrupted { return .failed(.interrupted, detail: "") }
            isFull.withLock { $0 = true }
            return status(200, Self.agrees)
        }
        let (endpoint, _) = try await parts.bench.endpoint { $0.asksConsent = true }
        try await parts.handshakes.advance()
        isFull.withLock { $0 = false }
        #expect(try await parts.state(endpoint) == .pendingVerification)
        parts.bench.sender.set { _, _ in status(200, Self.agrees) }
        try await parts.handshakes.advance()
        #expect(parts.bench.sender.requests.count == 1, "not at once: it may still be on its way")
        parts.bench.clock.advance(by: .seconds(120))
        try await parts.handshakes.advance()
        #expect(try await parts.state(endpoint) == .enabled)
    }

    @Test func theAgreedRatePerMinuteIsKept() async throws {
        let parts = try Parts { _, _ in status(200, Self.agrees) }
        let bench = parts.bench
        let (endpoint, _) = try await bench.endpoint { $0.asksConsent = true }
        try await parts.handshakes.advance()
        #expect(try await bench.queries.endpoint(endpoint.id)?.allowedPerMinute == 60)
        for index in 0..<5 { _ = try await bench.publish("evt_\(index)") }
        var sent: [Int] = []
        for _ in 0..<5 {
            try await bench.dispatcher.performDue()
            sent.append(bench.sender.requests.count - 1)
            bench.clock.advance(by: .milliseconds(1000))
        }
        // One per second, and none at once with another.
        #expect(sent == [1, 2, 3, 4, 5])
    }

    @Test func aReceiverMayAgreeLaterByTheCallback() async throws {
        let parts = try Parts { _, _ in status(202) }
        let bench = parts.bench
        let (endpoint, _) = try await bench.endpoint { $0.asksConsent = true }
        try await parts.handshakes.advance()
        let callback = try #require(
            bench.sender.requests.first?.headers.first { $0.name == "webhook-request-callback" }?.value
        )
        let token = String(callback.dropFirst("https://sender.example/agree/".count))
        #expect(token.utf8.count == 32)
        await #expect(throws: WebhookAdministration.Fault.self) {
            try await parts.handshakes.grant(token: String(repeating: "0", count: 32), rate: nil)
        }
        await #expect(throws: WebhookAdministration.Fault.self) {
            try await parts.handshakes.grant(token: token, rate: "none")
        }
        #expect(try await parts.state(endpoint) == .pendingVerification)
        try await parts.handshakes.grant(token: token, rate: "30")
        let agreed = try #require(try await bench.queries.endpoint(endpoint.id))
        #expect(agreed.state == .enabled && agreed.allowedPerMinute == 30)
        // A token serves once.
        await #expect(throws: WebhookAdministration.Fault.self) {
            try await parts.handshakes.grant(token: token, rate: nil)
        }
        // Another address has to agree anew, and what is for it waits.
        _ = try await bench.store.write { [administration = bench.administration] tx in
            try administration.update(endpoint.id, actor: "test", in: tx) { $0.url = "http://127.0.0.1:9/other" }
        }
        #expect(try await parts.state(endpoint) == .pendingVerification)
        await #expect(throws: WebhookAdministration.Fault.self) {
            try await parts.handshakes.grant(token: token, rate: nil)
        }
    }

    @Test func aReceiverThatNeverAgreesIsDisabledAndAskedAgainWhenEnabled() async throws {
        let parts = try Parts { _, _ in .failed(.refused, detail: "") }
        let bench = parts.bench
        let (endpoint, _) = try await bench.endpoint { $0.asksConsent = true }
        for _ in 0..<5 {
            try await parts.handshakes.advance()
            bench.clock.advance(by: .seconds(2))
        }
        // One request more than delays.
        #expect(bench.sender.requests.count == 3)
        #expect(try await parts.state(endpoint) == .disabled(.failing))
        try await bench.act(.enable, endpoint.id)
        #expect(try await parts.state(endpoint) == .pendingVerification)
        bench.sender.set { _, _ in status(200, Self.agrees) }
        try await parts.handshakes.advance()
        #expect(try await parts.state(endpoint) == .enabled)
        // Pausing and resuming asks nobody.
        try await bench.act(.pause, endpoint.id)
        try await bench.act(.resume, endpoint.id)
        #expect(try await parts.state(endpoint) == .enabled)
    }
}
