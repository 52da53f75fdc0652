import Commerce
public import DurableStore
import InventoryCore
public import Messaging

/// Commands to inventory: reserve, commit, release. Each is answered, also when nothing changes.
public struct ReservationHandler: MessageHandler {
    /// The name under which handled messages are remembered.
    public let consumer = Channels.inventoryInbox

    /// The deadline that ends an unused hold; its subject is the order.
    package static let expiryDeadline = "reservation"
    /// The longest hold that is granted, whatever the command asks.
    static let longestHold: Duration = .seconds(3600)

    /// Makes the handler.
    public init() {}

    /// Lets a command happen to its order's reservation, and begins or ends the hold's deadline with it.
    ///
    /// - Throws: ``PayloadFault`` (poison) for what cannot be read or no decent order service asks.
    public func handle(_ envelope: Envelope, in tx: Transaction) throws {
        let (orderID, input, holdEnd) = try read(envelope, tx)
        guard orderID.text == envelope.subject else { throw PayloadFault.subjectMismatch }
        let context = MessageContext(source: "/waybill/inventory", causedBy: envelope, now: tx.now)
        switch try apply(input, to: orderID, context, tx) {
        case .held: if let holdEnd { try tx.setDeadline(Self.expiryDeadline, for: orderID.text, at: holdEnd) }
        case .committed, .released: try tx.clearDeadline(Self.expiryDeadline, for: orderID.text)
        case .refused, .expired, nil: break
        }
    }

    /// What a command asks of which order, and when the hold ends that it may begin.
    private func read(_ envelope: Envelope, _ tx: Transaction) throws -> (OrderID, ReservationInput, Timestamp?) {
        switch envelope.type {
        case ReserveStock.messageType:
            let command = try PayloadCodec.decode(ReserveStock.self, from: envelope)
            let holdEnd = try Self.holdEnd(of: command, now: tx.now)
            let stock = try ReservationStore(db: tx.db).levels(of: command.items)
            return (command.orderID, .reserve(command.items, stock: stock), holdEnd)
        case CommitStock.messageType:
            return (try PayloadCodec.decode(CommitStock.self, from: envelope).orderID, .commit, nil)
        case ReleaseStock.messageType:
            let command = try PayloadCodec.decode(ReleaseStock.self, from: envelope)
            return (command.orderID, .release(reason: String(command.reason.prefix(100))), nil)
        default:
            throw PayloadFault.unknownType(envelope.type)
        }
    }

    /// Ends a hold whose time is over. Runs in the unit that removes the deadline.
    public func expire(_ subject: String, in tx: Transaction) throws {
        guard let orderID = OrderID(subject) else { return }
        let context = MessageContext(
            source: "/waybill/inventory",
            correlationID: subject,
            causationID: nil,
            traceparent: nil,
            now: tx.now
        )
        _ = try apply(.expire, to: orderID, context, tx)
    }

    /// Decides, saves, announces, answers. Returns the new status, or `nil` when nothing changed.
    private func apply(
        _ input: ReservationInput,
        to orderID: OrderID,
        _ context: MessageContext,
        _ tx: Transaction
    ) throws -> Reservation.Status? {
        let store = ReservationStore(db: tx.db)
        let current = try store.reservation(of: orderID)
        let decision = Reservation.decide(current, orderID: orderID, input)
        if let changed = decision.changed, let kind = decision.event {
            try store.save(changed, from: current, stock: decision.stock, at: tx.now)
            let event = ReservationEvent(orderID: orderID, kind: kind, items: changed.items, reason: changed.reason)
            try tx.enqueue(
                context.event(
                    event,
                    type: ReservationEvent.messageType(for: kind),
                    topic: Channels.inventoryTopic,
                    id: tx.newID(),
                    subject: orderID.text,
                    sequence: changed.version
                )
            )
        }
        if let reply = decision.reply { try answer(reply, orderID, context, tx) }
        return decision.changed?.status
    }

    private func answer(
        _ reply: ReservationReply,
        _ orderID: OrderID,
        _ context: MessageContext,
        _ tx: Transaction
    ) throws {
        func send<Reply: CommerceMessage>(_ payload: Reply) throws {
            try tx.enqueue(
                context.message(payload, to: Channels.orderInbox, id: tx.newID(), subject: orderID.text)
            )
        }
        switch reply {
        case .reserved: try send(StockReserved(orderID: orderID))
        case .refused(let reason, let sku): try send(StockRefused(orderID: orderID, reason: reason, sku: sku))
        case .committed: try send(StockCommitted(orderID: orderID))
        case .commitRefused(let reason): try send(StockCommitRefused(orderID: orderID, reason: reason))
        case .released: try send(StockReleased(orderID: orderID))
        }
    }

    /// When the hold ends, checked against what a decent command can ask.
    private static func holdEnd(of command: ReserveStock, now: Timestamp) throws -> Timestamp {
        guard OrderLimits.lines.contains(command.items.count) else {
            throw PayloadFault(code: "payload-invalid", "A reservation has 1 to 100 lines.")
        }
        guard Set(command.items.map(\.sku)).count == command.items.count else {
            throw PayloadFault(code: "payload-invalid", "An article appears twice in a reservation.")
        }
        guard let end = Timestamp(command.expiresAt) else {
            throw PayloadFault(code: "payload-invalid", "expiresAt is not an RFC 3339 time.")
        }
        return min(end, now.advanced(by: longestHold))
    }
}
