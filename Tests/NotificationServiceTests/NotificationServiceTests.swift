import Commerce
import DurableStore
import GRDB
import HTTPKit
import HTTPTypes
import Hummingbird
import HummingbirdTesting
import KitTestSupport
import Messaging
import NIOCore
import NotificationCore
import StrictJSON
import Testing
import Webhooks

@testable import NotificationService

@Suite("The catalogue of events")
struct EventCatalogTests {
    @Test(arguments: [
        ("order.*", "waybill.order.*"), ("order.completed", "waybill.order.completed.*"),
        ("waybill.order.completed.v1", "waybill.order.completed.v1"), ("*", "*"),
        ("payment.captured.v1", "waybill.payment.captured.v1"),
    ])
    func shortFormsAreRead(_ text: String, _ pattern: String) {
        #expect(EventCatalog.pattern(text) == pattern)
        #expect(EventCatalog.types.contains { EventTypePattern(pattern)?.matches($0) ?? false })
    }

    @Test func everyTypeHasAnExample() throws {
        #expect(EventCatalog.types.count == 9 + 7 + 5 + 1)
        for type in EventCatalog.types { #expect(try ExampleEvents.data(of: type) != nil, "\(type)") }
        #expect(try ExampleEvents.data(of: "waybill.parcel.lost.v1") == nil)
    }
}

/// Answers every request with one status.
private struct FixedSender: WebhookSending {
    let status: Int
    func interrupt() async {}
    func send(_ request: WebhookRequest) async -> WebhookExchange {
        WebhookExchange(result: .answered(AttemptAnswer(status: status)))
    }
}

@Suite("Notification: events in, routes")
struct NotificationRouteTests {
    private struct Parts: Sendable {
        let store: DurableStore
        let dispatcher: WebhookDispatcher
        let clock: ManualClock
    }

    private func parts(
        status: Int = 200,
        allow: String = "127.0.0.0/8"
    ) throws -> (parts: Parts, router: Router<APIContext>) {
        let clock = ManualClock()
        let store = try DurableStore.inMemory(migrations: NotificationSchema.migrations, clock: clock)
        let dispatcher = WebhookDispatcher(store: store, sender: FixedSender(status: status), clock: clock)
        let router = Router(context: APIContext.self)
        WebhookRoutes(
            store: store,
            queries: WebhookQueries(store: store),
            dispatcher: dispatcher,
            policy: AddressPolicy(allowed: AddressPolicy.blocks(allow) ?? []),
            clock: clock
        ).add(to: router)
        return (Parts(store: store, dispatcher: dispatcher, clock: clock), router)
    }

    private func call(
        _ client: any TestClientProtocol,
        _ method: HTTPRequest.Method,
        _ path: String,
        _ body: JSONValue? = nil
    ) async throws -> (status: Int, body: JSONValue) {
        let buffer = body.map { ByteBuffer(bytes: StrictJSON.encode($0)) }
        let headers: HTTPFields = body == nil ? [:] : [.contentType: "application/json"]
        return try await client.execute(
            uri: "/operator/webhooks" + path,
            method: method,
            headers: headers,
            body: buffer
        ) { response in
            let bytes = Array(response.body.readableBytesView)
            return (response.status.code, bytes.isEmpty ? .null : try StrictJSON.parse(bytes))
        }
    }

    private func deliver(_ parts: Parts, _ id: String, _ status: OrderStatus) async throws {
        let order = "0192f1a0-0000-7000-8000-000000000001"
        let envelope = Envelope(
            id: id,
            source: "/waybill/order",
            type: OrderEvent.messageType(for: status),
            subject: order,
            time: SystemClock().now(),
            sequence: 1,
            correlationID: order,
            body: try #require(try ExampleEvents.data(of: OrderEvent.messageType(for: status)))
        )
        let received = ReceivedMessage(
            source: .record(topic: "orders", partition: 0, offset: 0),
            headers: EnvelopeHeaders.encode(envelope),
            body: envelope.body
        )
        let processor = EventProcessor(
            store: parts.store,
            consumer: "notification",
            handler: EventForwarder(fanout: WebhookFanout {}, ordersURL: "http://orders.test/")
        )
        for verdict in await processor.process([received, received]) {
            guard case .acknowledge = verdict else {
                Issue.record("\(verdict)")
                return
            }
        }
    }

