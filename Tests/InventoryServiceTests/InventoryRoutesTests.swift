import Commerce
import DurableStore
import HTTPKit
import HTTPTypes
import Hummingbird
import HummingbirdTesting
import KitTestSupport
import Messaging
import NIOCore
import StrictJSON
import Testing

@testable import InventoryService

@Suite struct InventoryRoutesTests {
    private struct Answer: Sendable {
        let status: HTTPResponse.Status
        let json: JSONValue?
    }

    private struct Client: Sendable {
        let client: any TestClientProtocol

        func send(_ method: HTTPRequest.Method, _ path: String, _ body: String? = nil) async throws -> Answer {
            try await client.execute(
                uri: path,
                method: method,
                headers: body == nil ? [:] : [.contentType: "application/json"],
                body: body.map { ByteBuffer(string: $0) }
            ) { response in
                Answer(status: response.status, json: try? StrictJSON.parse(Array(response.body.readableBytesView)))
            }
        }

        func get(_ path: String) async throws -> Answer { try await send(.get, path) }

        func put(_ path: String, _ body: String) async throws -> Answer { try await send(.put, path, body) }
    }

    private func withClient(
        _ world: InventoryWorld,
        _ body: @Sendable @escaping (Client) async throws -> Void
    ) async throws {
        let router = Router(context: APIContext.self)
        let routes = InventoryRoutes(store: world.store)
        routes.addPublic(to: router)
        routes.addOperator(to: router)
        try await Application(router: router).test(.router) { client in try await body(Client(client: client)) }
    }

    @Test func stockAndCatalogueAreShown() async throws {
        let world = try await InventoryWorld.stocked()
        try await world.reserve(orderID(1), [item("MUG", 3)])
        try await withClient(world) { client in
            let one = try await client.get("/v1/stock/MUG")
            #expect(one.status == .ok)
            #expect(one.json == ["available": 7, "onHand": 10, "reserved": 3, "sku": "MUG"])
            let all = try await client.get("/v1/stock")
            #expect(all.json?["items"]?.arrayValue?.count == 2)
            #expect(all.json?["items"]?[0]?["available"] == 7)
            #expect(all.json?["next"] == .null)
            let catalog = try await client.get("/v1/catalog")
            #expect(catalog.json?["items"]?[1]?["sku"] == "TEE")
            #expect(catalog.json?["items"]?[1]?["price"]?["minorUnits"] == 1250)
            #expect(catalog.json?["items"]?[1]?["active"] == true)
        }
    }

