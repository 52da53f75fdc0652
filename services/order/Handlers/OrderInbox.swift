import Commerce
public import DurableStore
public import Messaging
import OrderCore

/// Takes the answers of inventory and payment.
public struct OrderInbox: MessageHandler {
    private let process: OrderProcess

    /// The name under which handled messages are remembered.
    public let consumer = Channels.orderInbox

    init(process: OrderProcess) {
        self.process = process
    }

    /// Lets an answer happen to its order. Duplicates, late answers and answers in the wrong order change nothing.
    ///
    /// - Throws: ``PayloadFault`` (poison) for what cannot be read; a permanent ``Failure`` for an unknown order.
    public func handle(_ envelope: Envelope, in tx: Transaction) throws {
        let answer = try OrderAnswer(envelope)
        guard answer.orderID.text == envelope.subject else { throw PayloadFault.subjectMismatch }
        guard let stored = try OrderTable.find(answer.orderID, in: tx.db) else {
            throw Failure(.permanent, code: "unknown-order", "There is no order that this message could be about.")
        }
        try process.happen(answer.input, to: stored, cause: .message(envelope), in: tx)
    }
}

/// An answer of another service, read from its message.
struct OrderAnswer {
    let orderID: OrderID
    let input: OrderInput

    init(_ envelope: Envelope) throws(PayloadFault) {
        switch envelope.type {
        case StockReserved.messageType:
            orderID = try PayloadCodec.decode(StockReserved.self, from: envelope).orderID
            input = .stockReserved
        case StockRefused.messageType:
            let reply = try PayloadCodec.decode(StockRefused.self, from: envelope)
            (orderID, input) = (reply.orderID, .stockRefused(OrderReason(reply.reason)))
        case StockCommitted.messageType:
            orderID = try PayloadCodec.decode(StockCommitted.self, from: envelope).orderID
            input = .stockCommitted
        case StockCommitRefused.messageType:
            let reply = try PayloadCodec.decode(StockCommitRefused.self, from: envelope)
            (orderID, input) = (reply.orderID, .stockCommitRefused(OrderReason(reply.reason)))
        case StockReleased.messageType:
            orderID = try PayloadCodec.decode(StockReleased.self, from: envelope).orderID
            input = .stockReleased
        case PaymentAuthorized.messageType:
            orderID = try PayloadCodec.decode(PaymentAuthorized.self, from: envelope).orderID
            input = .paymentAuthorized
        case PaymentDeclined.messageType:
            let reply = try PayloadCodec.decode(PaymentDeclined.self, from: envelope)
            (orderID, input) = (reply.orderID, .paymentDeclined(OrderReason(reply.reason)))
        case PaymentCaptured.messageType:
            let reply = try PayloadCodec.decode(PaymentCaptured.self, from: envelope)
            (orderID, input) = (reply.orderID, .paymentCaptured(reply.amount))
        case PaymentFailed.messageType:
            let reply = try PayloadCodec.decode(PaymentFailed.self, from: envelope)
            (orderID, input) = (reply.orderID, .paymentFailed(OrderReason(reply.reason)))
        case PaymentCancelled.messageType:
            orderID = try PayloadCodec.decode(PaymentCancelled.self, from: envelope).orderID
            input = .paymentCancelled
        default:
            throw PayloadFault.unknownType(envelope.type)
        }
    }
}
