import Commerce
public import DurableStore
public import Messaging
import PaymentCore

/// Handles the commands of `payment.inbox`: decode, decide, store. The calls that follow are made by ``IntentRunner``.
public struct PaymentCommandHandler: MessageHandler {
    private let unit: PaymentUnit

    /// Makes a handler.
    /// - Parameter wake: told after a commit that left something to call.
    public init(wake: @escaping @Sendable () -> Void) {
        unit = PaymentUnit(wake: wake)
    }

    public var consumer: String { Channels.paymentInbox }

    public func handle(_ envelope: Envelope, in transaction: Transaction) throws {
        let (orderID, input) = try read(envelope, transaction)
        guard orderID.text == envelope.subject else { throw PayloadFault.subjectMismatch }
        try unit.apply(input, to: orderID, origin: Origin(envelope), in: transaction)
    }

    private func read(_ envelope: Envelope, _ tx: Transaction) throws -> (OrderID, PaymentInput) {
        switch envelope.type {
        case AuthorizePayment.messageType:
            let command = try PayloadCodec.decode(AuthorizePayment.self, from: envelope)
            guard (0...Money.maximumMinorUnits).contains(command.amount.minorUnits) else {
                throw PayloadFault(code: "amount-out-of-range", "The amount is negative or too large.")
            }
            let charge = Payment.Charge(amount: command.amount, card: command.card)
            return (command.orderID, .authorize(charge, paymentID: try newPaymentID(tx)))
        case CapturePayment.messageType:
            return (try PayloadCodec.decode(CapturePayment.self, from: envelope).orderID, .capture)
        case CancelPayment.messageType:
            let command = try PayloadCodec.decode(CancelPayment.self, from: envelope)
            let reason = String(command.reason.prefix(200))
            return (command.orderID, .cancel(reason: reason, paymentID: try newPaymentID(tx)))
        default:
            throw PayloadFault.unknownType(envelope.type)
        }
    }

    private func newPaymentID(_ tx: Transaction) throws -> PaymentID {
        let text = tx.newID()
        guard let id = PaymentID(text) else {
            throw Failure(.fatal, code: "id-not-uuid", "The source of identifiers gave something that is no UUID.")
        }
        return id
    }
}
