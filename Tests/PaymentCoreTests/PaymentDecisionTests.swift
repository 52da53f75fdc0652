import Commerce
import Testing

@testable import PaymentCore

@Suite struct PaymentDecisionTests {
    @Test func aFirstAuthorizeBeginsOneIntent() throws {
        let decision = try Payment.decide(nil, orderID: anOrder, .authorize(aCharge, paymentID: aPayment))
        #expect(decision.payment?.phase == .authorizing)
        #expect(decision.begin == [.authorize])
        #expect(decision.replies.isEmpty && decision.milestones.isEmpty && decision.postings.isEmpty)
    }

    @Test func aCancelThatComesFirstLeavesATombstone() throws {
        let cancelled = try Payment.decide(nil, orderID: anOrder, .cancel(reason: "customer", paymentID: aPayment))
        #expect(cancelled.replies == [.cancelled(refunded: nil)])
        #expect(cancelled.milestones.isEmpty)
        let late = try Payment.decide(cancelled.payment, orderID: anOrder, .authorize(aCharge, paymentID: aPayment))
        #expect(late.replies == [.failed(reason: "cancelled")])
        #expect(late.begin.isEmpty)
        #expect(late.payment == cancelled.payment)
    }

    @Test func aCaptureOfNothingIsRefused() throws {
        let decision = try Payment.decide(nil, orderID: anOrder, .capture)
        #expect(decision.payment == nil)
        #expect(decision.replies == [.failed(reason: "capture-refused")])
    }

