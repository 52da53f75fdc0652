import Commerce
import DurableStore
import GRDB
import Messaging
import PaymentCore

/// A payment as it is stored: with what its messages have in common, and the revision that its update must find.
struct StoredPayment {
    var payment: Payment
    var origin: Origin
    var revision: Int64
}

/// What messages about a payment have in common: they belong to what the last command belonged to.
struct Origin: Sendable, Hashable {
    var correlationID: String
    var causationID: String?
    var traceparent: String?

    init(correlationID: String, causationID: String?, traceparent: String?) {
        self.correlationID = correlationID
        self.causationID = causationID
        self.traceparent = traceparent
    }

    init(_ envelope: Envelope) {
        self.init(
            correlationID: envelope.correlationID,
            causationID: envelope.id,
            traceparent: envelope.traceparent
        )
    }

    func context(now: Timestamp) -> MessageContext {
        MessageContext(
            source: "/waybill/payment",
            correlationID: correlationID,
            causationID: causationID,
            traceparent: traceparent,
            now: now
        )
    }
}

/// Reads and writes `payments` and `payment_history`.
enum PaymentTable {
    private static let columns = """
        order_id, payment_id, amount, currency, card, phase, reason, cancel_reason, answer_owed, authorization, capture,
        capture_account, refunded, version, milestone, revision, correlation_id, causation_id, traceparent
        """

    static func load(_ orderID: OrderID, in db: Database) throws -> StoredPayment? {
        let statement = try db.cachedStatement(sql: "SELECT \(columns) FROM payments WHERE order_id = ?")
        guard var stored = try statement.first([orderID.text], decode) else { return nil }
        stored.payment.intents = try IntentTable.states(of: orderID, in: db)
        return stored
    }

    static func insert(_ stored: StoredPayment, at now: Timestamp, in db: Database) throws {
        let payment = stored.payment
        try db.cachedStatement(
            sql: """
                INSERT INTO payments (\(columns), created_at, updated_at)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 1, ?, ?, ?, ?, ?)
                """
        ).run([
            payment.orderID.text, payment.paymentID.text, payment.charge?.amount.minorUnits,
            payment.charge?.amount.currency.rawValue, payment.charge?.card.text, payment.phase.rawValue, payment.reason,
            payment.cancelReason, payment.answerOwed, payment.authorization, payment.capture,
            payment.captureAccount?.rawValue, payment.refunded, payment.version, payment.milestone?.rawValue,
            stored.origin.correlationID, stored.origin.causationID, stored.origin.traceparent,
            now.millisecondsSinceEpoch,
            now.millisecondsSinceEpoch,
        ])
    }

    /// - Throws: a retryable failure when the row is not at the revision that was loaded.
    static func update(_ stored: StoredPayment, at now: Timestamp, in db: Database) throws {
        let payment = stored.payment
        try db.cachedStatement(
            sql: """
                UPDATE payments SET phase = ?, reason = ?, cancel_reason = ?, answer_owed = ?, authorization = ?, capture = ?,
                    capture_account = ?, refunded = ?, version = ?, milestone = ?, revision = revision + 1,
                    correlation_id = ?, causation_id = ?, traceparent = ?, updated_at = ?
                WHERE order_id = ? AND revision = ?
                """
        ).run([
            payment.phase.rawValue, payment.reason, payment.cancelReason, payment.answerOwed, payment.authorization,
            payment.capture, payment.captureAccount?.rawValue, payment.refunded, payment.version,
            payment.milestone?.rawValue, stored.origin.correlationID, stored.origin.causationID,
            stored.origin.traceparent,
            now.millisecondsSinceEpoch, payment.orderID.text, stored.revision,
        ])
        guard db.changesCount == 1 else {
            throw Failure(.retryable, code: "payment-changed", "The payment was changed by someone else meanwhile.")
        }
    }

    static func appendHistory(
        _ orderID: OrderID,
        version: Int64,
        from: PaymentEvent.Kind?,
        _ milestone: PaymentDecision.Milestone,
        at now: Timestamp,
        in db: Database
    ) throws {
        try db.cachedStatement(
            sql:
                "INSERT INTO payment_history (order_id, version, from_status, to_status, reason, at) VALUES (?, ?, ?, ?, ?, ?)"
        ).run([
            orderID.text, version, from?.rawValue, milestone.kind.rawValue, milestone.reason,
            now.millisecondsSinceEpoch,
        ])
    }

    static func decode(_ row: Columns) throws -> StoredPayment {
        guard let orderID = OrderID(try row[0]), let paymentID = PaymentID(try row[1]),
            let phase = PaymentPhase(rawValue: try row[5])
        else { throw RowFault.failure("payments") }
        var charge: Payment.Charge?
        if let amount: Int64 = try row[2] {
            guard let currency = Currency(rawValue: try row[3] ?? ""), let card = CardToken(try row[4] ?? "") else {
                throw RowFault.failure("payments")
            }
            charge = Payment.Charge(amount: Money(minorUnits: amount, currency: currency), card: card)
        }
        let account: String? = try row[11]
        let milestone: String? = try row[14]
        return try StoredPayment(
            payment: Payment(
                orderID: orderID,
                paymentID: paymentID,
                charge: charge,
                phase: phase,
                reason: row[6],
                cancelReason: row[7],
                answerOwed: row[8],
                authorization: row[9],
                capture: row[10],
                captureAccount: account.flatMap(Payment.CaptureAccount.init(rawValue:)),
                refunded: row[12],
                version: row[13],
                milestone: milestone.flatMap(PaymentEvent.Kind.init(rawValue:))
            ),
            origin: Origin(correlationID: row[16], causationID: row[17], traceparent: row[18]),
            revision: row[15]
        )
    }
}

/// A row that holds what no version of this service writes.
enum RowFault {
    static func failure(_ table: String) -> Failure {
        Failure(.poison, code: "row-unreadable", "A row of the table \(table) cannot be read.")
    }
}