    @Test func whatCannotBeStoredNowMayBeTriedAgain() async throws {
        let (parts, router) = try parts()
        parts.store.abandon(Failure(.retryable, code: "store-full", "The disk is full."))
        try await Application(responder: router.buildResponder()).test(.router) { client in
            let body: JSONValue = ["url": "http://127.0.0.1:9/hook", "eventTypes": ["order.*"]]
            let refused = try await call(client, .post, "/endpoints", body)
            #expect(refused.status == 503)
            #expect(refused.body["code"] == "store-full")
        }
    }

    @Test func fromEventToDeliveryOverTheRoutes() async throws {
        let (parts, router) = try parts()
        let app = Application(responder: router.buildResponder())
        try await app.test(.router) { client in
            let made = try await call(
                client,
                .post,
                "/endpoints",
                [
                    "url": "http://127.0.0.1:9/hook", "eventTypes": ["order.*"], "uid": "mine",
                    "headers": ["x-key": "hidden"],
                ]
            )
            #expect(made.status == 201)
            #expect(made.body["secret"]?.stringValue?.hasPrefix("whsec_") == true)
            #expect(made.body["eventTypes"]?[0]?.stringValue == "waybill.order.*")
            // The same message twice: one delivery.
            try await deliver(parts, "evt-1", .completed)
            try await parts.dispatcher.performDue()
            let list = try await call(client, .get, "/deliveries?endpoint=mine&state=delivered")
            #expect(list.body["items"]?.arrayValue?.count == 1)
            let id = try #require(list.body["items"]?[0]?["id"]?.stringValue)
            let shown = try await call(client, .get, "/deliveries/\(id)")
            #expect(shown.body["attemptLog"]?[0]?["status"]?.integerValue == 200)
            #expect(shown.body["webhookId"]?.stringValue == "evt-1" && shown.body["sequence"]?.integerValue == 1)
            #expect(try await call(client, .post, "/deliveries/\(id)/resend").status == 202)
            try await parts.dispatcher.performDue()
            #expect(try await call(client, .get, "/deliveries/\(id)").body["attempts"]?.integerValue == 2)
            // The secret is in its own answer and nowhere else.
            let secret = try #require(made.body["secret"]?.stringValue)
            for path in [
                "/endpoints", "/endpoints/mine", "/deliveries", "/deliveries/\(id)", "/endpoints/mine/journal",
            ] {
                let text = String(decoding: StrictJSON.encode(try await call(client, .get, path).body), as: UTF8.self)
                #expect(!text.contains(secret) && !text.contains("hidden"), "\(path)")
            }
            let secrets = try await call(client, .get, "/endpoints/mine/secret")
            #expect(secrets.body["secrets"]?[0]?["secret"]?.stringValue == secret)
        }
    }

