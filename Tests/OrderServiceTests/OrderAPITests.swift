import Commerce
import DurableStore
import Foundation
import GRDB
import HTTPKit
import HTTPTypes
import Hummingbird
import HummingbirdTesting
import KitTestSupport
import Messaging
import NIOCore
import OrderCore
import OrderService
import StrictJSON
import Telemetry
import Testing

/// The API as a client sees it, over the router.
@Suite struct OrderAPITests {
    private static let good = #"{"customer":"ann","card":"tok_visa","lines":[{"sku":"MUG","quantity":2}]}"#

    @Test func placingAnOrder() async throws {
        try await withClient { world, client in
            let placed = try await client.place(Self.good, key: "k1")
            #expect(placed.status == .accepted)
            let order = try placed.json()
            let id = try OrderWorld.some(order["id"]?.stringValue)
            #expect(placed.headers[.location] == "/v1/orders/" + id)
            #expect(order["status"] == "awaitingStock" && order["version"] == 2)
            #expect(order["total"] == ["currency": "EUR", "minorUnits": 2500])
            #expect(order["lines"]?[0]?["unitPrice"]?["minorUnits"] == 1250)
            #expect(order["card"] == nil && !placed.text.contains("tok_visa"), "the card is not shown")
            #expect(placed.headers[OrderAPITests.replay] == nil)

            let fetched = try await client.get("/v1/orders/" + id)
            #expect(fetched.status == .ok && fetched.text == placed.text, "what was answered can be read at once")

            // The same request again, spaced and ordered in another way, also after the order went on.
            let orderID = try OrderWorld.some(OrderID(id))
            try await world.reply(StockReserved(orderID: orderID), about: orderID)
            let respelled = #"{ "lines":[{"quantity":2,"sku":"MUG"}], "card":"tok_visa", "customer":"ann" }"#
            let again = try await client.place(respelled, key: "k1")
            #expect(again.status == .accepted && again.text == placed.text)
            #expect(again.headers[OrderAPITests.replay] == "true")
            let other = try await client.place(Self.good.replacing("2", with: "3"), key: "k1")
            #expect(other.status == .unprocessableContent)
            #expect(try other.json()["code"] == "idempotency-key-reused")
            #expect(try await world.count("SELECT count(*) FROM orders") == 1)
        }
    }

    /// Each row: the body, the status, the code, and the place that is named.
    private static let badBodies: [(String, Int, String, String?)] = [
        ("", 400, "malformed-json", nil),
        ("{", 400, "malformed-json", nil),
        ("[1,2", 400, "malformed-json", nil),
        (good + "x", 400, "malformed-json", nil),
        ("[]", 422, "wrong-type", nil),
        ("null", 422, "unexpected-null", nil),
        ("{}", 422, "missing-field", nil),
        (good.replacing("\"ann\"", with: "\"ann\",\"customer\":\"bob\""), 422, "duplicate-key", nil),
        (good.replacing("\"ann\"", with: "\"ann\",\"total\":1"), 422, "unknown-field", "total"),
        (good.replacing("\"ann\"", with: "\"ann\",\"status\":\"completed\""), 422, "unknown-field", "status"),
        (
            good.replacing("\"quantity\":2", with: "\"quantity\":2,\"unitPrice\":1"), 422, "unknown-field",
            "lines[0].unitPrice"
        ),
        (good.replacing(":2", with: ":0"), 422, "invalid-value", "lines[0].quantity"),
        (good.replacing(":2", with: ":-1"), 422, "invalid-value", "lines[0].quantity"),
        (good.replacing(":2", with: ":10001"), 422, "invalid-value", "lines[0].quantity"),
        (good.replacing(":2", with: ":1000000000000000000"), 422, "invalid-value", "lines[0].quantity"),
        (good.replacing(":2", with: ":99999999999999999999"), 422, "integer-out-of-range", "lines[0].quantity"),
        (good.replacing(":2", with: ":1e2"), 422, "not-an-integer", "lines[0].quantity"),
        (good.replacing(":2", with: ":1.0"), 422, "not-an-integer", "lines[0].quantity"),
        (good.replacing(":2", with: ":\"2\""), 422, "wrong-type", "lines[0].quantity"),
        (good.replacing(":2", with: ":null"), 422, "unexpected-null", "lines[0].quantity"),
        (good.replacing("MUG", with: "NONE"), 422, "unknown-sku", "lines[0].sku"),
        (good.replacing("MUG", with: "mug"), 422, "invalid-value", "lines[0].sku"),
        (good.replacing("MUG", with: "'; DROP TABLE orders"), 422, "invalid-value", "lines[0].sku"),
        (good.replacing("ann", with: ""), 422, "invalid-value", "customer"),
        (good.replacing("ann", with: "a\\u202eb"), 422, "forbidden-character", "customer"),
        (good.replacing("ann", with: "a\\u0000b"), 422, "nul-character", "customer"),
        (good.replacing("tok_visa", with: String(repeating: "x", count: 65)), 422, "invalid-value", "card"),
        (lines([]), 422, "line-count", "lines"),
        (lines(["MUG", "TEE", "MUG"]), 422, "repeated-sku", "lines[2].sku"),
        (lines(["MUG", "YEN"]), 422, "mixed-currencies", "lines[1].sku"),
        (lines((0..<101).map { "S\($0)" }), 422, "line-count", "lines"),
        (String(repeating: "[", count: 200), 422, "too-deep", nil),
        (String(repeating: " ", count: 70_000), 413, "content-too-large", nil),
        (String(repeating: "x", count: 10 << 20), 413, "content-too-large", nil),
    ]

