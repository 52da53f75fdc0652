import Commerce
public import HTTPKit
public import Hummingbird
import PaymentCore

/// What operators read: `GET /operator/payments/{orderID}`, `GET /operator/payments?state=&limit=` and
/// `GET /operator/intents/open?limit=`.
public struct OperatorRoutes: Sendable {
    private let queries: PaymentQueries

    /// Makes the routes.
    public init(queries: PaymentQueries) {
        self.queries = queries
    }

    /// Adds the routes.
    public func add(to router: Router<APIContext>) {
        router.get("/operator/payments/{orderID}") { _, context in
            guard let orderID = OrderID(try context.parameters.require("orderID")) else {
                throw Problem.notFound("An order's id \(OrderID.rule).", code: "unknown-payment")
            }
            guard let document = try await queries.payment(of: orderID.text) else {
                throw Problem.notFound("The order has no payment.", code: "unknown-payment")
            }
            return JSONResponse.make(document)
        }
        router.get("/operator/payments") { request, _ in
            let parameters = request.uri.queryParameters
            var phase: PaymentPhase?
            if let text = parameters.get("state") {
                guard let known = PaymentPhase(rawValue: text) else {
                    throw Problem.unprocessable("invalid-state", "There is no such state.")
                }
                phase = known
            }
            return JSONResponse.make(try await queries.payments(phase: phase, limit: try Self.limit(request)))
        }
        router.get("/operator/intents/open") { request, _ in
            JSONResponse.make(try await queries.openIntents(limit: try Self.limit(request)))
        }
    }

    private static func limit(_ request: Request) throws(Problem) -> Int {
        guard let text = request.uri.queryParameters.get("limit") else { return 50 }
        guard let number = Int(text), (1...PaymentQueries.maximumLimit).contains(number) else {
            throw Problem.unprocessable("invalid-limit", "limit must be from 1 to \(PaymentQueries.maximumLimit).")
        }
        return number
    }
}