    @Test func anotherAmountIsRejected() {
        let other = Payment.Charge(amount: Money(minorUnits: 1, currency: .eur), card: aCharge.card)
        #expect(throws: PaymentRejection.chargeDiffers) {
            try Payment.decide(payment(.authorized), orderID: anOrder, .authorize(other, paymentID: aPayment))
        }
    }

    @Test func anOutcomeWithoutAPaymentIsRejected() {
        #expect(throws: PaymentRejection.noPayment) {
            try Payment.decide(nil, orderID: anOrder, .settled(.capture, .givenUp))
        }
    }

    typealias Row = (PaymentPhase, PaymentInput, PaymentPhase, [PaymentDecision.Reply], [IntentKind])

    static let commands: [Row] = [
        (.authorizing, .authorize(aCharge, paymentID: aPayment), .authorizing, [], []),
        (.authorized, .authorize(aCharge, paymentID: aPayment), .authorized, [.authorized], []),
        (.declined, .authorize(aCharge, paymentID: aPayment), .declined, [.declined(reason: "card-declined")], []),
        (.failed, .authorize(aCharge, paymentID: aPayment), .failed, [.failed(reason: "gateway-unresolved")], []),
        (.capturing, .authorize(aCharge, paymentID: aPayment), .capturing, [.authorized], []),
        (.captured, .authorize(aCharge, paymentID: aPayment), .captured, [.authorized], []),
        (.voiding, .authorize(aCharge, paymentID: aPayment), .voiding, [.failed(reason: "cancelled")], []),
        (.refunding, .authorize(aCharge, paymentID: aPayment), .refunding, [.failed(reason: "cancelled")], []),
        (.cancelled, .authorize(aCharge, paymentID: aPayment), .cancelled, [.failed(reason: "cancelled")], []),
        (.authorizing, .capture, .authorizing, [.failed(reason: "capture-refused")], []),
        (.authorized, .capture, .capturing, [], [.capture]),
        (.declined, .capture, .declined, [.failed(reason: "capture-refused")], []),
        (.failed, .capture, .failed, [.failed(reason: "gateway-unresolved")], []),
        (.capturing, .capture, .capturing, [], []),
        (.captured, .capture, .captured, [.captured(tenEuros)], []),
        (.voiding, .capture, .voiding, [.failed(reason: "cancelled")], []),
        (.refunding, .capture, .refunding, [.failed(reason: "cancelled")], []),
        (.cancelled, .capture, .cancelled, [.failed(reason: "cancelled")], []),
        (.authorizing, .cancel(reason: "c", paymentID: aPayment), .authorizing, [], []),
        (.authorized, .cancel(reason: "c", paymentID: aPayment), .voiding, [], [.void]),
        (.declined, .cancel(reason: "c", paymentID: aPayment), .cancelled, [.cancelled(refunded: nil)], []),
        (.failed, .cancel(reason: "c", paymentID: aPayment), .voiding, [], [.void]),
        (.capturing, .cancel(reason: "c", paymentID: aPayment), .capturing, [], []),
        (.captured, .cancel(reason: "c", paymentID: aPayment), .refunding, [], [.refund]),
        (.voiding, .cancel(reason: "c", paymentID: aPayment), .voiding, [], []),
        (.refunding, .cancel(reason: "c", paymentID: aPayment), .refunding, [], []),
        (.cancelled, .cancel(reason: "c", paymentID: aPayment), .cancelled, [.cancelled(refunded: nil)], []),
    ]

    @Test func everyCommandInEveryPhase() throws {
        #expect(Self.commands.count == PaymentPhase.allCases.count * 3)
        for (from, input, to, replies, begin) in Self.commands {
            let decision = try Payment.decide(payment(from), orderID: anOrder, input)
            #expect(decision.payment?.phase == to, "\(from) \(input)")
            #expect(decision.replies == replies, "\(from) \(input)")
            #expect(decision.begin == begin, "\(from) \(input)")
        }
    }

    static let outcomes: [Row] = [
        (.authorizing, .settled(.authorize, .succeeded(reference: "a")), .authorized, [.authorized], []),
        (
            .authorizing, .settled(.authorize, .refused(reason: "card-declined")), .declined,
            [.declined(reason: "card-declined")], []
        ),
        (.authorizing, .settled(.authorize, .givenUp), .failed, [.failed(reason: "gateway-unresolved")], []),
        (.failed, .settled(.authorize, .succeeded(reference: "a")), .voiding, [], [.void]),
        (.cancelled, .settled(.authorize, .succeeded(reference: "a")), .voiding, [], [.void]),
        (.failed, .settled(.authorize, .refused(reason: "no")), .failed, [], []),
        (.capturing, .settled(.capture, .succeeded(reference: "c")), .captured, [.captured(tenEuros)], []),
        (.capturing, .settled(.capture, .refused(reason: "no")), .failed, [.failed(reason: "capture-refused")], []),
        (.capturing, .settled(.capture, .givenUp), .failed, [.failed(reason: "gateway-unresolved")], []),
        (.failed, .settled(.capture, .succeeded(reference: "c")), .refunding, [], [.refund]),
        (.voiding, .settled(.capture, .succeeded(reference: "c")), .refunding, [], [.refund]),
        (.cancelled, .settled(.capture, .succeeded(reference: "c")), .refunding, [], [.refund]),
        (.cancelled, .settled(.capture, .refused(reason: "no")), .cancelled, [], []),
        (.voiding, .settled(.void, .succeeded(reference: "v")), .cancelled, [.cancelled(refunded: nil)], []),
        (.voiding, .settled(.void, .refused(reason: "gone")), .cancelled, [.cancelled(refunded: nil)], []),
        (.voiding, .settled(.void, .refused(reason: "already-captured")), .voiding, [], []),
        (.refunding, .settled(.void, .succeeded(reference: "v")), .refunding, [], []),
        (.refunding, .settled(.refund, .succeeded(reference: "r")), .cancelled, [.cancelled(refunded: tenEuros)], []),
        (
            .refunding, .settled(.refund, .refused(reason: "already-refunded")), .cancelled,
            [.cancelled(refunded: tenEuros)], []
        ),
        (.refunding, .settled(.refund, .refused(reason: "try-later")), .refunding, [], [.refund]),
        (.captured, .settled(.capture, .succeeded(reference: "c")), .captured, [], []),
        (.refunding, .settled(.capture, .succeeded(reference: "c")), .refunding, [], []),
        (.authorizing, .settled(.authorize, .notSent), .authorizing, [], []),
        (.capturing, .settled(.capture, .notSent), .capturing, [], []),
        (.voiding, .settled(.void, .notSent), .voiding, [], []),
        (.refunding, .settled(.refund, .notSent), .refunding, [], []),
    ]

    @Test func outcomesLeadWhereTheyShould() throws {
        for (from, input, to, replies, begin) in Self.outcomes {
            let decision = try Payment.decide(payment(from), orderID: anOrder, input)
            #expect(decision.payment?.phase == to, "\(from) \(input)")
            #expect(decision.replies == replies, "\(from) \(input)")
            #expect(decision.begin == begin, "\(from) \(input)")
        }
    }

    @Test func aVoidRefusedForACaptureAsksForTheCapture() throws {
        let decision = try Payment.decide(
            payment(.voiding),
            orderID: anOrder,
            .settled(.void, .refused(reason: "already-captured"))
        )
        #expect(decision.hasten == [.capture])
    }

    @Test func everyPhaseTakesEveryInputAndStaysOnThePath() throws {
        var seen = 0
        for phase in PaymentPhase.allCases {
            for cancelled in [false, true] {
                for input in everyInput {
                    let before = payment(phase) { if cancelled { $0.cancelReason = "customer" } }
                    let decision = try Payment.decide(before, orderID: anOrder, input)
                    let after = try #require(decision.payment)
                    #expect(after.phase == phase || phase.successors.contains(after.phase), "\(phase) \(input)")
                    #expect(after.version == Int64(decision.milestones.count))
                    #expect(Set(decision.begin).count == decision.begin.count)
                    for posting in decision.postings {
                        #expect(posting.entries.reduce(0) { $0 + $1.minorUnits } == 0)
                    }
                    seen += 1
                }
            }
        }
        #expect(seen == 9 * 2 * everyInput.count)
    }

    @Test func cancelWhileUnderWayWaitsForTheAnswer() throws {
        let cancel = PaymentInput.cancel(reason: "customer", paymentID: aPayment)
        let authorizing = try Payment.decide(payment(.authorizing), orderID: anOrder, cancel).payment
        let landed = try Payment.decide(authorizing, orderID: anOrder, .settled(.authorize, .succeeded(reference: "a")))
        #expect(landed.payment?.phase == .voiding)
        #expect(landed.replies.isEmpty)
        let declined = try Payment.decide(authorizing, orderID: anOrder, .settled(.authorize, .refused(reason: "no")))
        #expect(declined.payment?.phase == .cancelled)
        #expect(declined.replies == [.cancelled(refunded: nil)])
        let lost = try Payment.decide(authorizing, orderID: anOrder, .settled(.authorize, .givenUp))
        #expect(lost.payment?.phase == .cancelled)
        #expect(lost.replies == [.cancelled(refunded: nil)])

        let capturing = try Payment.decide(payment(.capturing), orderID: anOrder, cancel).payment
        let captured = try Payment.decide(capturing, orderID: anOrder, .settled(.capture, .succeeded(reference: "c")))
        #expect(captured.payment?.phase == .refunding)
        #expect(captured.postings.map(\.credit) == [.suspense])
        let refused = try Payment.decide(capturing, orderID: anOrder, .settled(.capture, .refused(reason: "no")))
        #expect(refused.payment?.phase == .voiding)
    }

    @Test func whatWasNeverSentIsTakenBack() throws {
        let cancel = PaymentInput.cancel(reason: "customer", paymentID: aPayment)
        let waiting = payment(.authorizing) { $0.intents[.authorize] = .prepared }
        let decision = try Payment.decide(waiting, orderID: anOrder, cancel)
        #expect(decision.withdraw == [.authorize])
        #expect(decision.payment?.phase == .cancelled)
        #expect(decision.replies == [.cancelled(refunded: nil)])
        let capture = try Payment.decide(
            payment(.capturing) { $0.intents[.capture] = .prepared },
            orderID: anOrder,
            cancel
        )
        #expect(capture.withdraw == [.capture])
        #expect(capture.begin == [.void])
    }

    /// The cancel comes while the call is being made, and the call turns out never to have left.
    @Test func aCancelThatWasRememberedTakesBackWhatNeverLeft() throws {
        let cancel = PaymentInput.cancel(reason: "customer", paymentID: aPayment)
        let authorizing = try Payment.decide(payment(.authorizing), orderID: anOrder, cancel)
        #expect(authorizing.withdraw.isEmpty && authorizing.replies.isEmpty, "it may have been sent")
        let withdrawn = try Payment.decide(authorizing.payment, orderID: anOrder, .settled(.authorize, .notSent))
        #expect(withdrawn.withdraw == [.authorize] && withdrawn.begin.isEmpty)
        #expect(withdrawn.payment?.phase == .cancelled)
        #expect(withdrawn.payment?.intents[.authorize] == .withdrawn)
        #expect(withdrawn.replies == [.cancelled(refunded: nil)])

        let capturing = try Payment.decide(payment(.capturing), orderID: anOrder, cancel).payment
        let voiding = try Payment.decide(capturing, orderID: anOrder, .settled(.capture, .notSent))
        #expect(voiding.withdraw == [.capture] && voiding.begin == [.void])
        #expect(voiding.payment?.phase == .voiding)
        #expect(voiding.replies.isEmpty && voiding.postings.isEmpty)
    }

    @Test func withoutACancelWhatNeverLeftOnlyWaits() throws {
        let waiting = try Payment.decide(payment(.capturing), orderID: anOrder, .settled(.capture, .notSent))
        let expected = payment(.capturing) { $0.intents[.capture] = .prepared }
        #expect(waiting.payment == expected)
        #expect(waiting.withdraw.isEmpty && waiting.begin.isEmpty && waiting.milestones.isEmpty)
    }

    @Test func aRefundIsBookedAgainstWhatTheCaptureWasBookedTo() throws {
        let income = payment(.refunding) { $0.captureAccount = .revenue }
        let done = PaymentInput.settled(.refund, .succeeded(reference: "r"))
        #expect(try Payment.decide(income, orderID: anOrder, done).postings.map(\.debit) == [.refunds])
        #expect(try Payment.decide(payment(.refunding), orderID: anOrder, done).postings.map(\.debit) == [.suspense])
    }
}
