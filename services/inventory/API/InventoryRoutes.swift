import Commerce
public import DurableStore
public import HTTPKit
import HTTPTypes
public import Hummingbird
import InventoryCore
import Messaging
import StrictJSON
import Telemetry

/// Stock and catalogue over HTTP: everyone may read, operators may set.
public struct InventoryRoutes: Sendable {
    private let store: DurableStore
    private let commands = CatalogCommands()

    /// The most articles on one page.
    static let maximumPage = 100

    /// Makes the routes.
    public init(store: DurableStore) {
        self.store = store
    }

    /// Adds `GET /v1/stock`, `GET /v1/stock/{sku}` and `GET /v1/catalog`.
    public func addPublic(to router: Router<APIContext>) {
        router.get("/v1/stock") { request, _ in
            try await page(request) { article in
                .object([
                    "sku": .string(article.sku.text), "onHand": .integer(Int64(article.level.onHand)),
                    "reserved": .integer(Int64(article.level.reserved)),
                    "available": .integer(Int64(article.level.available)),
                ])
            }
        }
        router.get("/v1/stock/{sku}") { _, context in
            let sku = try sku(context)
            guard let article = try await store.read({ db in try CatalogStore(db: db).article(sku) }) else {
                throw unknown(sku)
            }
            return level(sku, onHand: article.level.onHand, reserved: article.level.reserved)
        }
        router.get("/v1/catalog") { request, _ in
            try await page(request) { article in
                .object([
                    "sku": .string(article.sku.text), "name": .string(article.name), "active": .bool(article.active),
                    "price": .object([
                        "minorUnits": .integer(article.price.minorUnits),
                        "currency": .string(article.price.currency.rawValue),
                        "text": .string(article.price.description),
                    ]),
                ])
            }
        }
    }

    /// Adds `GET /operator/reservations/held`, `PUT /operator/catalog/{sku}` and `PUT /operator/stock/{sku}`.
    public func addOperator(to router: Router<APIContext>) {
        router.get("/operator/reservations/held") { request, _ in
            let limit = request.uri.queryParameters["limit"].map { Int($0) } ?? Self.maximumPage
            guard let limit, (1...Self.maximumPage).contains(limit) else {
                throw Problem.badRequest("limit-invalid", "The limit is a whole number from 1 to \(Self.maximumPage).")
            }
            let now = store.clock.now()
            let held = try await store.read { db in try ReservationStore(db: db).held(limit: limit) }
            return JSONResponse.make(
                .object([
                    "items": .array(
                        held.map { order, since in
                            .object([
                                "orderID": .string(order), "heldSince": .string(since.description),
                                "heldMs": .integer(now.milliseconds(since: since)),
                            ])
                        }
                    )
                ])
            )
        }
        router.put("/operator/catalog/{sku}") { request, context in
            guard let sku = context.parameters.get("sku").flatMap({ SKU($0) }) else {
                throw invalid("sku", "An article's number \(SKU.rule).")
            }
            let body = try await JSONRequest.read(ArticleBody.self, from: request)
            guard (1...200).contains(body.name.unicodeScalars.count) else {
                throw invalid("name", "A name has 1 to 200 characters.")
            }
            guard (0...Money.maximumMinorUnits).contains(body.price.minorUnits) else {
                throw invalid("price.minorUnits", "A price is between 0 and \(Money.maximumMinorUnits) minor units.")
            }
            let item = CatalogItemPut(sku: sku, name: body.name, price: body.price, active: body.active ?? true)
            let trace = context.trace.traceparent
            try await store.write { tx in try commands.put(item, traceparent: trace, in: tx) }
            return JSONResponse.make(
                .object([
                    "sku": .string(sku.text), "name": .string(item.name), "price": .string(item.price.description),
                ])
            )
        }
        router.put("/operator/stock/{sku}") { request, context in
            let sku = try sku(context)
            let body = try await JSONRequest.read(StockBody.self, from: request)
            guard (0...StockLevel.maximum).contains(body.onHand) else {
                throw invalid("onHand", "A stock is between 0 and \(StockLevel.maximum) pieces.")
            }
            let trace = context.trace.traceparent
            let outcome = try await store.write { tx in
                try commands.setStock(sku, onHand: body.onHand, traceparent: trace, in: tx)
            }
            switch outcome {
            case .done(let onHand, let reserved):
                return level(sku, onHand: onHand, reserved: reserved)
            case .unknownArticle:
                throw unknown(sku)
            case .belowReserved(let reserved):
                throw Problem.conflict(
                    "below-reserved",
                    "\(reserved) pieces of \(sku) are set aside for orders; the stock cannot be lower."
                )
            }
        }
    }

    private struct ArticleBody: Decodable, Sendable {
        let name: String
        let price: Money
        let active: Bool?
    }

    private struct StockBody: Decodable, Sendable {
        let onHand: Int
    }

    private func page(
        _ request: Request,
        _ render: @escaping @Sendable (CatalogStore.Article) -> JSONValue
    ) async throws -> Response {
        let cursor = request.uri.queryParameters["cursor"].map(String.init) ?? ""
        guard cursor.isEmpty || SKU(cursor) != nil else {
            throw Problem.badRequest("cursor-invalid", "The cursor is the “next” of the page before.")
        }
        let limit = request.uri.queryParameters["limit"].map { Int($0) } ?? Self.maximumPage
        guard let limit, (1...Self.maximumPage).contains(limit) else {
            throw Problem.badRequest("limit-invalid", "The limit is a whole number from 1 to \(Self.maximumPage).")
        }
        let articles = try await store.read { db in
            try CatalogStore(db: db).articles(after: cursor, limit: limit + 1)
        }
        let next = articles.count > limit ? articles[limit - 1].sku.text : nil
        return JSONResponse.make(
            .object([
                "items": .array(articles.prefix(limit).map(render)), "next": next.map(JSONValue.string) ?? .null,
            ])
        )
    }

    private func sku(_ context: APIContext) throws(Problem) -> SKU {
        guard let text = context.parameters.get("sku"), let sku = SKU(text) else {
            throw Problem.notFound("There is no such article.", code: "unknown-sku")
        }
        return sku
    }

    private func level(_ sku: SKU, onHand: Int, reserved: Int) -> Response {
        JSONResponse.make(
            .object([
                "sku": .string(sku.text), "onHand": .integer(Int64(onHand)), "reserved": .integer(Int64(reserved)),
                "available": .integer(Int64(onHand - reserved)),
            ])
        )
    }

    private func unknown(_ sku: SKU) -> Problem {
        Problem.notFound("There is no article \(sku).", code: "unknown-sku")
    }

    private func invalid(_ path: String, _ detail: String) -> Problem {
        Problem.unprocessable(
            "invalid-value",
            detail,
            fields: [Problem.Field(path: path, code: "invalid-value", detail: detail)]
        )
    }
}
