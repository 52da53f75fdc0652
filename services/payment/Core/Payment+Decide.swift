public import Commerce
import Messaging

extension Payment {
    /// Decides what an input means. Total and pure; see ``PaymentPhase`` for the graph.
    ///
    /// Every command is answered, also when it comes twice or late: an answer that is not ready yet follows when it is.
    ///
    /// - Parameters:
    ///   - payment: the order's payment, if it has one.
    ///   - orderID: the order.
    /// - Throws: ``PaymentRejection``; nothing changes.
    public static func decide(
        _ payment: Payment?,
        orderID: OrderID,
        _ input: PaymentInput
    ) throws(PaymentRejection) -> PaymentDecision {
        guard let payment else { return try begin(orderID: orderID, input) }
        var draft = Draft(payment)
        switch input {
        case .authorize(let charge, _): try draft.authorize(charge)
        case .capture: draft.capture()
        case .cancel(let reason, _): draft.cancel(reason)
        case .settled(.authorize, let outcome): draft.authorizeSettled(outcome)
        case .settled(.capture, let outcome): draft.captureSettled(outcome)
        case .settled(.void, let outcome): draft.voidSettled(outcome)
        case .settled(.refund, let outcome): draft.refundSettled(outcome)
        }
        return draft.decision()
    }

    private static func begin(orderID: OrderID, _ input: PaymentInput) throws(PaymentRejection) -> PaymentDecision {
        switch input {
        case .authorize(let charge, let paymentID):
            var decision = PaymentDecision(
                Payment(
                    orderID: orderID,
                    paymentID: paymentID,
                    charge: charge,
                    phase: .authorizing,
                    intents: [.authorize: .calling]
                )
            )
            decision.begin = [.authorize]
            return decision
        case .capture:
            var decision = PaymentDecision(nil)
            decision.replies = [.failed(reason: Reasons.captureRefused)]
            return decision
        case .cancel(let reason, let paymentID):
            if Sabotage.isOn("payment-tombstone-missing") {
                var decision = PaymentDecision(nil)
                decision.replies = [.cancelled(refunded: nil)]
                return decision
            }
            // No money was ever asked for, so nothing happened that could be announced: the tombstone has no event.
            var decision = PaymentDecision(
                Payment(orderID: orderID, paymentID: paymentID, charge: nil, phase: .cancelled, cancelReason: reason)
            )
            decision.replies = [.cancelled(refunded: nil)]
            return decision
        case .settled:
            throw .noPayment
        }
    }
}

/// Reasons that payment gives, as they appear in replies and events.
public enum Reasons {
    /// No clear answer within the window.
    public static let unresolved = "gateway-unresolved"
    /// The gateway refused the capture, or there was nothing to capture.
    public static let captureRefused = "capture-refused"
    /// The payment was cancelled before.
    public static let cancelled = "cancelled"
    /// The gateway did something after it had been given up.
    public static let late = "late"
    /// The gateway's word for a void of what was captured before.
    public static let alreadyCaptured = "already-captured"
    /// The gateway's word for a refund of what was refunded before.
    public static let alreadyRefunded = "already-refunded"
}

/// The payment while one input is being decided.
private struct Draft {
    private var payment: Payment
    private var result: PaymentDecision

    init(_ payment: Payment) {
        self.payment = payment
        result = PaymentDecision(payment)
    }

    func decision() -> PaymentDecision {
        var decision = result
        decision.payment = payment
        return decision
    }

    // MARK: Commands

    mutating func authorize(_ charge: Payment.Charge) throws(PaymentRejection) {
        guard let known = payment.charge else { return reply(.failed(reason: Reasons.cancelled)) }
        guard known == charge else { throw .chargeDiffers }
        switch payment.phase {
        case .authorizing: break
        case .authorized, .capturing, .captured: reply(.authorized)
        case .declined: reply(.declined(reason: payment.reason ?? "card-declined"))
        case .failed: reply(.failed(reason: payment.reason ?? Reasons.unresolved))
        case .voiding, .refunding, .cancelled: reply(.failed(reason: Reasons.cancelled))
        }
    }

