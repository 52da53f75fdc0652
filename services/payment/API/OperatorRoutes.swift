import Commerce
public import HTTPKit
public import Hummingbird
import PaymentCore

/// What operators read: `GET /operator/payments/{orderID}` and `GET /operator/payments?state=&limit=`.
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
            var limit = 50
            if let text = parameters.get("limit") {
                guard let number = Int(text), (1...PaymentQueries.maximumLimit).contains(number) else {
                    throw Problem.unprocessable(
                        "invalid-limit",
                        "limit must be from 1 to \(PaymentQueries.maximumLimit)."
                    )
                }
                limit = number
            }
            return JSONResponse.make(try await queries.payments(phase: phase, limit: limit))
        }
    }
}