    @Test func statesAndChanges() async throws {
        let (_, router) = try parts()
        let app = Application(responder: router.buildResponder())
        try await app.test(.router) { client in
            _ = try await call(client, .post, "/endpoints", ["url": "http://127.0.0.1:9/", "uid": "e"])
            #expect(
                try await call(client, .post, "/endpoints", ["url": "http://127.0.0.1:9/", "uid": "e"]).status == 409
            )
            #expect(try await call(client, .post, "/endpoints/e/pause").body["state"]?.stringValue == "paused")
            #expect(try await call(client, .post, "/endpoints/e/enable").status == 409)
            #expect(try await call(client, .post, "/endpoints/e/resume").body["state"]?.stringValue == "enabled")
            #expect(try await call(client, .post, "/endpoints/e/disable").body["reason"]?.stringValue == "manual")
            #expect(try await call(client, .post, "/endpoints/e/enable").body["state"]?.stringValue == "enabled")
            let changed = try await call(client, .patch, "/endpoints/e", ["throttlePerSecond": 5, "ordering": "key"])
            #expect(
                changed.body["throttlePerSecond"]?.integerValue == 5 && changed.body["ordering"]?.stringValue == "key"
            )
            let rotated = try await call(client, .post, "/endpoints/e/rotate", ["graceSeconds": 60])
            #expect(rotated.status == 200)
            #expect(try await call(client, .get, "/endpoints/e/secret").body["secrets"]?.arrayValue?.count == 2)
            let test = try await call(client, .post, "/endpoints/e/test", ["type": "payment.captured"])
            #expect(test.status == 202 && test.body["type"]?.stringValue == "waybill.payment.captured.v1")
            #expect(try await call(client, .delete, "/endpoints/e").status == 204)
            #expect(try await call(client, .get, "/endpoints/e").status == 404)
        }
    }

    @Test(
        arguments: [
            (["url": "http://10.0.0.1/"], "blocked-address"), (["url": "http://2130706433/"], "blocked-address"),
            (["url": "ftp://a.b/"], "url-invalid"), ([:], "url-invalid"),
            (["url": "https://a.example/", "eventTypes": ["parcel.*"]], "unknown-event-type"),
            (["url": "https://a.example/", "secret": "whsec_AAAA"], "secret-invalid"),
            (["url": "https://a.example/", "headers": ["Host": "x"]], "header-invalid"),
            (["url": "https://a.example/", "timeoutMs": 30_001], "invalid-value"),
            (["url": "https://a.example/", "ordering": "wild"], "invalid-value"),
            (["url": "https://a.example/", "x": 1], "unknown-field"),
        ] as [(JSONValue, String)]
    )
    func wrongSettingsAreRefused(_ body: JSONValue, _ code: String) async throws {
        let (_, router) = try parts(allow: "")
        let app = Application(responder: router.buildResponder())
        try await app.test(.router) { client in
            let answer = try await call(client, .post, "/endpoints", body)
            #expect(answer.status == 422 && answer.body["code"]?.stringValue == code, "\(answer)")
            #expect(try await call(client, .get, "/endpoints").body["items"]?.arrayValue?.isEmpty == true)
        }
    }

    @Test func aReceiverAgreesByTheConsentAddressAndOnlyOnce() async throws {
        let (parts, router) = try parts()
        let handshakes = WebhookHandshakes(
            store: parts.store,
            sender: FixedSender(status: 202),
            options: SenderOptions(),
            clock: ManualClock()
        ) {}
        ConsentRoutes(handshakes: handshakes).add(to: router)
        let app = Application(responder: router.buildResponder())
        try await app.test(.router) { client in
            let made = try await call(
                client,
                .post,
                "/endpoints",
                ["url": "http://127.0.0.1:9/", "uid": "shy", "asksConsent": true, "payload": "thin"]
            )
            #expect(made.body["state"]?.stringValue == "pending_verification")
            #expect(made.body["asksConsent"]?.boolValue == true && made.body["payload"]?.stringValue == "thin")
            let token = try await parts.store.read { db in
                try String.fetchOne(db, sql: "SELECT token FROM webhook_handshakes") ?? ""
            }
            func agree(_ token: String) async throws -> Int {
                let headers: HTTPFields = [try #require(HTTPField.Name("webhook-allowed-rate")): "120"]
                return try await client.execute(uri: "/v1/webhook-consents/\(token)", method: .post, headers: headers) {
                    $0.status.code
                }
            }
            #expect(try await agree(String(repeating: "0", count: 32)) == 404)
            #expect(try await agree("short") == 404)
            #expect(try await agree(token) == 204)
            #expect(try await agree(token) == 404)
            let shown = try await call(client, .get, "/endpoints/shy").body
            #expect(shown["state"]?.stringValue == "enabled" && shown["allowedPerMinute"]?.integerValue == 120)
            #expect(shown["consent"]?["grantedAt"]?.stringValue != nil)
            // Asking again takes the consent back until it is given anew.
            let asked = try await call(client, .post, "/endpoints/shy/verify").body
            #expect(asked["state"]?.stringValue == "pending_verification")
        }
    }

    @Test func contentChannelsErasureAndRecoveriesOverTheRoutes() async throws {
        let (parts, router) = try parts(status: 500)
        let app = Application(responder: router.buildResponder())
        try await app.test(.router) { client in
            let wrong = try await call(
                client,
                .post,
                "/endpoints",
                ["url": "http://127.0.0.1:9/", "filter": ["data": ["$like": "x"]]]
            )
            #expect(wrong.status == 422 && wrong.body["code"]?.stringValue == "filter-invalid")
            for (uid, settings) in [
                ("cheap", ["filter": ["data": ["total": ["minorUnits": ["$lt": 100]]]]]),
                ("dear", ["filter": ["data": ["total": ["minorUnits": ["$gte": 100]]]], "terminalStatuses": [500]]),
                ("theirs", ["channels": ["customer:example"], "payload": "thin"]),
                ("others", ["channels": ["customer:x"]]),
                ("sender", ["eventTypes": ["webhook.*"]]),
            ] as [(String, JSONObject)] {
                var body: JSONObject = ["url": "http://127.0.0.1:9/", "uid": .string(uid)]
                for member in settings.members { body[member.key] = member.value }
                #expect(try await call(client, .post, "/endpoints", .object(body)).status == 201)
            }
            try await deliver(parts, "evt-1", .completed)
            func count(_ uid: String) async throws -> Int {
                try await call(client, .get, "/deliveries?endpoint=\(uid)&webhookId=evt-1").body["items"]?.arrayValue?
                    .count
                    ?? -1
            }
            var counts: [Int] = []
            for uid in ["cheap", "dear", "theirs", "others", "sender"] { counts.append(try await count(uid)) }
            #expect(counts == [0, 1, 1, 0, 0])
            let thin = try await call(client, .get, "/deliveries?endpoint=theirs").body["items"]?[0]
            #expect(thin?["payload"]?.stringValue == "thin")
            let shown = try await call(client, .get, "/deliveries/\(thin?["id"]?.stringValue ?? "")").body
            let sent = try StrictJSON.parse(Array((shown["body"]?.stringValue ?? "").utf8))
            #expect(sent["data"] == ["id": "0192f1a0-0000-7000-8000-000000000001"])
            #expect(sent["dataref"]?.stringValue == "http://orders.test/0192f1a0-0000-7000-8000-000000000001")
            // Given up at once; a recovery brings it back, is cancelled and goes on.
            try await parts.dispatcher.performDue()
            let asked: JSONValue = [
                "endpoint": "dear", "since": "2000-01-01T00:00:00Z", "until": "2100-01-01T00:00:00Z",
            ]
            var dry = asked.objectValue ?? [:]
            dry["dryRun"] = true
            parts.clock.advance(by: .seconds(1))
            #expect(try await call(client, .post, "/recoveries", .object(dry)).body["deliveries"]?.integerValue == 1)
            var throttled = asked.objectValue ?? [:]
            throttled["perSecond"] = 5
            let job = try await call(client, .post, "/recoveries", .object(throttled))
            #expect(job.status == 202 && job.body["perSecond"]?.integerValue == 5)
            let id = job.body["id"]?.stringValue ?? ""
            #expect(
                try await call(client, .post, "/recoveries/\(id)/cancel").body["state"]?.stringValue == "cancelled"
            )
            #expect(try await call(client, .post, "/recoveries/\(id)/resume").body["state"]?.stringValue == "running")
            // Erased, the event is sent no more.
            #expect(try await call(client, .delete, "/messages/evt-1/payload").status == 200)
            #expect(try await call(client, .delete, "/messages/evt-9/payload").status == 404)
            #expect(try await call(client, .post, "/recoveries", .object(dry)).body["deliveries"]?.integerValue == 0)
        }
    }
}
