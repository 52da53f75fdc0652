import HTTPKit
import HTTPTypes
import Hummingbird
import NIOCore
import StrictJSON
import Telemetry
import Testing

@Suite("Listener", .timeLimit(.minutes(2)))
struct ServerTests {
    struct Line: Codable, Sendable {
        var sku: String
        var quantity: Int
    }

    struct Order: Codable, Sendable {
        var lines: [Line]
        var note: String?
    }

    static func routes(_ router: Router<APIContext>) {
        router.post("/orders") { request, _ in
            try JSONResponse.make(try await JSONRequest.read(Order.self, from: request, upTo: 1000), status: .accepted)
        }
        router.post("/decode") { request, context in
            try JSONResponse.make(try await request.decode(as: Order.self, context: context))
        }
        router.get("/orders/:id") { _, context in
            JSONResponse.make([
                "id": .string(context.parameters.get("id") ?? ""),
                "trace": .string(TraceContext.current?.traceparent ?? ""),
                "request": .string(context.requestID),
            ])
        }
        router.post("/ignore") { _, _ in try JSONResponse.make(["ok": true]) }
        router.get("/crash") { _, _ -> Response in
            struct Secret: Error {}
            throw Secret()
        }
        router.get("/teapot") { _, _ -> Response in throw HTTPError(.conflict) }
        router.get("/problem") { _, _ -> Response in
            throw Problem.unprocessable("odd", "Quite odd.", fields: [.init(path: "a[0]", code: "odd", detail: "Odd.")])
        }
    }

    private func post(
        _ sender: HTTPSender,
        _ url: String,
        _ body: String,
        type: String? = "application/json",
        extra: [(String, String)] = []
    ) async throws -> HTTPReply {
        let headers = extra + (type.map { [("content-type", $0)] } ?? [])
        return try await sender.send("POST", url: url, headers: headers, body: Array(body.utf8)).get()
    }