    mutating func capture() {
        switch payment.phase {
        case .authorizing, .declined: reply(.failed(reason: Reasons.captureRefused))
        case .authorized:
            payment.phase = .capturing
            begin(.capture)
        case .capturing: break
        case .captured: if let amount { reply(.captured(amount)) }
        case .failed: reply(.failed(reason: payment.reason ?? Reasons.captureRefused))
        case .voiding, .refunding, .cancelled: reply(.failed(reason: Reasons.cancelled))
        }
    }

    mutating func cancel(_ reason: String) {
        payment.cancelReason = payment.cancelReason ?? reason
        payment.answerOwed = true
        switch payment.phase {
        case .authorizing, .capturing: takeBack()
        case .authorized: beginVoid()
        case .captured: beginRefund()
        case .declined: finish()
        case .failed: payment.isHolding ? beginVoid() : finish()
        case .voiding, .refunding: break
        case .cancelled: answer()
        }
    }

    // MARK: Outcomes

    mutating func authorizeSettled(_ outcome: Intent.Outcome) {
        payment.intents[.authorize] = outcome.state
        switch outcome {
        case .succeeded(let name):
            payment.authorization = name
            switch payment.phase {
            case .authorizing:
                announce(.authorized)
                if payment.cancelReason == nil {
                    payment.phase = .authorized
                    reply(.authorized)
                } else {
                    beginVoid()
                }
            case .failed, .cancelled:
                announce(.authorized, Reasons.late)
                payment.cancelReason = payment.cancelReason ?? Reasons.late
                beginVoid()
            case .authorized, .declined, .capturing, .captured, .voiding, .refunding: break
            }
        case .refused(let reason):
            guard payment.phase == .authorizing else { break }
            payment.reason = reason
            payment.phase = .declined
            announce(.declined, reason)
            if payment.cancelReason == nil { reply(.declined(reason: reason)) } else { finish() }
        case .givenUp:
            guard payment.phase == .authorizing else { break }
            fail(Reasons.unresolved)
            if payment.cancelReason != nil { finish() }
        case .notSent: if payment.cancelReason != nil { takeBack() }
        }
    }

    mutating func captureSettled(_ outcome: Intent.Outcome) {
        payment.intents[.capture] = outcome.state
        switch outcome {
        case .succeeded(let name):
            guard payment.capture == nil, let amount else { break }
            switch payment.phase {
            case .capturing where payment.cancelReason == nil:
                payment.capture = name
                announce(.captured)
                book(amount, .revenue)
                payment.phase = .captured
                reply(.captured(amount))
            case .capturing:
                payment.capture = name
                announce(.captured)
                book(amount, .suspense)
                beginRefund()
            case .failed, .voiding, .cancelled:
                if Sabotage.isOn("late-charge-ignored") { break }
                // Given up before, and landed after all: the order is over, so the money goes back.
                payment.capture = name
                announce(.captured, Reasons.late)
                book(amount, .suspense)
                payment.cancelReason = payment.cancelReason ?? Reasons.late
                beginRefund()
            case .authorizing, .authorized, .declined, .captured, .refunding: break
            }
        case .refused:
            switch payment.phase {
            case .capturing where payment.cancelReason == nil: fail(Reasons.captureRefused)
            case .capturing: beginVoid()
            case .voiding where payment.intents[.void] == .refused: finish()
            case .authorizing, .authorized, .declined, .failed, .captured, .voiding, .refunding, .cancelled: break
            }
        case .givenUp:
            guard payment.phase == .capturing else { break }
            if payment.cancelReason == nil { fail(Reasons.unresolved) } else { beginVoid() }
        case .notSent: if payment.cancelReason != nil { takeBack() }
        }
    }

