import HTTPKit
public import HTTPTypes
public import Hummingbird
public import Messaging

/// What a client is told when a request ends with a failure that has a class, on every route of every service.
///
/// What may pass is answered with 503 and `Retry-After`: nothing was done, and the same request may be sent again, with the same
/// idempotency key if it has one. Everything else goes on: it is logged, and answered with 500 and no word about why.
///
/// A conformance and no middleware, so that no router and no route can be without it.
extension Failure: HTTPResponseError {
    /// 503 when the same request may succeed later, else 500.
    public var status: HTTPResponse.Status { mayPass ? .serviceUnavailable : .internalServerError }

    /// The problem document, with the failure's code.
    ///
    /// - Throws: the failure itself when sending the request again would not help.
    public func response(from request: Request, context: some RequestContext) throws -> Response {
        guard mayPass else { throw self }
        return try Problem.unavailable(code, "The service cannot do this at the moment.")
            .response(from: request, context: context)
    }

    private var mayPass: Bool { failureClass == .retryable || failureClass == .interrupted }
}
