import HTTPTypes
public import Hummingbird

/// Lets only bearers of the operator token through; everybody else gets the same 401, whatever the path.
public struct OperatorTokenMiddleware: RouterMiddleware {
    /// The context of our routers.
    public typealias Context = APIContext

    private let token: OperatorToken
    private let actor: String

    /// Creates the middleware. `actor` is what ``APIContext/actor`` says behind it.
    public init(token: OperatorToken, actor: String = "operator") {
        self.token = token
        self.actor = actor
    }

    /// Checks `Authorization: Bearer <token>`.
    public func handle(
        _ request: Request,
        context: APIContext,
        next: (Request, APIContext) async throws -> Response
    ) async throws -> Response {
        guard let presented = Self.bearer(request.headers[values: .authorization]), token.matches(presented) else {
            throw Problem.unauthorized()
        }
        var context = context
        context.actor = actor
        return try await next(request, context)
    }

    /// The credentials of exactly one bearer header.
    static func bearer(_ values: [String]) -> String? {
        guard values.count == 1, let value = values.first, value.utf8.count <= 1024 else { return nil }
        let parts = value.split(separator: " ", maxSplits: 1, omittingEmptySubsequences: true)
        guard parts.count == 2, parts[0].lowercased() == "bearer" else { return nil }
        return String(parts[1])
    }
}
