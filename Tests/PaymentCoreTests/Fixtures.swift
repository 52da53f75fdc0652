import Commerce
import Messaging

@testable import PaymentCore

let anOrder = id(OrderID.init, "00000000-0000-7000-8000-000000000001")
let aPayment = id(PaymentID.init, "00000000-0000-7000-8000-000000000002")
let tenEuros = Money(minorUnits: 1000, currency: .eur)
let aCharge = Payment.Charge(amount: tenEuros, card: id(CardToken.init, "tok_visa"))

/// An identifier from a literal of a test.
func id<Value>(_ make: (String) -> Value?, _ text: String) -> Value {
    guard let value = make(text) else { preconditionFailure("a literal of a test is not an identifier: \(text)") }
    return value
}

func payment(_ phase: PaymentPhase, _ change: (inout Payment) -> Void = { _ in }) -> Payment {
    var payment = Payment(orderID: anOrder, paymentID: aPayment, charge: aCharge, phase: phase)
    switch phase {
    case .authorizing: payment.intents = [.authorize: .calling]
    case .authorized:
        payment.intents = [.authorize: .succeeded]
        payment.authorization = "auth_1"
    case .declined:
        payment.intents = [.authorize: .refused]
        payment.reason = "card-declined"
    case .failed:
        payment.intents = [.authorize: .succeeded, .capture: .abandoned]
        payment.authorization = "auth_1"
        payment.reason = Reasons.unresolved
    case .capturing:
        payment.intents = [.authorize: .succeeded, .capture: .calling]
        payment.authorization = "auth_1"
    case .captured:
        payment.intents = [.authorize: .succeeded, .capture: .succeeded]
        payment.authorization = "auth_1"
        payment.capture = "cap_1"
        payment.captureAccount = .revenue
    case .voiding:
        payment.intents = [.authorize: .succeeded, .capture: .abandoned, .void: .calling]
        payment.authorization = "auth_1"
        payment.cancelReason = "customer"
        payment.answerOwed = true
    case .refunding:
        payment.intents = [.authorize: .succeeded, .capture: .succeeded, .refund: .calling]
        payment.authorization = "auth_1"
        payment.capture = "cap_1"
        payment.captureAccount = .suspense
        payment.cancelReason = "customer"
        payment.answerOwed = true
    case .cancelled:
        payment.intents = [.authorize: .abandoned]
        payment.cancelReason = "customer"
    }
    change(&payment)
    return payment
}

let everyInput: [PaymentInput] =
    [
        .authorize(aCharge, paymentID: aPayment), .capture, .cancel(reason: "customer", paymentID: aPayment),
    ]
    + IntentKind.allCases.flatMap { kind in
        [
            .settled(kind, .succeeded(reference: "ref_1")), .settled(kind, .refused(reason: "no")),
            .settled(kind, .refused(reason: Reasons.alreadyCaptured)), .settled(kind, .givenUp),
            .settled(kind, .notSent),
        ]
    }

/// SplitMix64: the same seed, the same bits.
struct Seeded: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}