    @Test func badBodiesWriteNothing() async throws {
        try await withClient { world, client in
            for (index, (body, status, code, path)) in Self.badBodies.enumerated() {
                let response = try await client.place(body, key: "bad-\(index)")
                let problem = try response.json()
                #expect(response.status.code == status, "\(index): \(body.prefix(80)) → \(response.text)")
                #expect(problem["code"]?.stringValue == code, "\(index): \(body.prefix(80)) → \(response.text)")
                #expect(response.headers[.contentType] == "application/problem+json")
                if let path {
                    #expect(problem["fields"]?[0]?["path"]?.stringValue == path, "\(index): \(response.text)")
                }
            }
            try await expectNothing(world)
        }
    }

    @Test func headersAreChecked() async throws {
        try await withClient { world, client in
            let cases: [([(HTTPField.Name, String)], Int, String)] = [
                ([(.contentType, "application/json")], 400, "idempotency-key-missing"),
                ([(.contentType, "application/json"), (Self.key, "")], 400, "idempotency-key-invalid"),
                (
                    [(.contentType, "application/json"), (Self.key, String(repeating: "k", count: 256))], 400,
                    "idempotency-key-invalid"
                ),
                ([(.contentType, "application/json"), (Self.key, "schlüssel")], 400, "idempotency-key-invalid"),
                (
                    [(.contentType, "application/json"), (Self.key, "a"), (Self.key, "b")], 400,
                    "idempotency-key-invalid"
                ),
                ([(Self.key, "a")], 415, "unsupported-media-type"),
                ([(.contentType, "text/plain"), (Self.key, "a")], 415, "unsupported-media-type"),
                ([(.contentType, "application/json; charset=latin1"), (Self.key, "a")], 415, "unsupported-media-type"),
                (
                    [(.contentType, "application/json"), (.contentEncoding, "gzip"), (Self.key, "a")], 415,
                    "unsupported-media-type"
                ),
            ]
            for (headers, status, code) in cases {
                var fields = HTTPFields()
                for (name, value) in headers { fields.append(HTTPField(name: name, value: value)) }
                let response = try await client.send(.post, "/v1/orders", fields, Self.good)
                #expect(response.status.code == status, "\(headers) → \(response.text)")
                #expect(try response.json()["code"]?.stringValue == code, "\(headers) → \(response.text)")
            }
            try await expectNothing(world)
            let longest = try await client.place(Self.good, key: String(repeating: "k", count: 255))
            #expect(longest.status == .accepted)
        }
    }

