import Commerce
import DurableStore
import Messaging
import PaymentCore

/// Carries one decision out inside a unit of work: payment, history, events, intents, ledger and replies commit together.
struct PaymentUnit: Sendable {
    /// Told after a commit that left something to call.
    let wake: @Sendable () -> Void

    /// The pause before a refund is tried again that the gateway refused.
    static let refusedPause: Int64 = 60_000

    /// Decides and stores.
    ///
    /// - Parameter origin: what a command belongs to; `nil` for outcomes, which belong to what the last command belonged to.
    /// - Throws: a permanent failure for what is rejected.
    func apply(_ input: PaymentInput, to orderID: OrderID, origin: Origin?, in tx: Transaction) throws {
        var stored = try PaymentTable.load(orderID, in: tx.db)
        let before = stored?.payment
        let decision: PaymentDecision
        do throws(PaymentRejection) {
            decision = try Payment.decide(before, orderID: orderID, input)
        } catch {
            throw Failure(.permanent, code: error.rawValue, "The payment does not take this: \(error.rawValue).")
        }
        let origin = origin ?? stored?.origin ?? Origin(correlationID: orderID.text, causationID: nil, traceparent: nil)
        if let payment = decision.payment {
            if let known = stored {
                if payment != known.payment || origin != known.origin {
                    stored = StoredPayment(payment: payment, origin: origin, revision: known.revision)
                    try stored.map { try PaymentTable.update($0, at: tx.now, in: tx.db) }
                } else {
                    tx.noteNoOperation()
                }
            } else {
                try PaymentTable.insert(
                    StoredPayment(payment: payment, origin: origin, revision: 1),
                    at: tx.now,
                    in: tx.db
                )
            }
            try storeIntents(decision, payment, in: tx)
            try announce(decision, payment, before, origin, in: tx)
            try post(decision, payment, in: tx)
        }
        try reply(decision, orderID, origin, in: tx)
    }

    private func storeIntents(_ decision: PaymentDecision, _ payment: Payment, in tx: Transaction) throws {
        for kind in decision.withdraw { try IntentTable.withdraw(kind, of: payment.orderID, at: tx.now, in: tx.db) }
        for kind in decision.begin {
            try IntentTable.begin(
                kind,
                for: payment.orderID,
                key: tx.newID(),
                pause: Self.refusedPause,
                at: tx.now,
                in: tx.db
            )
        }
        for kind in decision.hasten { try IntentTable.hasten(kind, of: payment.orderID, at: tx.now, in: tx.db) }
        if !decision.begin.isEmpty || !decision.hasten.isEmpty { tx.afterCommit(wake) }
    }

    private func announce(
        _ decision: PaymentDecision,
        _ payment: Payment,
        _ before: Payment?,
        _ origin: Origin,
        in tx: Transaction
    ) throws {
        guard let charge = payment.charge else { return }
        var version = before?.version ?? 0
        var previous = before?.milestone
        for milestone in decision.milestones {
            version += 1
            try PaymentTable.appendHistory(
                payment.orderID,
                version: version,
                from: previous,
                milestone,
                at: tx.now,
                in: tx.db
            )
            try tx.enqueue(
                origin.context(now: tx.now).event(
                    PaymentEvent(
                        orderID: payment.orderID,
                        paymentID: payment.paymentID,
                        kind: milestone.kind,
                        amount: charge.amount,
                        reason: milestone.reason
                    ),
                    type: PaymentEvent.messageType(for: milestone.kind),
                    topic: Channels.paymentsTopic,
                    id: tx.newID(),
                    subject: payment.orderID.text,
                    sequence: version
                )
            )
            previous = milestone.kind
        }
    }

    private func post(_ decision: PaymentDecision, _ payment: Payment, in tx: Transaction) throws {
        for posting in decision.postings {
            guard let key = try IntentTable.lastKey(of: posting.kind, for: payment.orderID, in: tx.db) else {
                throw RowFault.failure("intents")
            }
            try LedgerTable.post(posting, sourceEvent: key, orderID: payment.orderID, at: tx.now, in: tx.db)
        }
    }

    private func reply(
        _ decision: PaymentDecision,
        _ orderID: OrderID,
        _ origin: Origin,
        in tx: Transaction
    ) throws {
        let context = origin.context(now: tx.now)
        func send(_ message: some CommerceMessage) throws {
            try tx.enqueue(context.message(message, to: Channels.orderInbox, id: tx.newID(), subject: orderID.text))
        }
        for reply in decision.replies {
            switch reply {
            case .authorized:
                guard let paymentID = decision.payment?.paymentID else { continue }
                try send(PaymentAuthorized(orderID: orderID, paymentID: paymentID))
            case .declined(let reason): try send(PaymentDeclined(orderID: orderID, reason: reason))
            case .captured(let amount): try send(PaymentCaptured(orderID: orderID, amount: amount))
            case .failed(let reason): try send(PaymentFailed(orderID: orderID, reason: reason))
            case .cancelled(let refunded): try send(PaymentCancelled(orderID: orderID, refunded: refunded))
            }
        }
    }
}
