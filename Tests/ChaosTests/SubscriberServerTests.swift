import Foundation
import HTTPKit
import Messaging
import StrictJSON
import Testing
import Webhooks

@testable import Chaos

/// What the subscribers write down of what they get.
struct SubscriberServerTests {
    @Test("Each request is verified and written down with its endpoint, before it is answered")
    func receipts() async throws {
        let path = NSTemporaryDirectory() + "chaos-webhooks-\(UUID().uuidString).jsonl"
        defer { try? FileManager.default.removeItem(atPath: path) }
        let server = SubscriberServer()
        let port = try await server.start(log: path)
        let secret = try WebhookSecret("whsec_" + Data(repeating: 7, count: 32).base64EncodedString())
        try server.expect(
            "/moody",
            endpoint: "ep_moody",
            secret: "whsec_" + Data(repeating: 7, count: 32).base64EncodedString()
        )
        let sender = HTTPSender()

        func send(_ to: String, signed: String, body: String) async -> Int? {
            let now = SystemClock().now().millisecondsSinceEpoch / 1000
            let signatures = WebhookSigner(secrets: [secret]).signatures(
                id: "e1",
                timestamp: now,
                body: Array(signed.utf8)
            )
            let answer = await sender.send(
                "POST",
                url: "http://127.0.0.1:\(port)\(to)",
                headers: [("webhook-id", "e1"), ("webhook-timestamp", "\(now)"), ("webhook-signature", signatures)],
                body: Array(body.utf8)
            )
            return try? answer.get().status
        }
        #expect(await send("/moody", signed: "a", body: "a") == 204)
        server.set(.fails)
        #expect(await send("/moody", signed: "a", body: "b") == 500)
        #expect(await send("/nobody", signed: "a", body: "a") == 204)
        await sender.shutdown()
        await server.close()

        let lines = try String(contentsOfFile: path, encoding: .utf8).split(separator: "\n").map {
            try StrictJSON.parse(Array($0.utf8))
        }
        try #require(lines.count == 3)
        #expect(lines.map { $0["verified"]?.boolValue } == [true, false, false])
        #expect(lines.map { $0["id"]?.stringValue } == ["e1", "", ""])
        #expect(lines.map { $0["endpoint"]?.stringValue } == ["ep_moody", "ep_moody", nil])
        #expect(lines.map { $0["status"]?.integerValue } == [204, 500, 204])
        #expect(lines[0]["digest"] != lines[1]["digest"] && lines[0]["digest"] == lines[2]["digest"])
    }
}