    /// Control characters never come this far over HTTP: the framework replaces them in every header.
    @Test func keysArePrintable() {
        for bad in ["", "a\u{7F}", "a\nb", "a\u{0}b", "ä", String(repeating: "k", count: 256)] {
            #expect(IdempotencyKey(bad) == nil)
        }
        for good in ["a", "a b", "~!\"#$%&'()*+,-./", String(repeating: "k", count: 255)] {
            #expect(IdempotencyKey(good)?.text == good)
        }
    }

    @Test func unknownOrdersAreNotFound() async throws {
        try await withClient { _, client in
            for id in [
                "00000000-0000-7000-8000-000000000000", "x", "..", "%00", "%2e%2e%2f",
                "0192F3C4-0000-7000-8000-000000000001",
                "1%20OR%201=1",
            ] {
                for path in ["", "/timeline", "/events"] {
                    let response = try await client.get("/v1/orders/" + id + path)
                    #expect(response.status == .notFound, "\(id)\(path)")
                }
                #expect(try await client.send(.post, "/v1/orders/" + id + "/cancel").status == .notFound)
            }
        }
    }

    @Test func pagesHoldEveryOrderOnce() async throws {
        try await withClient { world, client in
            var ids: [String] = []
            for _ in 0..<7 { ids.append(try await world.place().text) }
            let rejected = try OrderWorld.some(OrderID(ids[3]))
            try await world.reply(StockRefused(orderID: rejected, reason: "out-of-stock"), about: rejected)
            var seen: [String] = []
            var path = "/v1/orders?limit=3"
            for _ in 0..<10 {
                let page = try await client.get(path).json()
                seen += (page["orders"]?.arrayValue ?? []).compactMap { $0["id"]?.stringValue }
                guard let next = page["next"]?.stringValue else { break }
                path = "/v1/orders?limit=3&cursor=" + next
            }
            #expect(seen == ids.reversed())
            let filtered = try await client.get("/v1/orders?status=rejected").json()
            #expect(filtered["orders"]?.arrayValue?.count == 1 && filtered["orders"]?[0]?["reason"] == "out-of-stock")
            #expect(filtered["next"] == nil)
            for query in [
                "limit=0", "limit=101", "limit=1e1", "limit=-1", "limit=", "status=Rejected", "status=", "cursor=x",
                "page=2",
                "limit=1&limit=2",
            ] {
                let response = try await client.get("/v1/orders?" + query)
                #expect(response.status == .unprocessableContent, "\(query)")
            }
        }
    }

    @Test func cancelling() async throws {
        try await withClient { world, client in
            let id = try await world.place()
            let path = "/v1/orders/\(id.text)/cancel"
            for body in ["{\"reason\":\"x\"}", "[]"] {
                #expect(try await client.send(.post, path, [:], body).status == .unprocessableContent)
            }
            #expect(try await client.send(.post, path, [:], "nonsense").status == .badRequest)
            let first = try await client.send(.post, path, [:], "{}")
            #expect(first.status == .accepted)
            #expect(try first.json()["status"] == "cancelling" && first.json()["reason"] == "customer")
            #expect(try await client.send(.post, path).status == .accepted)
            try await world.reply(StockReleased(orderID: id), about: id)
            let done = try await client.send(.post, path)
            #expect(done.status == .ok)
            #expect(try done.json()["status"] == "cancelled")

            let rejected = try await world.place()
            try await world.reply(StockRefused(orderID: rejected, reason: "out-of-stock"), about: rejected)
            let late = try await client.send(.post, "/v1/orders/\(rejected.text)/cancel")
            #expect(late.status == .conflict)
            #expect(try late.json()["code"] == "order-final")
        }
    }

    @Test func theTimelineTellsEverything() async throws {
        try await withClient { world, client in
            let id = try await world.place()
            try await world.reply(StockReserved(orderID: id), about: id, id: "reply-1")
            try await world.reply(StockReserved(orderID: id), about: id, id: "reply-2")
            let timeline = try await client.get("/v1/orders/\(id.text)/timeline").json()
            let statuses = timeline["history"]?.arrayValue?.compactMap { $0["to"]?.stringValue }
            #expect(statuses == ["placed", "awaitingStock", "awaitingPayment"])
            let inputs = timeline["inputs"]?.arrayValue ?? []
            #expect(inputs.compactMap { $0["input"]?.stringValue } == ["placed", "stock-reserved", "stock-reserved"])
            #expect(inputs.compactMap { $0["disposition"]?.stringValue } == ["applied", "applied", "repeated"])
            #expect(inputs.last?["messageId"] == "reply-2")
            let sent = try await world.sent().first { $0.type == AuthorizePayment.messageType }
            #expect(inputs[1]["sent"]?[0]?["messageId"]?.stringValue == sent?.id)
            #expect(inputs[1]["sent"]?[0]?["command"] == "authorize-payment")
        }
    }

