import Commerce
public import DurableStore
public import Messaging

/// Copies the catalogue, article by article, from inventory's events.
public struct CatalogReplica: MessageHandler {
    /// The name under which offsets and handled messages are remembered.
    public let consumer = EventReader.catalogReplica.consumer

    /// Makes the handler.
    public init() {}

    /// Takes an article over; an older version than the one that is there is ignored.
    ///
    /// - Throws: ``PayloadFault`` (poison) for what cannot be read or no catalogue can say.
    public func handle(_ envelope: Envelope, in tx: Transaction) throws {
        guard envelope.type == CatalogItemPut.messageType else { throw PayloadFault.unknownType(envelope.type) }
        let item = try PayloadCodec.decode(CatalogItemPut.self, from: envelope)
        guard item.sku.text == envelope.subject else { throw PayloadFault.subjectMismatch }
        guard let sequence = envelope.sequence else {
            throw PayloadFault(code: "sequence-missing", "An event of the catalogue has no sequence.")
        }
        guard (0...Money.maximumMinorUnits).contains(item.price.minorUnits), (1...200).contains(item.name.count) else {
            throw PayloadFault(code: "payload-invalid", "The price or the name of an article is out of bounds.")
        }
        if try !CatalogTable.put(item, sequence: sequence, at: tx.now, in: tx.db) { tx.noteNoOperation() }
    }
}
