import Commerce
import DurableStore
import Messaging
import OrderCore

/// What made something happen to an order.
struct OrderCause: Sendable {
    /// The message; `nil` when a person or a clock did it.
    let message: Envelope?
    /// The trace that it belongs to.
    let traceparent: String?

    static func message(_ envelope: Envelope) -> OrderCause {
        OrderCause(message: envelope, traceparent: envelope.traceparent)
    }

    static func noMessage(traceparent: String?) -> OrderCause {
        OrderCause(message: nil, traceparent: traceparent)
    }
}

/// Carries out what ``OrderRules`` decide: rows, events, commands and deadlines of one decision in one unit of work.
///
/// The only place where an order changes. A change of status is a history row and an event with the same version (X1);
/// every input leaves a row in the journal, also one that changed nothing.
struct OrderProcess: Sendable {
    /// The `source` of every message of this service.
    static let source = "/waybill/order"

    let timing: OrderTiming
    let metrics: OrderMetrics
    /// Told of each order whose status changed, after the commit; must not block.
    let changed: @Sendable (OrderID) -> Void

    /// Stores a new order and asks for its stock.
    ///
    /// - Returns: the order as it stands then.
    func begin(_ accepted: Order, cause: OrderCause, in tx: Transaction) throws -> Order {
        let decision = OrderRules.begin(accepted, at: tx.now, timing: timing)
        var order = accepted
        order.apply(decision, at: tx.now)
        try OrderTable.insert(order, traceparent: cause.traceparent, in: tx.db)
        try record(.start, decision, of: order, from: accepted.version, cause: cause, in: tx)
        return order
    }

    /// Lets something happen to an order.
    ///
    /// - Returns: what was decided, and the order afterwards.
    /// - Throws: ``OrderRefusal`` when a customer's wish is not granted; a ``Failure`` when a row cannot be read or written.
    @discardableResult
    func happen(
        _ input: OrderInput,
        to stored: StoredOrder,
        cause: OrderCause,
        in tx: Transaction
    ) throws -> (disposition: OrderDisposition, order: Order) {
        var order = stored.order
        let decision = try OrderRules.decide(order, input, at: tx.now, timing: timing)
        order.apply(decision, at: tx.now)
        if decision.disposition == .applied {
            try OrderTable.update(order, from: stored.order.version, in: tx.db)
        } else {
            tx.noteNoOperation()
        }
        try record(input, decision, of: order, from: stored.order.version, cause: cause, in: tx)
        return (decision.disposition, order)
    }

    /// How many commands an input would send, without anything happening.
    func foresee(_ input: OrderInput, of order: Order, at now: Timestamp) throws -> Int {
        try OrderRules.decide(order, input, at: now, timing: timing).commands.count
    }

    private func record(
        _ input: OrderInput,
        _ decision: OrderDecision,
        of order: Order,
        from version: Int64,
        cause: OrderCause,
        in tx: Transaction
    ) throws {
        let context = MessageContext(
            source: Self.source,
            correlationID: order.id.text,
            causationID: cause.message?.id,
            traceparent: cause.traceparent,
            now: tx.now
        )
        var sequence = version
        for transition in decision.transitions {
            sequence += 1
            try announce(transition, of: order, sequence: sequence, context: context, in: tx)
        }
        var sent: [SentCommand] = []
        for command in decision.commands {
            let id = tx.newID()
            try tx.enqueue(try message(for: command, of: order, id: id, context: context))
            sent.append(SentCommand(name: command.name, id: id))
        }
        for change in decision.deadlines {
            switch change {
            case .set(let deadline, let time): try tx.setDeadline(deadline.rawValue, for: order.id.text, at: time)
            case .clear(let deadline): try tx.clearDeadline(deadline.rawValue, for: order.id.text)
            }
        }
        try OrderJournal.append(
            input,
            disposition: decision.disposition,
            messageID: cause.message?.id,
            sent: sent,
            of: order.id,
            at: tx.now,
            in: tx.db
        )
        tx.afterCommit { [metrics, changed] in
            metrics.recorded(input, decision, order)
            if !decision.transitions.isEmpty { changed(order.id) }
        }
    }

    /// The history row and the event of one change of status.
    private func announce(
        _ transition: OrderTransition,
        of order: Order,
        sequence: Int64,
        context: MessageContext,
        in tx: Transaction
    ) throws {
        let id = tx.newID()
        let event = OrderEvent(
            orderID: order.id,
            customerID: order.customer,
            status: transition.to,
            previousStatus: transition.from,
            lines: order.lines,
            total: order.total,
            reason: transition.reason?.text,
            placedAt: order.placedAt.description
        )
        try OrderHistory.append(transition, of: order.id, version: sequence, eventID: id, at: tx.now, in: tx.db)
        if Sabotage.isOn("status-without-event") { return }
        try tx.enqueue(
            try context.event(
                event,
                type: OrderEvent.messageType(for: transition.to),
                topic: Channels.ordersTopic,
                id: id,
                subject: order.id.text,
                sequence: Sabotage.isOn("sequence-not-counted") ? 1 : sequence
            )
        )
    }

    private func message(
        for command: OrderCommand,
        of order: Order,
        id: String,
        context: MessageContext
    ) throws(PayloadFault) -> OutgoingMessage {
        func send<Payload: CommerceMessage>(
            _ payload: Payload,
            to inbox: String
        ) throws(PayloadFault) -> OutgoingMessage {
            try context.message(
                payload,
                to: inbox,
                id: id,
                subject: order.id.text,
                replyTo: Channels.orderInbox
            )
        }
        switch command {
        case .reserveStock(let expiresAt):
            return try send(
                ReserveStock(orderID: order.id, items: order.lines.map(\.item), expiresAt: expiresAt.description),
                to: Channels.inventoryInbox
            )
        case .commitStock:
            return try send(CommitStock(orderID: order.id), to: Channels.inventoryInbox)
        case .releaseStock(let reason):
            return try send(ReleaseStock(orderID: order.id, reason: reason.text), to: Channels.inventoryInbox)
        case .authorizePayment:
            return try send(
                AuthorizePayment(orderID: order.id, amount: order.total, card: order.card),
                to: Channels.paymentInbox
            )
        case .capturePayment:
            return try send(CapturePayment(orderID: order.id), to: Channels.paymentInbox)
        case .cancelPayment(let reason):
            return try send(CancelPayment(orderID: order.id, reason: reason.text), to: Channels.paymentInbox)
        }
    }
}
