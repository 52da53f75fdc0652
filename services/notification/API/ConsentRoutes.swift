import HTTPKit
import HTTPTypes
import Hummingbird
import Webhooks

/// `GET` and `POST /v1/webhook-consents/{token}`: where a receiver agrees after it was asked (CloudEvents HTTP webhook 1.0.2, 4.1.2).
///
/// The token, which only the receiver was told, is the permission. A `GET` will do, so that a person can agree with a browser.
/// `webhook-allowed-rate` may name a rate; without it the rate that was asked for is granted.
struct ConsentRoutes: Sendable {
    let handshakes: WebhookHandshakes

    func add(to router: Router<APIContext>) {
        for method in [HTTPRequest.Method.get, .post] {
            router.on("/v1/webhook-consents/{token}", method: method) { request, context in
                guard let token = context.parameters.get("token"), token.utf8.count == 32 else { throw Self.unknown }
                let rate = HTTPField.Name("webhook-allowed-rate").flatMap { request.headers[$0] }
                try await WebhookRoutes.explained { try await handshakes.grant(token: token, rate: rate) }
                return Response(status: .noContent)
            }
        }
    }

    private static let unknown = Problem.notFound("Nobody waits for this consent.", code: "unknown-consent")
}
