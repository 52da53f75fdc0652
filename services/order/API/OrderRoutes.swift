import Commerce
public import HTTPKit
import HTTPTypes
public import Hummingbird
import OrderCore
import StrictJSON
import Telemetry

/// The public API over HTTP: an adapter over the use cases. Described by `order-openapi.json` beside this file, which is built into the
/// program and served as `/openapi.json`.
public struct OrderRoutes: Sendable {
    /// Most bytes of the body of a placement.
    static let bodyLimit = 64 << 10
    /// Most bytes of the body of a request that needs none.
    static let emptyBodyLimit = 1 << 10

    // The literal is a valid name, so the fallback is never taken.
    static let idempotencyKeyField = HTTPField.Name("Idempotency-Key") ?? .ifMatch
    static let idempotentReplayField = HTTPField.Name("Idempotent-Replay") ?? .eTag

    private let parts: OrderParts
    private let events: OrderEventStream

    /// Makes the routes.
    ///
    /// - Parameter keepAlive: how often a quiet stream of events shows that it lives.
    public init(_ parts: OrderParts, keepAlive: Duration = .seconds(15)) {
        self.parts = parts
        events = OrderEventStream(watchOrder: parts.watchOrder, heartbeat: keepAlive)
    }

    /// Adds the routes to the public listener's router.
    public func add(to router: Router<APIContext>) {
        router.post("/v1/orders") { request, context in try await place(request, context) }
        router.get("/v1/orders") { request, _ in try await list(request) }
        router.get("/v1/orders/{id}") { _, context in try await get(context) }
        router.post("/v1/orders/{id}/cancel") { request, context in try await cancel(request, context) }
        router.get("/v1/orders/{id}/timeline") { _, context in try await timeline(context) }
        router.get("/v1/orders/{id}/events") { request, context in
            let id = try Self.orderID(context)
            return try await OrderProblems.translating { try await events.response(of: id, to: request) }
        }
        router.get("/openapi.json") { _, _ in JSONResponse.make(bytes: PackageResources.order_openapi_json) }
    }

    private func place(_ request: Request, _ context: APIContext) async throws -> Response {
        let key = try Self.idempotencyKey(request)
        let placement = try await JSONRequest.read(PlacementRequest.self, from: request, upTo: Self.bodyLimit)
        let answer = try await OrderProblems.translating {
            try await parts.placeOrder(placement, key: key, traceparent: context.trace.traceparent)
        }
        var headers: HTTPFields = [.location: "/v1/orders/" + answer.orderID.text]
        if answer.isReplay { headers[Self.idempotentReplayField] = "true" }
        return JSONResponse.make(bytes: answer.body, status: .accepted, headers: headers)
    }

    private func get(_ context: APIContext) async throws -> Response {
        let id = try Self.orderID(context)
        let order = try await OrderProblems.translating { try await parts.orderStatus(id) }
        return JSONResponse.make(OrderDocument.value(order))
    }

    private func list(_ request: Request) async throws -> Response {
        let query = try OrderListQuery(request)
        let page = try await OrderProblems.translating {
            try await parts.listOrders(status: query.status, before: query.cursor, limit: query.limit)
        }
        var members = [JSONMember("orders", .array(page.orders.map(OrderDocument.value)))]
        if let next = page.next { members.append(JSONMember("next", .string(next.text))) }
        return JSONResponse.make(.object(JSONObject(members)))
    }

    private func cancel(_ request: Request, _ context: APIContext) async throws -> Response {
        let id = try Self.orderID(context)
        let body = try await JSONRequest.body(of: request, upTo: Self.emptyBodyLimit)
        if !body.isEmpty { _ = try JSONRequest.decode(NoFields.self, from: body) }
        let order = try await OrderProblems.translating {
            try await parts.cancelOrder(id, traceparent: context.trace.traceparent)
        }
        return JSONResponse.make(OrderDocument.value(order), status: order.state.status.isTerminal ? .ok : .accepted)
    }

    private func timeline(_ context: APIContext) async throws -> Response {
        let id = try Self.orderID(context)
        let entries = try await OrderProblems.translating { try await parts.timeline(id) }
        return JSONResponse.make(
            .object(
                JSONObject([
                    JSONMember("order", OrderDocument.value(entries.order)),
                    JSONMember("history", .array(entries.history.map(OrderDocument.value))),
                    JSONMember("inputs", .array(entries.journal.map(OrderDocument.value))),
                ])
            )
        )
    }

    /// The order of the path. What is no identifier names no order either.
    static func orderID(_ context: APIContext) throws -> OrderID {
        guard let id = context.parameters.get("id").flatMap({ OrderID($0) }) else {
            throw OrderProblems.problem(.unknownOrder)
        }
        return id
    }

    private static func idempotencyKey(_ request: Request) throws -> IdempotencyKey {
        let values = request.headers[values: idempotencyKeyField]
        guard let value = values.first else {
            throw Problem.badRequest(
                "idempotency-key-missing",
                "A placement needs the header Idempotency-Key, so that it can be repeated safely."
            )
        }
        guard values.count == 1, let key = IdempotencyKey(value) else {
            throw Problem.badRequest(
                "idempotency-key-invalid",
                "There must be one Idempotency-Key of 1 to 255 printable ASCII characters."
            )
        }
        return key
    }
}

/// A body that may be `{}` and nothing else.
private struct NoFields: Decodable {
    private enum Key: CodingKey {}

    init(from decoder: any Decoder) throws {
        _ = try decoder.container(keyedBy: Key.self)
    }
}

/// The query of a list of orders, checked.
struct OrderListQuery {
    private(set) var status: OrderStatus?
    private(set) var cursor: OrderID?
    private(set) var limit = ListOrders.defaultLimit

    init(_ request: Request) throws {
        var seen: Set<String> = []
        for (name, value) in request.uri.queryParameters {
            guard seen.insert(String(name)).inserted else { throw Self.wrong(String(name), "It may appear once only.") }
            switch name {
            case "status":
                guard let status = OrderStatus(rawValue: String(value)) else {
                    let all = OrderStatus.allCases.map(\.rawValue).joined(separator: ", ")
                    throw Self.wrong("status", "It must be one of \(all).")
                }
                self.status = status
            case "cursor":
                guard let cursor = OrderID(String(value)) else {
                    throw Self.wrong("cursor", "It must be the value of next on the page before.")
                }
                self.cursor = cursor
            case "limit":
                guard value.utf8.count <= 3, value.utf8.allSatisfy({ (0x30...0x39).contains($0) }),
                    let limit = Int(value), ListOrders.limits.contains(limit)
                else { throw Self.wrong("limit", "It must be a whole number from 1 to 100.") }
                self.limit = limit
            default:
                throw Self.wrong(String(name.prefix(64)), "There is no such parameter.", code: "unknown-parameter")
            }
        }
    }

    private static func wrong(_ name: String, _ detail: String, code: String = "invalid-parameter") -> Problem {
        Problem.unprocessable(
            code,
            "A parameter of the query is not acceptable. " + detail,
            fields: [Problem.Field(path: name, code: code, detail: detail)]
        )
    }
}