    /// An order that is undone in vain for a day has more than a thousand entries: what matters is how it ends.
    @Test func theTimelineOfALongStoryShowsItsEnd() async throws {
        try await withClient { world, client in
            let id = try await world.place()
            try await world.store.write { tx in
                try tx.db.execute(
                    sql: """
                        WITH RECURSIVE numbers(n) AS (SELECT 2 UNION ALL SELECT n + 1 FROM numbers WHERE n < 1500)
                        INSERT INTO order_inputs(order_id, number, input, disposition, message_id, sent, at)
                        SELECT ?, n, 'deadline-compensation', 'applied', NULL, '', 0 FROM numbers
                        """,
                    arguments: [id.text]
                )
            }
            let timeline = try await client.get("/v1/orders/\(id.text)/timeline").json()
            let numbers = timeline["inputs"]?.arrayValue?.compactMap { $0["number"]?.integerValue } ?? []
            #expect(numbers == Array(Int64(501)...1500))
        }
    }

    @Test func whatCannotBeStoredNowMayBeTriedAgain() async throws {
        try await withClient { world, client in
            world.store.abandon(Failure(.retryable, code: "store-full", "The disk is full."))
            let refused = try await client.place(Self.good, key: "k1")
            #expect(refused.status == .serviceUnavailable)
            #expect(refused.headers[.retryAfter] == "1")
            #expect(refused.headers[.contentType] == "application/problem+json")
            #expect(try refused.json()["code"] == "store-full")
            #expect(!refused.text.contains("disk"), "what failed is for the log")
        }
    }

    /// No card can be charged nothing: it would be accepted, and cancelled in the end.
    @Test func anOrderThatCostsNothingIsRefused() async throws {
        try await withClient { world, client in
            try await world.put("FREE", 0, .eur)
            let refused = try await client.place(Self.lines(["FREE"]), key: "k1")
            #expect(refused.status == .unprocessableContent)
            #expect(try refused.json()["code"] == "nothing-to-pay")
            #expect(try refused.json()["fields"]?[0]?["path"] == "lines")
            try await expectNothing(world)
            let accepted = try await client.place(Self.lines(["FREE", "MUG"]), key: "k1")
            #expect(accepted.status == .accepted)
            #expect(try accepted.json()["total"]?["minorUnits"] == 1250)
        }
    }

