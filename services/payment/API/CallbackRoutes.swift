public import HTTPKit
import HTTPTypes
public import Hummingbird
public import Messaging
import StrictJSON

/// `POST /v1/gateway-callbacks`: where the gateway tells what became of operations.
///
/// 204 for everything that is signed and could be dealt with, also when it told nothing new; 401 for anything that is not
/// signed, with no further word; 503 when it could not be stored, so that the gateway tries again.
public struct CallbackRoutes: Sendable {
    /// The largest body, in bytes.
    static let bodyLimit = 16 << 10

    private let callbacks: GatewayCallbacks
    private let verifier: CallbackVerifier
    private let clock: any WallClock
    private let observer: any PaymentObserver

    /// Makes the route.
    public init(
        callbacks: GatewayCallbacks,
        verifier: CallbackVerifier,
        clock: any WallClock,
        observer: any PaymentObserver = NoObserver()
    ) {
        self.callbacks = callbacks
        self.verifier = verifier
        self.clock = clock
        self.observer = observer
    }

    /// Adds the route.
    public func add(to router: Router<APIContext>) {
        router.post("/v1/gateway-callbacks") { request, _ in
            let body = try await JSONRequest.body(of: request, upTo: Self.bodyLimit)
            _ = try await receive(
                id: header("webhook-id", of: request),
                timestamp: header("webhook-timestamp", of: request),
                signatures: header("webhook-signature", of: request),
                body: body
            )
            return Response(status: .noContent)
        }
    }

    /// Takes one callback in, whatever carried it.
    ///
    /// - Throws: a `Problem`: 401 for what is not signed, 422 for what describes no operation, 503 for what cannot be stored.
    package func receive(
        id: String?,
        timestamp: String?,
        signatures: String?,
        body: [UInt8]
    ) async throws -> GatewayCallbacks.Outcome {
        guard let id, let timestamp, let signatures,
            verifier.accepts(id: id, timestamp: timestamp, signatures: signatures, body: body, at: clock.now())
        else {
            observer.calledBack("unsigned")
            throw Problem(
                .unauthorized,
                code: "signature-invalid",
                detail: "The callback is not signed by the gateway."
            )
        }
        guard let document = GatewayDocument((try? StrictJSON.parse(body))?["data"]) else {
            observer.calledBack("unreadable")
            throw Problem.unprocessable("callback-unreadable", "The callback describes no operation.")
        }
        do {
            let outcome = try await callbacks.take(document, webhookID: id)
            observer.calledBack(outcome.rawValue)
            return outcome
        } catch {
            observer.storeFailed(Failure(classifying: error))
            throw Problem.unavailable("store-unavailable", "The callback could not be stored.")
        }
    }

    private func header(_ name: String, of request: Request) -> String? {
        HTTPField.Name(name).flatMap { request.headers[$0] }
    }
}
