public import Messaging

/// What an order does about everything that can happen to it.
///
/// ```
///                     start                stockReserved            paymentAuthorized
///  (accepted) placed ───────► awaitingStock ───────────► awaitingPayment ───────────► capturing ─┐
///                               │  │                        │                           │        │ paymentCaptured
///                 stockRefused  │  │ cancel, deadline       │ declined, failed,         │ failed, cancel,
///                               ▼  │                        │ cancel, deadline          │ deadline, other amount
///                        rejected  │                        │                           │        ▼
///                                  ▼                        ▼                           ▼     committing ──┐
///                              cancelling ◄─────────────────┴───────────────────────────┘   ▲ │  │ deadline: ask again
///                               │    │  ▲ deadline: ask again      stockCommitRefused ───────┼─┘  └──┘
///        everything undone      │    └──┘ (1,440 rounds)       (to cancelling, refund)      │
///                               ▼       └──► needsOperator            stockCommitted        ▼
///                           cancelled                                                   completed
/// ```
///
/// `capturing` and `committing` are both the status `confirming`. From `committing` on the money is taken and the stock is
/// being consumed: a customer's cancellation is refused, a deadline asks again, only inventory's own refusal turns back.
///
/// `republish` leaves every state as it is and asks once more for what the order waits for: after a loss of the broker's data.
///
/// Total and pure: every input in every state has a decision or a typed refusal, nothing is read or written. Answers may
/// come twice, late and in any order; what does not fit is a decision to do nothing. That is safe because every
/// compensation is *asked for and answered* before an order counts as cancelled, and its receiver refuses whatever arrives
/// after it (a tombstone).
public enum OrderRules {
    /// Decides.
    ///
    /// - Parameters:
    ///   - order: the order as it is now.
    ///   - now: the present, for deadlines only; it orders nothing.
    /// - Throws: ``OrderRefusal``, only for `cancelRequested`.
    public static func decide(
        _ order: Order,
        _ input: OrderInput,
        at now: Timestamp,
        timing: OrderTiming = .standard
    ) throws(OrderRefusal) -> OrderDecision {
        let step = Step(order: order, now: now, timing: timing)
        switch order.state {
        case .placed: return try placed(step, input)
        case .awaitingStock: return awaitingStock(step, input)
        case .awaitingPayment: return awaitingPayment(step, input)
        case .capturing: return capturing(step, input)
        case .committing: return try committing(step, input)
        case .cancelling(let compensation): return cancelling(step, compensation, input)
        case .cancelled:
            // Asking for what is already done is granted.
            return step.ignore(input == .cancelRequested ? .repeated : .late)
        case .completed, .rejected, .needsOperator:
            if input == .cancelRequested { throw .final(order.state.status) }
            return step.ignore(.late)
        }
    }

    /// The decision about an order that was just accepted: it comes into being, and stock is asked for at once.
    public static func begin(
        _ order: Order,
        at now: Timestamp,
        timing: OrderTiming = .standard
    ) -> OrderDecision {
        let start = Step(order: order, now: now, timing: timing).begin()
        return OrderDecision(
            .applied,
            state: start.state,
            transitions: [OrderTransition(from: nil, to: order.state.status)] + start.transitions,
            commands: start.commands,
            deadlines: start.deadlines
        )
    }

    private static func placed(_ step: Step, _ input: OrderInput) throws(OrderRefusal) -> OrderDecision {
        switch input {
        case .start: return step.begin()
        case .cancelRequested: throw .notStarted
        default: return step.ignore(.unexpected)
        }
    }

    private static func awaitingStock(_ step: Step, _ input: OrderInput) -> OrderDecision {
        switch input {
        case .stockReserved:
            return step.go(to: .awaitingPayment, asking: [.authorizePayment], from: .stock, until: .payment)
        case .stockRefused(let reason):
            return step.go(to: .rejected(reason), from: .stock)
        case .cancelRequested:
            return step.undo(.customer, payment: .notNeeded, from: .stock)
        case .deadline(.stock):
            return step.undo(.deadline, payment: .notNeeded, from: nil)
        case .republish:
            return step.askAgain([step.reserveStock])
        case .start, .deadline:
            return step.ignore(.repeated)
        case .stockCommitted, .stockCommitRefused, .stockReleased, .paymentAuthorized, .paymentDeclined,
            .paymentCaptured,
            .paymentFailed, .paymentCancelled:
            return step.ignore(.unexpected)
        }
    }

    private static func awaitingPayment(_ step: Step, _ input: OrderInput) -> OrderDecision {
        switch input {
        case .paymentAuthorized:
            return step.go(to: .capturing, asking: [.capturePayment], from: .payment, until: .confirmation)
        case .paymentDeclined(let reason):
            // A declined payment holds no money: payment has nothing to undo.
            return step.undo(reason, payment: .notNeeded, from: .payment)
        case .paymentFailed(let reason):
            return step.undo(reason, payment: .outstanding, from: .payment)
        case .cancelRequested:
            return step.undo(.customer, payment: .outstanding, from: .payment)
        case .deadline(.payment):
            return step.undo(.deadline, payment: .outstanding, from: nil)
        case .republish:
            return step.askAgain([.authorizePayment])
        case .start, .stockReserved, .stockRefused, .deadline:
            return step.ignore(.repeated)
        case .stockCommitted, .stockCommitRefused, .stockReleased, .paymentCaptured, .paymentCancelled:
            return step.ignore(.unexpected)
        }
    }

