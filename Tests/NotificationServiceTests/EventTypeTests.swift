import Commerce
import DurableStore
import Foundation
import HTTPKit
import HTTPTypes
import Hummingbird
import HummingbirdTesting
import KitTestSupport
import Messaging
import NIOCore
import NotificationCore
import StrictJSON
import Synchronization
import Testing
import Webhooks

@testable import NotificationService

/// Keeps what it is given; answers what it is told.
private final class KeepingSender: WebhookSending {
    private let state = Mutex<(requests: [WebhookRequest], status: Int)>(([], 200))

    var requests: [WebhookRequest] { state.withLock { $0.requests } }
    var bodies: [JSONValue] { requests.compactMap { try? StrictJSON.parse($0.body) } }
    func answer(_ status: Int) { state.withLock { $0.status = status } }
    func interrupt() async {}

    func send(_ request: WebhookRequest) async -> WebhookExchange {
        let status = state.withLock { state in
            state.requests.append(request)
            return state.status
        }
        return WebhookExchange(result: .answered(AttemptAnswer(status: status)))
    }
}

@Suite("What is published of event types")
struct EventTypeTests {
    private struct Bench: Sendable {
        let clock = ManualClock()
        let sender = KeepingSender()
        let store: DurableStore
        let dispatcher: WebhookDispatcher
        let routes: WebhookRoutes

        init() throws {
            store = try DurableStore.inMemory(migrations: NotificationSchema.migrations, clock: clock)
            var options = SenderOptions()
            options.source = NotificationService.source
            options.breaker.threshold = 1000
            dispatcher = WebhookDispatcher(store: store, sender: sender, options: options, clock: clock)
            routes = WebhookRoutes(
                store: store,
                queries: WebhookQueries(store: store),
                dispatcher: dispatcher,
                policy: AddressPolicy(allowed: AddressPolicy.blocks("127.0.0.0/8") ?? []),
                clock: clock
            )
        }

        func endpoint(_ change: @Sendable (inout EndpointSettings) -> Void = { _ in }) async throws -> String {
            var settings = EndpointSettings(url: "http://127.0.0.1:9/hook")
            change(&settings)
            let made = settings
            return try await store.write { [administration = routes.administration] tx in
                try administration.create(made, actor: "test", in: tx).endpoint.id
            }
        }

        func act(_ action: EndpointState.Action, on id: String) async throws {
            _ = try await store.write { [administration = routes.administration] tx in
                try administration.act(action, on: id, actor: "test", in: tx)
            }
        }

        func publish(_ type: String, id: String, data: [UInt8]) async throws {
            let envelope = Envelope(
                id: id,
                source: "/waybill/order",
                type: type,
                subject: ExampleEvents.subject,
                time: clock.now(),
                sequence: 1,
                correlationID: ExampleEvents.subject,
                traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
                body: data
            )
            try await store.write { tx in try EventForwarder(fanout: WebhookFanout {}).handle(envelope, in: tx) }
        }
    }