    @Test(arguments: [(FailureClass.retryable, 503), (.interrupted, 503), (.fatal, 500)])
    func whatCannotBeStoredNowMayBeTriedAgain(_ failureClass: FailureClass, status: Int) async throws {
        let world = try await InventoryWorld.stocked()
        world.store.abandon(Failure(failureClass, code: "store-test", "The disk is full."))
        try await withClient(world) { client in
            let article = #"{"name":"Mug","price":{"minorUnits":1250,"currency":"EUR"}}"#
            for (path, body) in [("/operator/catalog/MUG", article), ("/operator/stock/MUG", #"{"onHand":5}"#)] {
                let answer = try await client.put(path, body)
                let code: JSONValue? = status == 503 ? "store-test" : nil
                #expect(answer.status.code == status)
                #expect(answer.json?["code"] == code)
            }
        }
    }

    @Test func pagesHoldEveryArticleOnce() async throws {
        let names = (10..<35).map { "SKU-\($0)" }
        let world = try await InventoryWorld.stocked(names.map { ($0, 1) })
        try await withClient(world) { client in
            for route in ["/v1/stock", "/v1/catalog"] {
                for limit in [1, 7, 25, 26, 100] {
                    var seen: [String] = []
                    var cursor = ""
                    var pages = 0
                    repeat {
                        let page = try await client.get("\(route)?limit=\(limit)&cursor=\(cursor)")
                        #expect(page.status == .ok)
                        let items = try #require(page.json?["items"]?.arrayValue)
                        #expect(items.count <= limit)
                        seen += items.compactMap { $0["sku"]?.stringValue }
                        cursor = page.json?["next"]?.stringValue ?? ""
                        pages += 1
                    } while !cursor.isEmpty && pages < 100
                    #expect(seen == names, "limit \(limit)")
                }
            }
        }
    }

    @Test func badQuestionsAreRefused() async throws {
        let world = try await InventoryWorld.stocked()
        try await withClient(world) { client in
            for limit in ["0", "-1", "101", "x", "", "1.5", "99999999999999999999"] {
                let answer = try await client.get("/v1/stock?limit=\(limit)")
                #expect(answer.status == .badRequest, "limit \(limit)")
                #expect(answer.json?["code"] == "limit-invalid")
            }
            for cursor in ["lower", "%27%20OR%201", "A%00", String(repeating: "A", count: 33)] {
                let answer = try await client.get("/v1/catalog?cursor=\(cursor)")
                #expect(answer.status == .badRequest, "cursor \(cursor)")
                #expect(answer.json?["code"] == "cursor-invalid")
            }
            for path in ["/v1/stock/NOPE", "/v1/stock/not-a-sku", "/v1/stock/%27"] {
                let answer = try await client.get(path)
                #expect(answer.status == .notFound, "\(path)")
                #expect(answer.json?["code"] == "unknown-sku")
            }
        }
    }

    @Test func operatorsSetStock() async throws {
        let world = try await InventoryWorld.stocked()
        try await world.reserve(orderID(1), [item("MUG", 3)])
        try await withClient(world) { client in
            let more = try await client.put("/operator/stock/MUG", #"{"onHand":20}"#)
            #expect(more.status == .ok)
            #expect(more.json == ["available": 17, "onHand": 20, "reserved": 3, "sku": "MUG"])
            #expect(try await client.put("/operator/stock/MUG", #"{"onHand":3}"#).status == .ok)
            let below = try await client.put("/operator/stock/MUG", #"{"onHand":2}"#)
            #expect(below.status == .conflict)
            #expect(below.json?["code"] == "below-reserved")
            #expect(try await world.level("MUG") == "3/3")
            #expect(try await client.put("/operator/stock/NOPE", #"{"onHand":2}"#).status == .notFound)
            #expect(try await client.put("/operator/stock/nope", #"{"onHand":2}"#).status == .notFound)
            for body in [#"{"onHand":-1}"#, #"{"onHand":1000000001}"#, #"{"onHand":"1"}"#, "{}", #"{"onHand":1.5}"#] {
                #expect(try await client.put("/operator/stock/MUG", body).status == .unprocessableContent, "\(body)")
            }
            #expect(try await client.put("/operator/stock/MUG", "{").status == .badRequest)
        }
        // 10, 20, 3: each change is a movement and an event; what changed nothing is neither.
        #expect(try await world.sent(about: "MUG").filter { $0.target == "inventory" }.map(\.sequence) == [1, 2, 3])
        #expect(try await world.violations().isEmpty)
    }

    @Test func settingTheSameAgainSaysNothing() async throws {
        let world = try await InventoryWorld.stocked()
        let before = try await world.sent(about: "MUG").count
        try await world.put("MUG")
        #expect(try await world.setStock("MUG", 10) == .done(onHand: 10, reserved: 0))
        #expect(try await world.sent(about: "MUG").count == before)
        #expect(try await world.setStock("NOPE", 10) == .unknownArticle)
    }

    @Test func operatorsPutArticles() async throws {
        let world = try InventoryWorld()
        try await withClient(world) { client in
            let body = #"{"name":"Mug","price":{"minorUnits":1250,"currency":"EUR"}}"#
            #expect(try await client.put("/operator/catalog/MUG", body).status == .ok)
            #expect(try await client.put("/operator/catalog/MUG", body).status == .ok)
            let inactive = #"{"name":"Mug","price":{"minorUnits":999,"currency":"EUR"},"active":false}"#
            #expect(try await client.put("/operator/catalog/MUG", inactive).status == .ok)
            let shown = try await client.get("/v1/catalog")
            #expect(shown.json?["items"]?[0]?["active"] == false)
            #expect(try await client.get("/v1/stock/MUG").json?["onHand"] == 0)
            for body in [
                #"{"name":"","price":{"minorUnits":1,"currency":"EUR"}}"#,
                #"{"name":"\#(String(repeating: "é", count: 201))","price":{"minorUnits":1,"currency":"EUR"}}"#,
                #"{"name":"x","price":{"minorUnits":-1,"currency":"EUR"}}"#,
                #"{"name":"x","price":{"minorUnits":1000000000000001,"currency":"EUR"}}"#,
                #"{"name":"x","price":{"minorUnits":1,"currency":"XXX"}}"#, #"{"name":"x"}"#,
                #"{"name":"x","price":{"minorUnits":1,"currency":"EUR"},"more":1}"#,
            ] {
                #expect(try await client.put("/operator/catalog/TEE", body).status == .unprocessableContent, "\(body)")
            }
            let longest =
                #"{"name":"\#(String(repeating: "é", count: 200))","price":{"minorUnits":0,"currency":"EUR"}}"#
            #expect(try await client.put("/operator/catalog/CAP", longest).status == .ok)
            #expect(try await client.put("/operator/catalog/bad", longest).status == .unprocessableContent)
        }
        let events = try await world.sent(about: "MUG")
        #expect(events.map(\.target) == ["catalog", "catalog"])
        #expect(events.map(\.sequence) == [1, 2])
        #expect(try PayloadCodec.decode(CatalogItemPut.self, from: try some(events.last).body).price.minorUnits == 999)
        #expect(try await world.count("SELECT count(*) FROM catalog_items") == 2)
    }
}
