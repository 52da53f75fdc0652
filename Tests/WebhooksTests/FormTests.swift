import DurableStore
import KitTestSupport
import Messaging
import StrictJSON
import Testing

@testable import Webhooks

@Suite("How an event is laid out")
struct FormTests {
    private func header(_ request: WebhookRequest, _ name: String) -> String? {
        let values = request.headers.filter { $0.name == name }.map(\.value)
        return values.count == 1 ? values[0] : nil
    }

    @Test(arguments: [
        ("Euro € 😀", "Euro%20%E2%82%AC%20%F0%9F%98%80"), ("a\"b%c", "a%22b%25c"), ("/shop?x=1&y=~", "/shop?x=1&y=~"),
        ("line\r\nbreak", "line%0D%0Abreak"), ("", ""),
    ])
    func attributesAreWrittenAsTheBindingSays(_ text: String, _ header: String) {
        #expect(WebhookContent.headerValue(text) == header)
    }

    @Test func inBinaryModeAttributesAreHeadersAndTheSignedBodyIsTheData() async throws {
        let bench = try Bench { _, number in status(number == 1 ? 500 : 200) }
        let (endpoint, secret) = try await bench.endpoint {
            $0.format = .binary
            $0.schedule = [1000]
        }
        _ = try await bench.publish("evt_1", subject: "Größe 7")
        try await bench.dispatcher.performDue()
        // Whatever is decided meanwhile, a delivery sends the same on every attempt.
        let administration = bench.administration
        _ = try await bench.store.write { tx in
            try administration.update(endpoint.id, actor: "test", in: tx) { $0.format = .structured }
        }
        bench.clock.advance(by: .seconds(2))
        try await bench.dispatcher.performDue()
        #expect(bench.sender.requests.count == 2)
        for request in bench.sender.requests {
            #expect(request.body == Array(#"{"n":1}"#.utf8))
            for (name, value) in [
                ("content-type", "application/json"), ("ce-specversion", "1.0"), ("ce-id", "evt_1"),
                ("ce-source", "/shop"),
                ("ce-type", "shop.order.placed"), ("ce-subject", "Gr%C3%B6%C3%9Fe%207"), ("ce-sequence", "1"),
                ("webhook-id", "evt_1"), ("user-agent", bench.options.userAgent),
            ] { #expect(header(request, name) == value, "\(name)") }
            #expect(header(request, "ce-time") != nil && header(request, "ce-data") == nil)
            let verdict = WebhookVerifier(secrets: [secret]).verify(
                headers: request.headers,
                body: request.body,
                at: bench.clock.now()
            )
            #expect((try? verdict.get().id) == "evt_1")
        }
        #expect(try await bench.deliveries().first?.form == DeliveryForm(isBinary: true))
        // The next one is made after the change.
        _ = try await bench.publish("evt_2")
        try await bench.dispatcher.performDue()
        #expect(header(try #require(bench.sender.requests.last), "content-type") == WebhookEvent.contentType)
    }

    @Test func thinAndBinaryGoTogetherAndTestsSayThatTheyAreTests() async throws {
        let bench = try Bench { _, _ in status(200) }
        let (endpoint, _) = try await bench.endpoint {
            $0.format = .binary
            $0.payload = .thin
        }
        let administration = bench.administration
        _ = try await bench.store.write { tx in
            try administration.test(
                endpoint.id,
                WebhookEvent(
                    id: "t1",
                    source: "/shop",
                    type: "a.b",
                    subject: "s1",
                    time: tx.now,
                    data: ["n": 1],
                    dataref: "https://shop.test/s1"
                ),
                in: tx
            )
        }
        try await bench.dispatcher.performDue()
        let request = try #require(bench.sender.requests.first)
        #expect(request.body == Array(#"{"id":"s1"}"#.utf8))
        #expect(header(request, "ce-test") == "true" && header(request, "ce-dataref") == "https://shop.test/s1")
    }

    @Test func aDeadLetterOfABinaryDeliveryHasItsAttributes() async throws {
        let bench = try Bench { _, _ in status(410) }
        _ = try await bench.endpoint { $0.format = .binary }
        _ = try await bench.publish("evt_1")
        try await bench.dispatcher.performDue()
        let letter = try #require(try await bench.dead().first)
        #expect(letter.body == Array(#"{"n":1}"#.utf8))
        #expect(letter.headers.contains { $0.name == "ce-type" && $0.value == "shop.order.placed" })
        #expect(letter.headers.contains { $0.name == "webhook-id" && $0.value == "evt_1" })
    }
}
