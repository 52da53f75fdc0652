import HTTPKit
import HTTPTypes
import Hummingbird
import HummingbirdTesting
import KitTestSupport
import Messaging
import NIOCore
import StrictJSON
import Testing

@testable import CardGateway

@Suite struct GatewayRoutesTests {
    func withRouter(_ body: @Sendable (any TestClientProtocol) async throws -> Void) async throws {
        let folder = try TemporaryFolder()
        let gateway = try CardGateway(
            configuration: configuration(folder),
            clock: SystemClock(),
            callbacks: NoCallbacks()
        )
        let router = Router(context: APIContext.self)
        GatewayRoutes(gateway: gateway).add(to: router)
        try await Application(router: router).test(.router, body)
        gateway.close()
    }

    func post(
        _ client: any TestClientProtocol,
        _ path: String,
        key: String?,
        _ body: String,
        type: String = "application/json"
    ) async throws -> TestResponse {
        var headers: HTTPFields = [.contentType: type]
        if let key, let name = HTTPField.Name("idempotency-key") { headers[name] = key }
        return try await client.executeRequest(
            uri: path,
            method: .post,
            headers: headers,
            body: ByteBuffer(string: body)
        )
    }

    @Test func operationsOverHTTP() async throws {
        try await withRouter { client in
            let body = #"{"reference":"o1","amount":100,"currency":"EUR","card":"tok_visa"}"#
            let first = try await post(client, "/v1/authorizations", key: "k1", body)
            #expect(first.status == .ok)
            let again = try await post(client, "/v1/authorizations", key: "k1", body)
            #expect(again.body == first.body)
            let capture = try await post(client, "/v1/captures", key: "k2", #"{"authorization":"auth_1"}"#)
            #expect(try StrictJSON.parse(Array(capture.body.readableBytesView))["result"] == "succeeded")
            let refund = try await post(client, "/v1/refunds", key: "k3", #"{"capture":"cap_2"}"#)
            #expect(try StrictJSON.parse(Array(refund.body.readableBytesView))["amount"] == 100)
            let known = try await client.executeRequest(uri: "/v1/operations/k2", method: .get, headers: [:], body: nil)
            #expect(known.body == capture.body)
            let unknown = try await client.executeRequest(
                uri: "/v1/operations/k9",
                method: .get,
                headers: [:],
                body: nil
            )
            #expect(unknown.status == .notFound)
            let ledger = try await client.executeRequest(
                uri: "/v1/ledger?after=1",
                method: .get,
                headers: [:],
                body: nil
            )
            #expect(ledger.body.readableBytesView.split(separator: 0x0A).count == 2)
        }
    }

    @Test func badRequests() async throws {
        let good = #"{"reference":"o1","amount":100,"currency":"EUR","card":"tok_visa"}"#
        try await withRouter { client in
            #expect(try await post(client, "/v1/authorizations", key: nil, good).status == .badRequest)
            #expect(
                try await post(client, "/v1/authorizations", key: String(repeating: "k", count: 129), good).status
                    == .badRequest
            )
            #expect(
                try await post(client, "/v1/authorizations", key: "k", good, type: "text/plain").status
                    == .unsupportedMediaType
            )
            #expect(try await post(client, "/v1/authorizations", key: "k", "{").status == .badRequest)
            for body in [
                #"{"reference":"o1","amount":0,"currency":"EUR","card":"c"}"#,
                #"{"reference":"o1","amount":-1,"currency":"EUR","card":"c"}"#,
                #"{"reference":"o1","amount":1000000000000001,"currency":"EUR","card":"c"}"#,
                #"{"reference":"o1","amount":1.5,"currency":"EUR","card":"c"}"#,
                #"{"reference":"o1","amount":1,"currency":"eur","card":"c"}"#,
                #"{"reference":"o1","amount":1,"currency":"EUR","card":""}"#,
                #"{"reference":"","amount":1,"currency":"EUR","card":"c"}"#,
                #"{"reference":"o1","amount":1,"currency":"EUR","card":"c","more":1}"#,
                #"{"reference":"o1","amount":1,"currency":"EUR"}"#,
            ] {
                #expect(
                    try await post(client, "/v1/authorizations", key: "k", body).status == .unprocessableContent,
                    "\(body)"
                )
            }
            let large = #"{"reference":""# + String(repeating: "x", count: 5000) + #""}"#
            #expect(try await post(client, "/v1/authorizations", key: "k", large).status == .contentTooLarge)
            let ledger = try await client.executeRequest(
                uri: "/v1/ledger?after=x",
                method: .get,
                headers: [:],
                body: nil
            )
            #expect(ledger.status == .unprocessableContent)
        }
    }
}
