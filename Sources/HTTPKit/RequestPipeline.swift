import HTTPTypes
import Hummingbird
import Logging
import NIOHTTP1
import Telemetry

/// What every request goes through, around the router: identity, trace, size check, problem documents for every error, security
/// headers, metrics and one log line.
///
/// It is a responder around the router's and not a router middleware, so that nothing depends on the order in which routes
/// and middleware were added.
struct RequestPipeline<Base: HTTPResponder>: HTTPResponder where Base.Context == APIContext {
    typealias Context = APIContext

    let base: Base
    let routes: RouteTable
    let metrics: RequestMetrics
    let maxBodyBytes: Int
    let maxTargetBytes: Int

    func respond(to request: Request, context: APIContext) async throws -> Response {
        let clock = ContinuousClock()
        let start = clock.now
        var context = context
        context.requestID = RequestIdentity.id(of: request)
        context.trace = RequestIdentity.trace(of: request)
        context.bodyLimit = min(context.bodyLimit, maxBodyBytes)
        context.logger[.requestID] = "\(context.requestID)"
        metrics.started()
        defer { metrics.ended() }
        var response = try await TraceContext.$current.withValue(context.trace) { [context] in
            try await produce(request, context)
        }
        finish(&response, for: request, context)
        let route = metrics.route(of: context)
        let duration = clock.now - start
        metrics.record(method: request.method, route: route, status: response.status.code, duration)
        log(response, request, route, duration, context)
        return response
    }

    /// The router's answer, or a problem document. Only a parser's error goes on: the server closes the connection then.
    private func produce(_ request: Request, _ context: APIContext) async throws -> Response {
        if (request.head.path ?? "").utf8.count > maxTargetBytes {
            return problem(
                Problem(
                    .uriTooLong,
                    code: "uri-too-long",
                    detail: "The address may have at most \(maxTargetBytes) bytes."
                ),
                context
            )
        }
        if let announced = request.headers[.contentLength].flatMap({ Int($0) }), announced > maxBodyBytes {
            return problem(.contentTooLarge(limit: maxBodyBytes), context)
        }
        do {
            let response = try await base.respond(to: request, context: context)
            // An error with a body says what its handler wanted to say; a bare one gets a document.
            guard response.status.code >= 400, response.body.contentLength == 0 else { return response }
            var replaced = problem(replacement(for: response, request, context), context)
            for field in response.headers where field.name != .contentType && field.name != .contentLength {
                replaced.headers.append(field)
            }
            return replaced
        } catch let error as HTTPParserError {
            throw error
        } catch {
            context.logger.error("request failed", error: error, metadata: .fields([.httpMethod: "\(request.method)"]))
            return problem(.internalError, context)
        }
    }

    /// Errors of the router and the framework have an empty body.
    private func replacement(for response: Response, _ request: Request, _ context: APIContext) -> Problem {
        if response.status == .notFound, context.endpointPath == nil || context.endpointPath == "NotFound" {
            let allowed = routes.methods(of: request.uri.path)
            if !allowed.isEmpty { return .methodNotAllowed(allow: allowed) }
        }
        return Problem(bare: response.status)
    }

    private func problem(_ problem: Problem, _ context: APIContext) -> Response {
        problem.response(instance: context.requestID)
    }

    private func finish(_ response: inout Response, for request: Request, _ context: APIContext) {
        SecurityHeaders.apply(to: &response.headers)
        response.headers[RequestIdentity.requestIDField] = context.requestID
        response.headers[RequestIdentity.traceparentField] = context.trace.traceparent
        if request.method == .head, response.body.contentLength != 0 { response = response.createHeadResponse() }
    }

    private func log(
        _ response: Response,
        _ request: Request,
        _ route: String,
        _ duration: Duration,
        _ context: APIContext
    ) {
        let level: Logger.Level = response.status.code >= 500 ? .warning : .debug
        context.logger.log(
            level: level,
            "request answered",
            metadata: .fields([
                .httpMethod: "\(request.method.rawValue)", .httpRoute: "\(route)",
                .httpStatus: "\(response.status.code)",
                .duration: "\(Int(duration / .milliseconds(1)))", .traceID: "\(context.trace.traceID)",
                .spanID: "\(context.trace.spanID)",
            ])
        )
    }
}

/// Headers that make a browser treat our answers as data and nothing else.
enum SecurityHeaders {
    static func apply(to headers: inout HTTPFields) {
        headers[.xContentTypeOptions] = "nosniff"
        setDefault(.cacheControl, "no-store", &headers)
        setDefault(.contentSecurityPolicy, "default-src 'none'; frame-ancestors 'none'", &headers)
        setDefault("Referrer-Policy", "no-referrer", &headers)
        setDefault("X-Frame-Options", "DENY", &headers)
        setDefault("Cross-Origin-Resource-Policy", "same-origin", &headers)
    }

    private static func setDefault(_ name: String, _ value: String, _ headers: inout HTTPFields) {
        guard let field = HTTPField.Name(name) else { return }
        setDefault(field, value, &headers)
    }

    private static func setDefault(_ name: HTTPField.Name, _ value: String, _ headers: inout HTTPFields) {
        if headers[name] == nil { headers[name] = value }
    }
}
