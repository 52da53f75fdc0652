import Commerce
import OrderCore

/// Why a use case did nothing. An adapter turns it into its transport's answer.
public struct UseCaseFault: Error, Sendable, Hashable, CustomStringConvertible {
    /// What kind of answer it is.
    public enum Kind: Sendable, Hashable {
        /// The request cannot be understood at all.
        case malformed
        /// The request is understood and not acceptable.
        case unacceptable
        /// There is no such thing.
        case notFound
        /// It does not fit the present state.
        case conflict
        /// Too much at the moment; later it may succeed.
        case overloaded
    }

    /// What kind of answer it is.
    public let kind: Kind
    /// Stable, kebab-case: programs may depend on it.
    public let code: String
    /// A sentence for people, without values of the request.
    public let description: String
    /// The place in the request, as in `lines[3].sku`; `nil` when it is about the whole.
    public let path: String?

    /// Makes a fault.
    public init(_ kind: Kind, code: String, _ description: String, path: String? = nil) {
        self.kind = kind
        self.code = code
        self.description = description
        self.path = path
    }

    static let unknownOrder = UseCaseFault(.notFound, code: "unknown-order", "There is no order with this id.")
    static let keyReused = UseCaseFault(
        .unacceptable,
        code: "idempotency-key-reused",
        "This Idempotency-Key was used for another request."
    )
    static let keyInFlight = UseCaseFault(
        .conflict,
        code: "idempotency-key-in-flight",
        "A request with this Idempotency-Key is being handled."
    )

    init(_ refusal: OrderRefusal) {
        switch refusal {
        case .notStarted:
            self.init(.conflict, code: "not-started", "The order is not stored yet.")
        case .tooLate:
            self.init(.conflict, code: "too-late-to-cancel", "The order is paid and its goods are on their way out.")
        case .final(let status):
            self.init(
                .conflict,
                code: "order-final",
                "The order has ended as \(status.rawValue) and can no longer be cancelled."
            )
        }
    }

    init(_ fault: PricingFault) {
        let place: String? =
            switch fault.code {
            case .lineCount, .nothingToPay: "lines"
            case .repeatedSKU, .unknownSKU, .inactiveSKU, .mixedCurrencies: fault.line.map { "lines[\($0)].sku" }
            case .amountTooLarge: fault.line.map { "lines[\($0)]" }
            }
        self.init(.unacceptable, code: fault.code.rawValue, fault.sentence, path: place)
    }
}