    @Test("bodies: the right status, code and path for each kind of wrong")
    func bodies() async throws {
        let good = #"{"lines":[{"sku":"A","quantity":1}]}"#
        try await withServer(routes: Self.routes) { base, _, sender in
            for path in ["/orders", "/decode"] {
                let reply = try await post(sender, base + path, good)
                #expect(reply.status == (path == "/orders" ? 202 : 200))
                #expect(String(decoding: reply.body, as: UTF8.self) == #"{"lines":[{"quantity":1,"sku":"A"}]}"#)
                #expect(reply.header("content-type") == "application/json")
                let cases: [(String, Int, String, String)] = [
                    ("", 400, "malformed-json", ""), ("{", 400, "malformed-json", ""),
                    ("nope", 400, "malformed-json", ""),
                    (#"{"lines":[{"sku":"A","quantity":1.5}]}"#, 422, "not-an-integer", "lines[0].quantity"),
                    (#"{"lines":[{"sku":"A","quantity":1e2}]}"#, 422, "not-an-integer", "lines[0].quantity"),
                    (
                        #"{"lines":[{"sku":"A","quantity":1000000000000000000000}]}"#, 422, "integer-out-of-range",
                        "lines[0].quantity"
                    ),
                    (#"{"lines":[{"sku":"A","quantity":1,"price":3}]}"#, 422, "unknown-field", "lines[0].price"),
                    (#"{"lines":[],"lines":[]}"#, 422, "duplicate-key", "lines"),
                    (#"{"lines":null}"#, 422, "unexpected-null", "lines"),
                    (#"{}"#, 422, "missing-field", "lines"), (#"[]"#, 422, "wrong-type", ""),
                    (#"{"lines":[],"note":"a\u0000"}"#, 422, "nul-character", "note"),
                    (#"{"lines":[],"note":"a\u202eb"}"#, 422, "forbidden-character", "note"),
                ]
                for (body, status, code, place) in cases {
                    let reply = try await post(sender, base + path, body)
                    #expect(reply.status == status, "\(body)")
                    #expect(reply.json["code"]?.stringValue == code, "\(body)")
                    #expect(reply.json["fields"]?[0]?["path"]?.stringValue == place, "\(body)")
                    #expect(reply.json["type"]?.stringValue == "/problems/" + code)
                    #expect(reply.json["status"]?.integerValue == Int64(status))
                    #expect(reply.header("content-type") == Problem.contentType)
                }
            }
            let utf16 = try await sender.send(
                "POST",
                url: base + "/orders",
                headers: [("content-type", "application/json")],
                body: [0xFF, 0xFE, 0x7B, 0, 0x7D, 0]
            ).get()
            #expect(utf16.status == 400)
        }
    }

    @Test("content types")
    func contentTypes() async throws {
        let good = #"{"lines":[]}"#
        try await withServer(routes: Self.routes) { base, _, sender in
            for type in [
                "application/json", "Application/JSON; charset=UTF-8", "application/merge-patch+json",
                "application/json;charset=\"utf-8\"",
            ] {
                #expect(try await post(sender, base + "/orders", good, type: type).status == 202, "\(type)")
            }
            for type in [
                nil, "text/plain", "application/json; charset=utf-16", "application/+json", "application/jsonx", "json",
            ] {
                let reply = try await post(sender, base + "/orders", good, type: type)
                #expect(reply.status == 415, "\(type ?? "none")")
                #expect(reply.json["code"] == "unsupported-media-type")
            }
            #expect(try await post(sender, base + "/orders", good, extra: [("content-encoding", "gzip")]).status == 415)
        }
    }

    @Test("every error is a problem document: 404, 405, 409, 422, 500, HEAD without body")
    func errors() async throws {
        try await withServer(routes: Self.routes) { base, _, sender in
            let cases: [(String, String, Int, String)] = [
                ("GET", "/nowhere", 404, "not-found"), ("GET", "/", 404, "not-found"),
                ("DELETE", "/orders", 405, "method-not-allowed"),
                ("PUT", "/orders/17", 405, "method-not-allowed"), ("GET", "/crash", 500, "internal-error"),
                ("GET", "/teapot", 409, "conflict"),
                ("GET", "/problem", 422, "odd"), ("GET", "/orders/../../etc/passwd", 404, "not-found"),
                ("GET", "/" + String(repeating: "a", count: 9000), 414, "uri-too-long"),
            ]
            for (method, path, status, code) in cases {
                let reply = try await sender.send(method, url: base + path).get()
                #expect(reply.status == status, "\(method) \(path.prefix(40))")
                #expect(reply.json["code"]?.stringValue == code, "\(method) \(path.prefix(40))")
                #expect(reply.header("content-type") == Problem.contentType)
                #expect(reply.json["instance"]?.stringValue == reply.header("x-request-id"))
                #expect(!String(decoding: reply.body, as: UTF8.self).contains("Secret"))
            }
            #expect(try await sender.send("DELETE", url: base + "/orders").get().header("allow") == "POST")
            let head = try await sender.send("HEAD", url: base + "/nowhere").get()
            #expect(head.status == 404 && head.body.isEmpty)
        }
    }

    @Test("request ids and traces come in, go out and are refused when they are odd")
    func identity() async throws {
        try await withServer(routes: Self.routes) { base, _, sender in
            let parent = TraceContext.root()
            let reply = try await sender.send(
                "GET",
                url: base + "/orders/o1",
                headers: [("x-request-id", "client-1.a_b"), ("traceparent", parent.traceparent)]
            ).get()
            #expect(reply.json["request"] == "client-1.a_b")
            #expect(reply.header("x-request-id") == "client-1.a_b")
            let seen = try #require(TraceContext(traceparent: reply.json["trace"]?.stringValue ?? ""))
            #expect(seen.traceID == parent.traceID)
            #expect(seen.spanID != parent.spanID)
            #expect(reply.header("traceparent") == seen.traceparent)
            for id in ["", "a b", "é", String(repeating: "x", count: 65)] {
                let other = try await sender.send("GET", url: base + "/orders/o1", headers: [("x-request-id", id)])
                    .get()
                #expect(other.header("x-request-id")?.hasPrefix("req-") == true)
            }
            // Our own client hands the task's trace on by itself.
            let own = try await TraceContext.$current.withValue(parent) {
                try await sender.send("GET", url: base + "/orders/o1").get()
            }
            #expect(own.json["trace"]?.stringValue?.contains(parent.traceID.description) == true)
        }
    }

    @Test("security headers are on good and bad answers, and nothing tells what runs here")
    func securityHeaders() async throws {
        try await withServer(routes: Self.routes) { base, _, sender in
            for path in ["/orders/1", "/nowhere", "/crash"] {
                let reply = try await sender.send("GET", url: base + path).get()
                #expect(reply.header("x-content-type-options") == "nosniff")
                #expect(reply.header("cache-control") == "no-store")
                #expect(reply.header("content-security-policy")?.contains("default-src 'none'") == true)
                #expect(reply.header("x-frame-options") == "DENY")
                #expect(reply.header("server") == nil)
                #expect(reply.header("access-control-allow-origin") == nil)
            }
        }
    }

    @Test("metrics carry the matched route, never the path")
    func metrics() async throws {
        let registry = PrometheusRegistry()
        try await withServer(registry: registry, routes: Self.routes) { base, _, sender in
            for index in 0..<20 { _ = await sender.send("GET", url: base + "/orders/\(index)") }
            for index in 0..<20 { _ = await sender.send("GET", url: base + "/random-\(index)") }
            _ = await sender.send("BREW", url: base + "/orders/1")
        }
        let text = String(decoding: registry.render(), as: UTF8.self)
        #expect(
            text.contains(
                #"http_server_request_duration_seconds_count{listener="test",method="GET",route="/orders/{id}",status="200"} 20"#
            )
        )
        #expect(text.contains(#"_count{listener="test",method="GET",route="unmatched",status="404"} 20"#))
        #expect(!text.contains("random-"))
        #expect(!text.contains("BREW"))
        #expect(text.contains("http_server_active_requests{listener=\"test\"} 0"))
    }

    @Test("health and metrics routes")
    func health() async throws {
        let board = ReadinessBoard(["database", "broker"])
        let registry = PrometheusRegistry()
        registry.counter("x_total").increment()
        try await withServer(routes: { $0.addHealthRoutes(board: board, registry: registry, about: ["service": "s"]) })
        { base, _, sender in
            let live = try await sender.send("GET", url: base + "/health/live").get()
            #expect(live.status == 200 && live.json == ["service": "s", "status": "live"])
            board.ready("database")
            board.notReady("broker", "connection refused")
            let waiting = try await sender.send("GET", url: base + "/health/ready").get()
            #expect(waiting.status == 503)
            #expect(
                waiting.json["dependencies"]?[1] == ["name": "broker", "ready": false, "reason": "connection refused"]
            )
            // Not an error to be dressed up: the document stays as it is.
            #expect(waiting.json["status"] == "not-ready")
            board.ready("broker")
            #expect(try await sender.send("GET", url: base + "/health/ready").get().status == 200)
            board.stopping()
            #expect(try await sender.send("GET", url: base + "/health/ready").get().json["status"] == "stopping")
            let metrics = try await sender.send("GET", url: base + "/metrics").get()
            #expect(metrics.header("content-type") == PrometheusRegistry.contentType)
            #expect(String(decoding: metrics.body, as: UTF8.self).contains("x_total 1\n"))
        }
    }

    @Test("a busy port is one clear sentence, or is waited for")
    func busyPort() async throws {
        try await withServer(routes: Self.routes) { _, port, sender in
            let router = Router(context: APIContext.self)
            Self.routes(router)
            let quiet = quietLogger
            let refused = makeListener(
                name: "second",
                port: port,
                router: router,
                registry: PrometheusRegistry(),
                logger: quiet
            )
            let error = await #expect(throws: ListenerError.self) { try await refused.run() }
            #expect(
                error?.description
                    == "Port \(port) on 127.0.0.1 is in use by another program, so the listener second cannot start."
            )
            await #expect(throws: ListenerError.self) { try await refused.boundPort() }
        }
    }

    @Test("a standby takes the port over when the active one lets it go")
    func takeover() async throws {
        let quiet = quietLogger
        func listener(_ name: String, _ port: Int, waits: Bool) -> HTTPListener {
            let router = Router(context: APIContext.self)
            router.get("/who") { _, _ in JSONResponse.make(["name": .string(name)]) }
            return makeListener(
                name: name,
                port: port,
                router: router,
                options: .with { $0.waitsForPort = waits },
                registry: PrometheusRegistry(),
                logger: quiet
            )
        }
        let first = listener("first", 0, waits: false)
        let sender = HTTPSender()
        try await withThrowingTaskGroup(of: Void.self) { group in
            let active = Task { try await first.run() }
            let port = try await first.boundPort()
            let second = listener("second", port, waits: true)
            group.addTask { try await second.run() }
            #expect(try await sender.send("GET", url: "http://127.0.0.1:\(port)/who").get().json["name"] == "first")
            active.cancel()
            _ = await active.result
            // A client of its own: the other one may still hold a connection to the first listener.
            let fresh = HTTPSender()
            #expect(try await second.boundPort() == port)
            #expect(try await fresh.send("GET", url: "http://127.0.0.1:\(port)/who").get().json["name"] == "second")
            await fresh.shutdown()
            group.cancelAll()
        }
        await sender.shutdown()
    }
}
