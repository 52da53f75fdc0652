import Commerce
import Messaging
import OrderCore

/// Values that the tests share.
enum Fixture {
    static let now = Timestamp(millisecondsSinceEpoch: 1_800_000_000_000)
    static let reason = OrderReason("out-of-stock")

    static func order(_ state: OrderState, version: Int64 = 2) throws -> Order {
        let lines = [
            OrderLine(
                sku: try some(SKU("MUG")),
                quantity: try some(Quantity(2)),
                unitPrice: Money(minorUnits: 1250, currency: .eur)
            )
        ]
        return Order(
            id: try some(OrderID("0192f3c4-0000-7000-8000-000000000001")),
            customer: try some(CustomerID("ann")),
            card: try some(CardToken("tok_visa")),
            lines: lines,
            total: Money(minorUnits: 2500, currency: .eur),
            placedAt: now,
            state: state,
            version: version,
            updatedAt: now
        )
    }

    static let total = Money(minorUnits: 2500, currency: .eur)

    /// Every input, with one of each payload that matters.
    static let inputs: [OrderInput] =
        [
            .start, .stockReserved, .stockRefused(reason), .stockCommitted, .stockCommitRefused(OrderReason("expired")),
            .stockReleased, .paymentAuthorized, .paymentDeclined(OrderReason("card-declined")), .paymentCaptured(total),
            .paymentCaptured(Money(minorUnits: 1, currency: .eur)), .paymentFailed(OrderReason("gateway-unresolved")),
            .paymentCancelled, .cancelRequested,
        ] + OrderDeadline.allCases.map(OrderInput.deadline) + [.republish]

    /// Every state, and every stage of a compensation.
    static let states: [OrderState] = {
        var states: [OrderState] = [
            .placed, .awaitingStock, .awaitingPayment, .capturing, .committing, .completed, .rejected(reason),
            .cancelled(.customer), .needsOperator(Compensation(reason: .deadline, stock: .outstanding, payment: .done)),
        ]
        for stock in Compensation.Step.allCases {
            for payment in Compensation.Step.allCases where stock == .outstanding || payment == .outstanding {
                for rounds in [1, 1439, 1440] {
                    states.append(
                        .cancelling(Compensation(reason: .customer, stock: stock, payment: payment, rounds: rounds))
                    )
                }
            }
        }
        return states
    }()

    struct Missing: Error {}

    static func some<T>(_ value: T?) throws -> T {
        guard let value else { throw Missing() }
        return value
    }
}

/// A generator with a seed (SplitMix64), so that a failing sequence can be run again.
struct SeededRandom: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}
