import AnalyticsCore
import Commerce
public import DurableStore
public import Messaging

/// Folds events into the read models, in the transaction that also moves the offset.
public struct ReadModelHandler: MessageHandler {
    public let consumer = EventReader.readModels.consumer

    /// Makes the handler.
    public init() {}

    public func handle(_ envelope: Envelope, in tx: Transaction) throws {
        let store = ReadModelStore(db: tx.db)
        for change in try changes(for: envelope, store) { try store.apply(change) }
    }

    private func changes(for envelope: Envelope, _ store: ReadModelStore) throws -> [ReadModelChange] {
        if envelope.type.hasPrefix("waybill.order.") {
            let event = try PayloadCodec.decode(OrderEvent.self, from: envelope)
            guard let sequence = envelope.sequence, let placedAt = Timestamp(event.placedAt) else {
                throw PayloadFault(code: "payload-invalid", "An order event needs a sequence and a time of placement.")
            }
            return ReadModelFold.changes(
                for: event,
                sequence: sequence,
                known: try store.version(of: event.orderID),
                placedAt: placedAt,
                at: envelope.time
            )
        }
        if envelope.type == CatalogItemPut.messageType {
            return ReadModelFold.changes(for: try PayloadCodec.decode(CatalogItemPut.self, from: envelope))
        }
        if envelope.type.hasPrefix("waybill.payment.") {
            return ReadModelFold.changes(for: try PayloadCodec.decode(PaymentEvent.self, from: envelope))
        }
        throw PayloadFault.unknownType(envelope.type)
    }
}
