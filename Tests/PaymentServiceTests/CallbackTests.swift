import CardGateway
import Commerce
import DurableStore
import HTTPKit
import HTTPTypes
import Hummingbird
import HummingbirdTesting
import KitTestSupport
import Messaging
import NIOCore
import PaymentCore
import StrictJSON
import Testing

@testable import PaymentService

private let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
private let ourSecret = secret

@Suite struct CallbackTests {
    /// A harness whose capture is unknown although it happened, and the callback that tells.
    func unresolved() async throws -> (harness: Harness, body: [UInt8]) {
        let harness = try Harness()
        try await harness.authorize()
        try await harness.pass(.seconds(1))
        harness.gateway.setLosesAnswers(true)
        try await harness.capture()
        try await harness.runner.performDue()
        #expect(try await harness.phase() == "capturing")
        return (harness, try body(harness))
    }

    func body(_ harness: Harness, _ change: (inout JSONObject) -> Void = { _ in }) throws -> [UInt8] {
        let (key, entry) = try #require(harness.gateway.entry(.capture, orderID(1).text))
        var data: JSONObject = [
            "id": .string(entry.reference), "key": .string(key), "operation": "capture", "result": "succeeded",
            "reference": .string(orderID(1).text), "amount": 1000, "currency": "EUR",
        ]
        change(&data)
        return StrictJSON.encode(["type": "card.capture.succeeded", "data": .object(data)] as JSONValue)
    }

    func post(
        _ harness: Harness,
        _ body: [UInt8],
        id: String = "cb_1",
        at time: Timestamp? = nil,
        secret: String = secret,
        change: (inout HTTPFields) -> Void = { _ in }
    ) async throws -> HTTPResponse.Status {
        let verifier = try #require(CallbackVerifier(secret: ourSecret))
        let signer = try #require(CallbackSigner(secret: secret))
        let router = Router(context: APIContext.self)
        CallbackRoutes(callbacks: harness.callbacks, verifier: verifier, clock: harness.clock).add(to: router)
        var headers: HTTPFields = [.contentType: "application/json"]
        for (name, value) in signer.headers(id: id, body: body, at: time ?? harness.clock.now()) {
            if let field = HTTPField.Name(name) { headers[field] = value }
        }
        change(&headers)
        let sent = headers
        return try await Application(router: router).test(.router) { client in
            try await client.executeRequest(
                uri: "/v1/gateway-callbacks",
                method: .post,
                headers: sent,
                body: ByteBuffer(bytes: body)
            ).status
        }
    }

    @Test func aCallbackResolvesAnUnknown() async throws {
        let (harness, body) = try await unresolved()
        #expect(try await post(harness, body) == .noContent)
        #expect(try await harness.phase() == "captured")
        #expect(try await harness.replies() == ["authorized", "captured"])
        #expect(try await harness.violations() == [])
    }

    @Test func duplicatesAndLateLookUpsChangeNothing() async throws {
        let (harness, body) = try await unresolved()
        for _ in 0..<3 { #expect(try await post(harness, body) == .noContent) }
        #expect(try await post(harness, body, id: "cb_other") == .noContent)
        try await harness.pass(.seconds(5))
        #expect(try await harness.replies() == ["authorized", "captured"])
        #expect(try await harness.events() == ["authorized", "captured"])
        #expect(try await harness.integer("SELECT count(*) FROM callbacks") == 2)
        #expect(try await harness.integer("SELECT count(*) FROM ledger_transactions") == 1)
    }

    @Test func forgedCallbacksChangeNothing() async throws {
        let (harness, body) = try await unresolved()
        let other = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
        #expect(try await post(harness, body, secret: other) == .unauthorized)
        let now = harness.clock.now()
        for seconds in [-301, 301] as [Int64] {
            #expect(try await post(harness, body, at: now.advanced(byMilliseconds: seconds * 1000)) == .unauthorized)
        }
        for name in ["webhook-id", "webhook-timestamp", "webhook-signature"] {
            let field = try #require(HTTPField.Name(name))
            #expect(try await post(harness, body) { $0[field] = nil } == .unauthorized)
            #expect(try await post(harness, body) { $0[field] = "x" } == .unauthorized)
            #expect(try await post(harness, body) { $0[field] = "" } == .unauthorized)
        }
        #expect(try await harness.phase() == "capturing")
        #expect(try await harness.integer("SELECT count(*) FROM callbacks") == 0)
        // Within the tolerance, and with an unknown signature beside the right one, it is taken.
        let signature = try #require(HTTPField.Name("webhook-signature"))
        let status = try await post(harness, body, at: now.advanced(byMilliseconds: -299_000)) { headers in
            headers[signature] = "v1a,AAAA v1,AAAA " + (headers[signature] ?? "")
        }
        #expect(status == .noContent)
        #expect(try await harness.phase() == "captured")
    }

    @Test func signedNonsenseChangesNothing() async throws {
        let (harness, _) = try await unresolved()
        #expect(try await post(harness, []) == .unprocessableContent)
        #expect(try await post(harness, Array("{\"data\":{}}".utf8)) == .unprocessableContent)
        #expect(try await post(harness, Array(repeating: 0x20, count: 17_000)) == .contentTooLarge)
        let changes: [(String, JSONValue)] = [
            ("key", "no-such-key"), ("amount", 999), ("currency", "USD"), ("reference", "other"),
            ("operation", "refund"),
            ("result", "maybe"),
        ]
        for (name, value) in changes {
            let body = try body(harness) { $0[name] = value }
            #expect(try await post(harness, body, id: "cb_bad_\(name)") == .noContent)
        }
        #expect(try await harness.phase() == "capturing")
        #expect(try await harness.integer("SELECT count(*) FROM callbacks WHERE outcome = 'mismatch'") == 5)
        #expect(try await harness.integer("SELECT count(*) FROM callbacks WHERE outcome = 'unknown-key'") == 1)
    }

    @Test func oldCallbacksAreForgotten() async throws {
        let (harness, body) = try await unresolved()
        #expect(try await post(harness, body) == .noContent)
        harness.clock.advance(by: .seconds(25 * 3600))
        try await harness.store.write { tx in try CallbackTable.clean(at: tx.now, in: tx.db) }
        #expect(try await harness.integer("SELECT count(*) FROM callbacks") == 0)
    }
}