    private static func capturing(_ step: Step, _ input: OrderInput) -> OrderDecision {
        switch input {
        case .paymentCaptured(let amount):
            guard amount == step.order.total else {
                return step.undo(.amountMismatch, payment: .outstanding, from: .confirmation)
            }
            return step.go(to: .committing, asking: [.commitStock], from: nil, until: .confirmation)
        case .paymentFailed(let reason), .paymentDeclined(let reason):
            return step.undo(reason, payment: .outstanding, from: .confirmation)
        case .cancelRequested:
            return step.undo(.customer, payment: .outstanding, from: .confirmation)
        case .deadline(.confirmation):
            return step.undo(.deadline, payment: .outstanding, from: nil)
        case .republish:
            return step.askAgain([.capturePayment])
        case .start, .stockReserved, .stockRefused, .paymentAuthorized, .deadline:
            return step.ignore(.repeated)
        case .stockCommitted, .stockCommitRefused, .stockReleased, .paymentCancelled:
            return step.ignore(.unexpected)
        }
    }

    private static func committing(_ step: Step, _ input: OrderInput) throws(OrderRefusal) -> OrderDecision {
        switch input {
        case .stockCommitted:
            return step.go(to: .completed, from: .confirmation)
        case .stockCommitRefused(let reason):
            // Inventory holds nothing and says so: only the money is left to give back.
            return step.undo(reason, stock: .notNeeded, payment: .outstanding, from: .confirmation)
        case .deadline(.confirmation):
            let again: [OrderCommand] = Sabotage.isOn("commit-asked-once") ? [] : [.commitStock]
            return step.go(to: .committing, asking: again, from: nil, until: .confirmation)
        case .republish:
            return step.askAgain([.commitStock])
        case .cancelRequested:
            throw .tooLate
        case .start, .stockReserved, .stockRefused, .paymentAuthorized, .paymentDeclined, .paymentCaptured,
            .paymentFailed,
            .deadline:
            return step.ignore(.repeated)
        case .stockReleased, .paymentCancelled:
            return step.ignore(.unexpected)
        }
    }

    private static func cancelling(_ step: Step, _ compensation: Compensation, _ input: OrderInput) -> OrderDecision {
        var next = compensation
        switch input {
        case .stockReleased where compensation.stock == .outstanding:
            next.stock = .done
        case .paymentCancelled where compensation.payment == .outstanding:
            next.payment = .done
        case .deadline(.compensation):
            guard compensation.rounds < step.timing.compensationRounds else {
                return step.go(to: .needsOperator(compensation), from: nil)
            }
            next.rounds += 1
            let again = Sabotage.isOn("compensation-asked-once") ? [] : step.requests(of: next)
            return step.go(to: .cancelling(next), asking: again, from: nil, until: .compensation)
        case .republish:
            // Not a round: only deadlines use those up.
            return step.askAgain(step.requests(of: compensation))
        case .stockReleased, .paymentCancelled, .cancelRequested:
            return step.ignore(.repeated)
        default:
            return step.ignore(.late)
        }
        guard next.isFinished else { return step.go(to: .cancelling(next), from: nil) }
        return step.go(to: .cancelled(next.reason), from: .compensation)
    }
}

/// One decision in the making.
private struct Step {
    let order: Order
    let now: Timestamp
    let timing: OrderTiming

    func begin() -> OrderDecision {
        go(
            to: .awaitingStock,
            asking: [reserveStock],
            from: nil,
            until: .stock
        )
    }

    var reserveStock: OrderCommand { .reserveStock(expiresAt: now.advanced(by: timing.reservation)) }

    /// Stays, and asks once more.
    func askAgain(_ commands: [OrderCommand]) -> OrderDecision {
        go(to: order.state, asking: commands, from: nil)
    }

    func ignore(_ disposition: OrderDisposition) -> OrderDecision {
        OrderDecision(disposition, state: order.state)
    }

    /// On to a state.
    ///
    /// - Parameters:
    ///   - old: the deadline that no longer matters. One that has just passed is gone by itself.
    ///   - new: the deadline that begins (again).
    func go(
        to state: OrderState,
        asking commands: [OrderCommand] = [],
        from old: OrderDeadline?,
        until new: OrderDeadline? = nil
    ) -> OrderDecision {
        var deadlines: [OrderDeadlineChange] = []
        if let old { deadlines.append(.clear(old)) }
        if let new, !Sabotage.isOn("no-deadline") {
            deadlines.append(.set(new, at: now.advanced(by: timing.length(of: new))))
        }
        let changed = state.status != order.state.status
        return OrderDecision(
            .applied,
            state: state,
            transitions: changed
                ? [OrderTransition(from: order.state.status, to: state.status, reason: state.reason)] : [],
            commands: commands,
            deadlines: deadlines
        )
    }

    /// Begins to undo.
    func undo(
        _ reason: OrderReason,
        stock: Compensation.Step = .outstanding,
        payment: Compensation.Step,
        from old: OrderDeadline?
    ) -> OrderDecision {
        let payment = Sabotage.isOn("cancel-without-asking-payment") ? .notNeeded : payment
        let compensation = Compensation(reason: reason, stock: stock, payment: payment)
        return go(to: .cancelling(compensation), asking: requests(of: compensation), from: old, until: .compensation)
    }

    /// What is asked for in one round of a compensation.
    func requests(of compensation: Compensation) -> [OrderCommand] {
        (compensation.stock == .outstanding ? [.releaseStock(compensation.reason)] : [])
            + (compensation.payment == .outstanding ? [.cancelPayment(compensation.reason)] : [])
    }
}