    mutating func voidSettled(_ outcome: Intent.Outcome) {
        payment.intents[.void] = outcome.state
        guard payment.phase == .voiding else { return }
        switch outcome {
        case .succeeded:
            announce(.voided, payment.cancelReason)
            finish()
        case .refused(Reasons.alreadyCaptured)
        where payment.capture == nil && payment.intents[.capture]?.mayLand == true:
            // A capture that was given up has landed. It must be found before the payment can end.
            result.hasten.append(.capture)
        case .refused: finish()
        case .givenUp, .notSent: break
        }
    }

    mutating func refundSettled(_ outcome: Intent.Outcome) {
        payment.intents[.refund] = outcome.state
        guard payment.phase == .refunding, let amount else { return }
        switch outcome {
        case .succeeded: refundDone(amount)
        case .refused(Reasons.alreadyRefunded): refundDone(amount)
        case .refused: begin(.refund)
        case .givenUp, .notSent: break
        }
    }

    private mutating func refundDone(_ amount: Money) {
        payment.refunded = true
        announce(.refunded, payment.cancelReason)
        if !Sabotage.isOn("refund-not-booked") {
            result.postings.append(.refund(amount, of: payment.captureAccount ?? .suspense))
        }
        finish()
    }

    // MARK: Steps

    private var amount: Money? { payment.charge?.amount }

    /// Ends what is under way when it is certain that the gateway never saw it; otherwise the answer is waited for. A cancelled
    /// order must never be charged by a call that nobody had to make.
    private mutating func takeBack() {
        switch payment.phase {
        case .authorizing where payment.intents[.authorize] == .prepared:
            withdraw(.authorize)
            finish()
        case .capturing where payment.intents[.capture] == .prepared:
            withdraw(.capture)
            beginVoid()
        case .authorizing, .authorized, .declined, .failed, .capturing, .captured, .voiding, .refunding, .cancelled:
            break
        }
    }

    private mutating func fail(_ reason: String) {
        payment.phase = .failed
        payment.reason = reason
        announce(.failed, reason)
        if payment.cancelReason == nil { reply(.failed(reason: reason)) }
    }

    private mutating func beginVoid() {
        if Sabotage.isOn("void-skipped") { return finish() }
        payment.phase = .voiding
        begin(.void)
    }

    private mutating func beginRefund() {
        payment.phase = .refunding
        begin(.refund)
    }

    private mutating func finish() {
        payment.phase = .cancelled
        announce(.cancelled, payment.cancelReason)
        if payment.answerOwed { answer() }
    }

    private mutating func answer() {
        payment.answerOwed = false
        reply(.cancelled(refunded: payment.refunded ? amount : nil))
    }

    private mutating func book(_ amount: Money, _ account: Payment.CaptureAccount) {
        payment.captureAccount = account
        result.postings.append(.capture(amount, to: account))
    }

    private mutating func begin(_ kind: IntentKind) {
        payment.intents[kind] = .calling
        result.begin.append(kind)
    }

    private mutating func withdraw(_ kind: IntentKind) {
        payment.intents[kind] = .withdrawn
        result.withdraw.append(kind)
    }

    private mutating func announce(_ kind: PaymentEvent.Kind, _ reason: String? = nil) {
        // A charge is what every event is about; a payment without one has nothing to announce.
        guard payment.charge != nil else { return }
        payment.version += 1
        payment.milestone = kind
        result.milestones.append(PaymentDecision.Milestone(kind, reason: reason))
    }

    private mutating func reply(_ reply: PaymentDecision.Reply) {
        result.replies.append(reply)
    }
}

extension Intent.Outcome {
    /// The state of an intent that came to this.
    public var state: IntentState {
        switch self {
        case .succeeded: .succeeded
        case .refused: .refused
        case .givenUp: .abandoned
        case .notSent: .prepared
        }
    }
}