    private func faults(of body: JSONValue) throws -> [JSONSchema.Fault] {
        let type = try #require(body["type"]?.stringValue)
        let document = try #require(try EventTypeDocuments.document(of: type))
        return try JSONSchema(try #require(document["schema"])).faults(of: body)
    }

    @Test func everyExampleFitsItsSchemaAndNoOther() throws {
        #expect(EventTypeDocuments.types.count == EventCatalog.types.count + OperationalEvents.types.count)
        for type in EventTypeDocuments.types {
            let document = try #require(try EventTypeDocuments.document(of: type))
            let schema = try JSONSchema(try #require(document["schema"]))
            let example = try #require(document["example"]?.objectValue)
            #expect(schema.faults(of: .object(example)).isEmpty, "\(type)")
            for member in example.members where member.key != "sequence" {
                var less = example
                less[member.key] = nil
                #expect(schema.faults(of: .object(less)).map(\.path) == [member.key], "\(type) without \(member.key)")
            }
            for other in EventTypeDocuments.types where other != type {
                let body = try #require(try EventTypeDocuments.document(of: other)?["example"])
                #expect(!schema.faults(of: body).isEmpty, "\(other) as \(type)")
            }
        }
        #expect(try EventTypeDocuments.document(of: "waybill.parcel.lost.v1") == nil)
    }

    @Test func whatIsSentFitsWhatIsPublished() async throws {
        let bench = try Bench()
        _ = try await bench.endpoint()
        for (index, type) in EventCatalog.types.enumerated() {
            try await bench.publish(type, id: "evt-\(index)", data: try #require(try ExampleEvents.data(of: type)))
        }
        for _ in 0..<10 { try await bench.dispatcher.performDue() }
        #expect(Set(bench.sender.bodies.compactMap { $0["type"]?.stringValue }) == Set(EventCatalog.types))
        for body in bench.sender.bodies { #expect(try faults(of: body) == [], "\(body)") }
    }

    @Test func soDoTheSendersOwnEvents() async throws {
        let bench = try Bench()
        _ = try await bench.endpoint { $0.eventTypes = ["webhook.*"] }
        let type = EventCatalog.types[0]
        let data = try #require(try ExampleEvents.data(of: type))
        let shop = try await bench.endpoint {
            $0.eventTypes = [type]
            $0.schedule = [1000, 1000, 1000, 1000]
            $0.uid = "shop"
        }
        func pass(_ rounds: Int) async throws {
            for _ in 0..<rounds {
                try await bench.dispatcher.performDue()
                bench.clock.advance(by: .seconds(2))
            }
        }
        // Nothing gets through, so each delivery fails, is given up, and what is said about it waits.
        bench.sender.answer(500)
        try await bench.publish(type, id: "evt-1", data: data)
        try await pass(5)
        bench.sender.answer(200)
        let given = try await WebhookQueries(store: bench.store).deliveries(.init(), limit: 100).first {
            $0.messageID == "evt-1"
        }
        let id = try #require(given).id
        _ = try await bench.store.write { [administration = bench.routes.administration] tx in
            try administration.redrive(id, in: tx)
        }
        try await pass(1)
        try await bench.act(.pause, on: shop)
        try await bench.act(.disable(.manual), on: shop)
        try await bench.act(.delete, on: shop)
        bench.clock.advance(by: .seconds(86_400))
        try await pass(20)
        let own = bench.sender.bodies.filter { OperationalEvents.isType($0["type"]?.stringValue ?? "") }
        let types = Set(own.compactMap { $0["type"]?.stringValue })
        #expect(types.isSuperset(of: OperationalEvents.types), "\(types)")
        for body in own { #expect(try faults(of: body) == [], "\(body)") }
    }

    @Test func theContractInTheDocumentsIsTheOneThatIsServed() throws {
        let file = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .appending(path: "../../docs/contracts/webhook-events.json").standardizedFileURL
        let documents: JSONValue = .object([
            "eventTypes": .array(try EventTypeDocuments.types.compactMap { try EventTypeDocuments.document(of: $0) })
        ])
        let bytes = StrictJSON.encode(documents)
        if ProcessInfo.processInfo.environment["WAYBILL_WRITE_CONTRACTS"] == "1" { try Data(bytes).write(to: file) }
        let limits = JSONLimits(maxBytes: 4 << 20, maxItems: 1_000_000, maxStringBytes: 1 << 20)
        let written = try StrictJSON.parse([UInt8](Data(contentsOf: file)), limits: limits)
        #expect(StrictJSON.encode(written) == bytes, "WAYBILL_WRITE_CONTRACTS=1 writes it anew")
    }

    @Test func subscribersReadTypesWithoutATokenAndTestsMayDifferFromTheExample() async throws {
        let bench = try Bench()
        let (orders, _) = (
            try await bench.endpoint {
                $0.uid = "orders"
                $0.eventTypes = ["waybill.order.*"]
            }, try await bench.endpoint { $0.eventTypes = ["waybill.payment.*"] }
        )
        let router = Router(context: APIContext.self)
        EventTypeRoutes().add(to: router)
        bench.routes.add(to: router)
        let app = Application(responder: router.buildResponder())
        try await app.test(.router) { client in
            func call(
                _ method: HTTPRequest.Method,
                _ path: String,
                _ body: JSONValue? = nil
            ) async throws -> (Int, JSONValue) {
                try await client.execute(
                    uri: path,
                    method: method,
                    headers: body == nil ? [:] : [.contentType: "application/json"],
                    body: body.map { ByteBuffer(bytes: StrictJSON.encode($0)) }
                ) { ($0.status.code, try StrictJSON.parse(Array($0.body.readableBytesView), limits: .message)) }
            }
            let (_, list) = try await call(.get, "/v1/webhook-event-types")
            let urls = list["items"]?.arrayValue?.compactMap { $0["url"]?.stringValue } ?? []
            #expect(urls.count == EventTypeDocuments.types.count)
            for url in urls { #expect(try await call(.get, url).0 == 200) }
            #expect(try await call(.get, "/v1/webhook-event-types/none").0 == 404)

            let path = "/operator/webhooks/test"
            let asked: JSONValue = [
                "type": "order.completed",
                "overrides": ["total.minorUnits": 77, "lines.0.quantity": 3, "reason": "a test"],
            ]
            let (status, made) = try await call(.post, path, asked)
            #expect(status == 202 && made["items"]?.arrayValue?.count == 1)
            #expect(made["items"]?[0]?["endpointId"]?.stringValue == orders)
            try await bench.dispatcher.performDue()
            let sent = try #require(bench.sender.bodies.first)
            #expect(sent["test"] == true && sent["data"]?["total"]?["minorUnits"] == 77)
            #expect(sent["data"]?["lines"]?[0]?["quantity"] == 3 && sent["data"]?["reason"] == "a test")
            #expect(try faults(of: sent) == [])

            for (place, value) in [
                ("total.minorUnits", "much"), ("lines.7.quantity", 1), ("customerID.name", 1), ("status", "placed"),
                ("lines.0.quantity", 0),
            ] as [(String, JSONValue)] {
                let (status, problem) = try await call(
                    .post,
                    "/operator/webhooks/endpoints/orders/test",
                    ["type": "order.completed", "overrides": .object(JSONObject([JSONMember(place, value)]))]
                )
                #expect(status == 422 && problem["code"]?.stringValue == "data-invalid", "\(place)")
            }
            #expect(try await call(.post, path, ["type": "parcel.lost"]).0 == 422)
            #expect(try await call(.post, path, ["type": "stock.adjusted"]).1["items"]?.arrayValue?.isEmpty == true)
            #expect(bench.sender.requests.count == 1)
        }
    }

    @Test func theConsoleIsTheSameForEverybodyAndRunsNoScriptButItsOwn() async throws {
        let router = Router(context: APIContext.self)
        ConsolePage.add(to: router)
        let app = Application(responder: router.buildResponder())
        try await app.test(.router) { client in
            for (path, type) in [("/webhooks", "text/html"), ("/webhooks/console.js", "text/javascript")] {
                try await client.execute(uri: path, method: .get) { response in
                    let text = String(buffer: response.body)
                    #expect(response.status == .ok && response.headers[.contentType]?.hasPrefix(type) == true)
                    #expect(response.headers[.contentSecurityPolicy]?.contains("script-src 'self'") == true)
                    #expect(!text.contains("innerHTML") && !text.contains("<script>"))
                }
            }
        }
    }
}
