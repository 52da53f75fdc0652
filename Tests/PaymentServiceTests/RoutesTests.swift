import Commerce
import HTTPKit
import HTTPTypes
import Hummingbird
import HummingbirdTesting
import KitTestSupport
import NIOCore
import StrictJSON
import Testing

@testable import PaymentService

@Suite struct OperatorRoutesTests {
    @Test func openMovesOfMoneyAreListedLongestFirst() async throws {
        let harness = try Harness()
        try await harness.authorize(orderID(1))
        try await harness.pass(.seconds(1))
        harness.gateway.setDown(true)
        try await harness.authorize(orderID(2))
        // Put off again and again, so that the older one is due after the younger one.
        try await harness.pass(.seconds(2))
        try await harness.authorize(orderID(3))
        let queries = PaymentQueries(store: harness.store)
        let open = try await queries.openIntents(limit: 10)["intents"]?.arrayValue ?? []
        #expect(open.map { $0["orderID"]?.stringValue } == [orderID(2).text, orderID(3).text])
        #expect(open.map { $0["state"]?.stringValue } == ["prepared", "calling"])
        let first = try await queries.openIntents(limit: 1)["intents"]?.arrayValue ?? []
        #expect(first.map { $0["orderID"]?.stringValue } == [orderID(2).text])
    }

    @Test func whatOperatorsSee() async throws {
        let harness = try Harness()
        try await harness.authorize(orderID(1))
        try await harness.authorize(orderID(2), card: "tok_declined")
        try await harness.pass(.seconds(1))
        try await harness.capture(orderID(1))
        try await harness.pass(.seconds(1))
        let router = Router(context: APIContext.self)
        OperatorRoutes(queries: PaymentQueries(store: harness.store)).add(to: router)
        try await Application(router: router).test(.router) { client in
            func get(_ path: String) async throws -> (HTTPResponse.Status, JSONValue?) {
                let response = try await client.executeRequest(uri: path, method: .get, headers: [:], body: nil)
                return (response.status, try? StrictJSON.parse(Array(response.body.readableBytesView)))
            }
            let (status, payment) = try await get("/operator/payments/\(orderID(1).text)")
            #expect(status == .ok)
            #expect(payment?["state"] == "captured")
            #expect(payment?["history"]?.arrayValue?.count == 2)
            #expect(payment?["intents"]?.arrayValue?.count == 2)
            #expect(payment?["ledger"]?.arrayValue?.count == 2)
            #expect(try await get("/operator/payments/\(orderID(9).text)").0 == .notFound)
            #expect(try await get("/operator/payments/nonsense").0 == .notFound)
            #expect(try await get("/operator/payments").1?["payments"]?.arrayValue?.count == 2)
            #expect(try await get("/operator/payments?state=declined").1?["payments"]?.arrayValue?.count == 1)
            #expect(try await get("/operator/payments?limit=1").1?["payments"]?.arrayValue?.count == 1)
            #expect(try await get("/operator/payments?state=x").0 == .unprocessableContent)
            for limit in ["0", "-1", "501", "x"] {
                #expect(try await get("/operator/payments?limit=\(limit)").0 == .unprocessableContent)
            }
        }
    }
}