    @Test(.timeLimit(.minutes(1))) func followingAnOrder() async throws {
        try await withClient { world, client in
            let id = try await world.place()
            let path = "/v1/orders/\(id.text)/events"
            async let whole = client.get(path)
            #expect(
                await eventually {
                    String(decoding: world.registry.render(), as: UTF8.self).contains("waybill_order_watchers 1")
                }
            )
            try await world.reply(StockReserved(orderID: id), about: id)
            try await world.reply(PaymentDeclined(orderID: id, reason: "card-declined"), about: id)
            try await world.reply(StockReleased(orderID: id), about: id)
            let response = try await whole
            #expect(response.status == .ok)
            #expect(response.headers[.contentType] == "text/event-stream")
            var parser = ServerSentEventParser()
            let events = try parser.feed(Array(response.text.utf8))
            #expect(events.map(\.id) == ["1", "2", "3", "4", "5"])
            #expect(events.allSatisfy { $0.event == "status" })
            let last = try StrictJSON.parse(Array(try OrderWorld.some(events.last).data.utf8))
            #expect(last["status"] == "cancelled" && last["reason"] == "card-declined")

            // Coming back: only what is new; nothing new after the end.
            let resumed = try await client.send(.get, path, [Self.lastEventID: "3"])
            var second = ServerSentEventParser()
            #expect(try second.feed(Array(resumed.text.utf8)).map(\.id) == ["4", "5"])
            #expect(try await client.send(.get, path, [Self.lastEventID: "5"]).status == .noContent)
            for bad in ["x", "-1", "1e3", String(repeating: "9", count: 19)] {
                #expect(try await client.send(.get, path, [Self.lastEventID: bad]).status == .badRequest)
            }
            #expect(
                await eventually {
                    String(decoding: world.registry.render(), as: UTF8.self).contains("waybill_order_watchers 0")
                }
            )
        }
    }

    @Test func theDescriptionIsThatOfTheRoutes() async throws {
        try await withClient { world, client in
            let served = try await client.get("/openapi.json")
            #expect(served.status == .ok)
            let document = try served.json()
            #expect(document["openapi"] == "3.1.0")

            var described: Set<String> = []
            for path in document["paths"]?.objectValue?.members ?? [] {
                for method in path.value.objectValue?.members ?? [] {
                    described.insert(method.key.uppercased() + " " + path.key)
                }
            }
            let router = Router(context: APIContext.self)
            OrderRoutes(world.parts).add(to: router)
            let routes = Set(router.routes.map { $0.method.rawValue + " " + $0.path.description })
            #expect(described == routes)

            let placed = try await client.place(Self.good, key: "contract").json()
            let schema = document["components"]?["schemas"]?["Order"]
            let names = Set((schema?["properties"]?.objectValue?.members ?? []).map(\.key))
            let required = Set((schema?["required"]?.arrayValue ?? []).compactMap(\.stringValue))
            let given = Set((placed.objectValue?.members ?? []).map(\.key))
            #expect(given.isSubset(of: names) && required.isSubset(of: given))
            let statuses = document["components"]?["schemas"]?["OrderStatus"]?["enum"]?.arrayValue?.compactMap(
                \.stringValue
            )
            #expect(statuses == OrderStatus.allCases.map(\.rawValue))
        }
    }

    // MARK: Helpers

    private static let replay = HTTPField.Name("Idempotent-Replay") ?? .accept
    fileprivate static let key = HTTPField.Name("Idempotency-Key") ?? .accept
    private static let lastEventID = HTTPField.Name("Last-Event-ID") ?? .accept

    private static func lines(_ skus: [String]) -> String {
        let lines = skus.map { "{\"sku\":\"\($0)\",\"quantity\":1}" }.joined(separator: ",")
        return "{\"customer\":\"ann\",\"card\":\"tok_visa\",\"lines\":[\(lines)]}"
    }

    private func expectNothing(_ world: OrderWorld) async throws {
        for table in ["orders", "order_lines", "order_history", "order_inputs", "idempotency_keys", "outbox"] {
            #expect(try await world.count("SELECT count(*) FROM \(table)") == 0)
        }
    }

    private func withClient(_ body: @Sendable @escaping (OrderWorld, Client) async throws -> Void) async throws {
        let world = try await OrderWorld.stocked()
        let router = Router(context: APIContext.self)
        OrderRoutes(world.parts).add(to: router)
        try await Application(router: router).test(.router) { client in
            try await body(world, Client(client: client))
        }
    }
}

/// Requests in one line.
struct Client: Sendable {
    let client: any TestClientProtocol

    func get(_ path: String) async throws -> Answer {
        try await send(.get, path)
    }

    func place(_ body: String, key: String) async throws -> Answer {
        var headers: HTTPFields = [.contentType: "application/json"]
        headers[OrderAPITests.key] = key
        return try await send(.post, "/v1/orders", headers, body)
    }

    func send(
        _ method: HTTPRequest.Method,
        _ path: String,
        _ headers: HTTPFields = [:],
        _ body: String? = nil
    ) async throws -> Answer {
        try await client.execute(
            uri: path,
            method: method,
            headers: headers,
            body: body.map { ByteBuffer(string: $0) }
        ) { response in
            Answer(status: response.status, headers: response.headers, text: String(buffer: response.body))
        }
    }
}

/// A response.
struct Answer: Sendable {
    let status: HTTPResponse.Status
    let headers: HTTPFields
    let text: String

    func json() throws -> JSONValue {
        try StrictJSON.parse(Array(text.utf8))
    }
}
