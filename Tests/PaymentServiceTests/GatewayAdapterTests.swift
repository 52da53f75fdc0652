import CardGateway
import Commerce
import Foundation
import HTTPKit
import KitTestSupport
import Logging
import Messaging
import PaymentCore
import Telemetry
import Testing

@testable import PaymentService

/// The real adapter against the real gateway, over a real socket.
@Suite struct GatewayAdapterTests {
    @Test func everyCardOverTheWire() async throws {
        let folder = NSTemporaryDirectory() + "adapter-" + UUID().uuidString
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        var configuration = GatewayConfiguration(httpPort: 0, ledgerPath: folder + "/ledger.jsonl")
        configuration.slowMilliseconds = 50
        let server = try GatewayServer(
            configuration: configuration,
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        )
        let running = Task { try await server.run() }
        let sender = HTTPSender()
        let client = HTTPCardGateway(
            sender: sender,
            baseURL: "http://127.0.0.1:\(try await server.listener.boundPort())",
            callDeadline: .milliseconds(700)
        )

        func call(
            _ number: Int,
            _ kind: IntentKind,
            _ card: String,
            authorization: String? = nil,
            capture: String? = nil
        ) -> GatewayCall {
            GatewayCall(
                key: "\(kind.rawValue)-\(number)",
                kind: kind,
                orderID: orderID(number),
                amount: tenEuros,
                card: id(CardToken.init, card),
                authorization: authorization,
                capture: capture
            )
        }
        guard case .done(let authorization) = await client.call(call(1, .authorize, "tok_visa")) else {
            Issue.record("the authorization must succeed")
            return
        }
        #expect(await client.lookUp(call(1, .authorize, "tok_visa")) == .done(reference: authorization))
        guard case .done(let capture) = await client.call(call(1, .capture, "tok_visa", authorization: authorization))
        else {
            Issue.record("the capture must succeed")
            return
        }
        #expect(
            await client.call(call(1, .void, "tok_visa", authorization: authorization))
                == .refused(reason: Reasons.alreadyCaptured)
        )
        guard case .done = await client.call(call(1, .refund, "tok_visa", capture: capture)) else {
            Issue.record("the refund must succeed")
            return
        }
        #expect(await client.call(call(2, .authorize, "tok_declined")) == .refused(reason: "card-declined"))
        #expect(
            await client.call(call(3, .authorize, "tok_insufficient_funds")) == .refused(reason: "insufficient-funds")
        )
        // The key stands for an authorization that succeeded: that is no refusal.
        #expect(await client.call(call(1, .authorize, "tok_declined")) == .unclear(note: "status 422"))
        #expect(await client.call(call(4, .authorize, "tok_flaky")) == .unclear(note: "status 503"))
        #expect(await client.lookUp(call(4, .authorize, "tok_flaky")) == .notFound)
        #expect(await client.call(call(5, .authorize, "tok_garbage")) == .unclear(note: "unreadable answer"))
        guard case .done = await client.lookUp(call(5, .authorize, "tok_garbage")) else {
            Issue.record("what was answered unreadably must be found by key")
            return
        }
        #expect(await client.call(call(6, .authorize, "tok_timeout")) == .unclear(note: "timeout"))
        guard case .done = await client.lookUp(call(6, .authorize, "tok_timeout")) else {
            Issue.record("what was not answered must be found by key")
            return
        }
        guard case .done = await client.call(call(7, .authorize, "tok_slow")) else {
            Issue.record("a slow authorization must succeed")
            return
        }
        server.gateway.releaseEverything()
        running.cancel()
        try? await running.value
        #expect(await client.call(call(8, .authorize, "tok_visa")) == .notSent(note: "connection_refused"))
        await sender.shutdown()
    }

    /// What arrived damaged is answered with 400, and not once more.
    @Test func onlyTheGatewaysOwnRuleTurnsACallAway() {
        func answer(_ status: Int, _ body: String, _ kind: IntentKind = .capture) -> GatewayAnswer {
            let call = GatewayCall(
                key: "k",
                kind: kind,
                orderID: orderID(1),
                amount: tenEuros,
                card: id(CardToken.init, "tok_visa"),
                authorization: "auth_1",
                capture: nil
            )
            return HTTPCardGateway.answer(to: HTTPReply(status: status, body: Array(body.utf8)), call)
        }
        #expect(answer(422, #"{"code":"invalid-value"}"#) == .turnedAway(reason: "gateway-rejected"))
        #expect(answer(422, #"{"code":"invalid-value"}"#, .refund) == .unclear(note: "status 422"))
        #expect(answer(422, #"{"code":"idempotency-key-reused"}"#) == .unclear(note: "status 422"))
        #expect(answer(422, "<html>a proxy</html>") == .unclear(note: "status 422"))
        #expect(answer(400, #"{"code":"malformed-request"}"#) == .unclear(note: "status 400"))
    }
}
