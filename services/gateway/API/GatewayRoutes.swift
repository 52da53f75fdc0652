public import HTTPKit
import HTTPTypes
public import Hummingbird
import StrictJSON

/// The gateway's HTTP interface.
///
/// | route | body | answer |
/// |---|---|---|
/// | `POST /v1/authorizations` | `{"reference","amount","currency","card"}` | the operation |
/// | `POST /v1/captures` | `{"authorization"}` | the operation |
/// | `POST /v1/voids` | `{"authorization"}` | the operation |
/// | `POST /v1/refunds` | `{"capture","amount"?}` | the operation |
/// | `GET /v1/operations/{key}` | | the operation, 404 while unknown |
/// | `GET /v1/ledger?after=&limit=` | | ledger lines, `application/jsonl` |
///
/// Each POST needs an `Idempotency-Key`: the same key and body gets the same answer, another body 422, an operation that is
/// still under way 409. What was recorded is answered with 200, also when it was declined or refused: `result` says which.
public struct GatewayRoutes: Sendable {
    private let gateway: CardGateway

    /// The largest body, in bytes.
    static let bodyLimit = 4096
    /// The most ledger lines of one answer.
    static let maximumLines = 10_000

    /// Makes the routes.
    public init(gateway: CardGateway) {
        self.gateway = gateway
    }

    /// Adds the routes.
    public func add(to router: Router<APIContext>) {
        router.post("/v1/authorizations") { request, _ in
            let body = try await read(AuthorizationBody.self, from: request)
            return try await perform(
                request,
                .authorize(
                    reference: try token(body.reference, "reference"),
                    amount: try amount(body.amount),
                    currency: try currency(body.currency),
                    card: try token(body.card, "card")
                )
            )
        }
        router.post("/v1/captures") { request, _ in
            let body = try await read(AuthorizationNameBody.self, from: request)
            return try await perform(request, .capture(authorization: try token(body.authorization, "authorization")))
        }
        router.post("/v1/voids") { request, _ in
            let body = try await read(AuthorizationNameBody.self, from: request)
            return try await perform(request, .void(authorization: try token(body.authorization, "authorization")))
        }
        router.post("/v1/refunds") { request, _ in
            let body = try await read(RefundBody.self, from: request)
            return try await perform(
                request,
                .refund(capture: try token(body.capture, "capture"), amount: try body.amount.map(amount))
            )
        }
        router.get("/v1/operations/{key}") { _, context in
            let key = try context.parameters.require("key")
            guard let entry = try await gateway.operation(forKey: key) else {
                throw Problem.notFound("Nothing is recorded under this key.", code: "unknown-operation")
            }
            return JSONResponse.make(entry.document)
        }
        router.get("/v1/ledger") { request, _ in
            let after = try number(request, "after", in: 0...Int64.max, default: 0)
            let limit = try number(
                request,
                "limit",
                in: 1...Int64(Self.maximumLines),
                default: Int64(Self.maximumLines)
            )
            let lines = try await gateway.ledger(after: after, limit: Int(limit))
            return JSONResponse.make(bytes: lines, contentType: "application/jsonl")
        }
    }

    private struct AuthorizationBody: Decodable {
        let reference: String
        let amount: Int64
        let currency: String
        let card: String
    }

    private struct AuthorizationNameBody: Decodable {
        let authorization: String
    }

    private struct RefundBody: Decodable {
        let capture: String
        let amount: Int64?
    }

    private func read<Body: Decodable>(_ type: Body.Type, from request: Request) async throws -> Body {
        try await JSONRequest.read(type, from: request, upTo: Self.bodyLimit)
    }

    private func perform(_ request: Request, _ content: OperationRequest.Content) async throws -> Response {
        guard let name = HTTPField.Name("idempotency-key"), let key = request.headers[name],
            (1...128).contains(key.utf8.count),
            key.utf8.allSatisfy({ (0x21...0x7E).contains($0) })
        else {
            throw Problem.badRequest(
                "idempotency-key-missing",
                "A header Idempotency-Key of 1 to 128 characters is needed."
            )
        }
        switch await gateway.perform(OperationRequest(key: key, content: content)) {
        case .recorded(let entry): return JSONResponse.make(entry.document)
        case .garbled: return JSONResponse.make(bytes: Array(#"{"id":"auth_"#.utf8) + [0xFF, 0xFE, 0x00])
        case .silence: throw Problem(.gatewayTimeout, code: "no-answer")
        case .problem(let problem): throw answer(problem)
        }
    }

    private func answer(_ problem: CardGateway.Problem) -> Problem {
        switch problem {
        case .keyReused: .unprocessable(problem.rawValue, "The key was used for another request.")
        case .inProgress: .conflict(problem.rawValue, "The operation with this key is under way.")
        case .unavailable: .unavailable(problem.rawValue, "The gateway is busy.")
        case .ledgerFailed:
            .unavailable(problem.rawValue, "The gateway cannot record operations.", retryAfterSeconds: 30)
        }
    }

    private func token(_ text: String, _ path: String) throws -> String {
        guard (1...128).contains(text.utf8.count), text.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else {
            throw invalid(path, "must be 1 to 128 printable ASCII characters")
        }
        return text
    }

    private func amount(_ value: Int64) throws -> Int64 {
        guard (1...1_000_000_000_000_000).contains(value) else {
            throw invalid("amount", "must be from 1 to 10^15 minor units")
        }
        return value
    }

    private func currency(_ text: String) throws -> String {
        guard text.utf8.count == 3, text.utf8.allSatisfy({ (0x41...0x5A).contains($0) }) else {
            throw invalid("currency", "must be three capital letters")
        }
        return text
    }

    private func number(
        _ request: Request,
        _ name: String,
        in range: ClosedRange<Int64>,
        default value: Int64
    ) throws -> Int64 {
        guard let text = request.uri.queryParameters.get(name) else { return value }
        guard let number = Int64(text), range.contains(number) else {
            throw invalid(name, "must be a whole number from \(range.lowerBound) to \(range.upperBound)")
        }
        return number
    }

    private func invalid(_ path: String, _ rule: String) -> Problem {
        .unprocessable(
            "invalid-value",
            "\(path) \(rule).",
            fields: [Problem.Field(path: path, code: "invalid-value", detail: rule)]
        )
    }
}
