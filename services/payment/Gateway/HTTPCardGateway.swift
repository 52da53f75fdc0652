import Commerce
public import HTTPKit
public import PaymentCore
import StrictJSON
import Telemetry

/// The card gateway over HTTP.
public struct HTTPCardGateway: CardGatewayClient {
    private let sender: HTTPSender
    private let baseURL: String
    private let callDeadline: Duration
    private let lookUpDeadline: Duration

    /// The most bytes of an answer.
    static let maximumAnswer = 16 << 10

    /// Makes an adapter.
    ///
    /// - Parameters:
    ///   - sender: the HTTP client; shut down by its owner.
    ///   - baseURL: `http://127.0.0.1:8085`.
    ///   - callDeadline: for one operation; beyond it the outcome is unknown.
    ///   - lookUpDeadline: for one look-up.
    public init(
        sender: HTTPSender,
        baseURL: String,
        callDeadline: Duration = .seconds(4),
        lookUpDeadline: Duration = .seconds(2)
    ) {
        self.sender = sender
        self.baseURL = baseURL.hasSuffix("/") ? String(baseURL.dropLast()) : baseURL
        self.callDeadline = callDeadline
        self.lookUpDeadline = lookUpDeadline
    }

    public func call(_ call: GatewayCall) async -> GatewayAnswer {
        let (path, body) = request(for: call)
        let result = await traced(call) {
            await sender.send(
                "POST",
                url: baseURL + path,
                headers: [("content-type", "application/json"), ("idempotency-key", call.key)],
                body: StrictJSON.encode(body),
                deadline: callDeadline,
                maxResponseBytes: Self.maximumAnswer
            )
        }
        switch result {
        case .failure(let failure): return Self.answer(to: failure)
        case .success(let reply): return Self.answer(to: reply, call)
        }
    }

    public func lookUp(_ call: GatewayCall) async -> GatewayAnswer {
        let result = await traced(call) {
            await sender.send(
                "GET",
                url: baseURL + "/v1/operations/" + call.key,
                deadline: lookUpDeadline,
                maxResponseBytes: Self.maximumAnswer
            )
        }
        switch result {
        case .failure(let failure): return Self.answer(to: failure)
        case .success(let reply): return Self.lookUpAnswer(to: reply, call)
        }
    }

    /// What the answer to a look-up says about the call.
    package static func lookUpAnswer(to reply: HTTPReply, _ call: GatewayCall) -> GatewayAnswer {
        // Only a 404 that names the reason is the gateway's word; a proxy's 404 is not.
        if reply.status == 404, (try? StrictJSON.parse(reply.body))?["code"] == "unknown-operation" {
            return .notFound
        }
        guard reply.status == 200, let answer = GatewayDocument(bytes: reply.body)?.answer(to: call) else {
            return .unclear(note: "look-up answered \(reply.status)")
        }
        return answer
    }

    private func request(for call: GatewayCall) -> (path: String, body: JSONValue) {
        switch call.kind {
        case .authorize:
            (
                "/v1/authorizations",
                [
                    "reference": .string(call.orderID.text), "amount": .integer(call.amount.minorUnits),
                    "currency": .string(call.amount.currency.rawValue), "card": .string(call.card.text),
                ]
            )
        case .capture: ("/v1/captures", ["authorization": .string(call.authorization ?? "")])
        case .void: ("/v1/voids", ["authorization": .string(call.authorization ?? "")])
        case .refund: ("/v1/refunds", ["capture": .string(call.capture ?? "")])
        }
    }

    private func traced<T: Sendable>(_ call: GatewayCall, _ operation: () async -> T) async -> T {
        guard let text = call.traceparent, let parent = TraceContext(traceparent: text) else {
            return await operation()
        }
        return await TraceContext.$current.withValue(parent.child(), operation: operation)
    }

    /// What an exchange without an answer says.
    package static func answer(to failure: HTTPFailure) -> GatewayAnswer {
        failure.wasNotSent ? .notSent(note: failure.code.rawValue) : .unclear(note: failure.code.rawValue)
    }

    /// What an answer says about the call.
    package static func answer(to reply: HTTPReply, _ call: GatewayCall) -> GatewayAnswer {
        switch reply.status {
        case 200:
            // Unreadable, or about something else: it happened, but we do not know what. The look-up tells.
            return GatewayDocument(bytes: reply.body)?.answer(to: call) ?? .unclear(note: "unreadable answer")
        case 413, 415, 422:
            // Turned away by the gateway itself before anything was done, as it will be every time. Three are not: a 400, because
            // what arrived damaged is sent again; a key that stands for something else, because what is recorded under it may be
            // ours; and giving money back, which goes on, and shows in the metrics, until a person has found the reason.
            guard call.kind.isGivenUp, let code = (try? StrictJSON.parse(reply.body))?["code"]?.stringValue,
                code != "idempotency-key-reused"
            else {
                return .unclear(note: "status \(reply.status)")
            }
            return .turnedAway(reason: "gateway-rejected")
        default:
            return .unclear(note: "status \(reply.status)")
        }
    }
}
