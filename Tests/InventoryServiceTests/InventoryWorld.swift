import Commerce
import DurableStore
import Foundation
import GRDB
import InventoryCore
import KitTestSupport
import Messaging
import Synchronization
import Testing

@testable import InventoryService

/// An order id from a number.
func orderID(_ number: Int) throws -> OrderID {
    let digits = String(number)
    return try some(OrderID("00000000-0000-7000-8000-" + String(repeating: "0", count: 12 - digits.count) + digits))
}

/// A value that a test needs is not there.
struct Missing: Error {}

func some<Value>(_ value: Value?) throws -> Value {
    guard let value else { throw Missing() }
    return value
}

func item(_ sku: String, _ count: Int) throws -> OrderedItem {
    OrderedItem(sku: try some(SKU(sku)), quantity: try some(Quantity(count)))
}

/// The inventory service on a store in memory, with a clock that the test moves.
final class InventoryWorld: Sendable {
    let clock = ManualClock()
    let store: DurableStore
    let handler = ReservationHandler()
    let commands = CatalogCommands()
    private let processor: CommandProcessor
    private let deadlines: DeadlineRunner
    private let messages = Mutex(0)

    /// A message in the outbox.
    struct Sent: Sendable, Equatable {
        let transport: String
        let target: String
        let type: String
        let subject: String
        let sequence: Int64?
        let causationID: String?
        let body: [UInt8]
    }

    init() throws {
        store = try DurableStore.inMemory(migrations: InventorySchema.migrations, clock: clock)
        processor = CommandProcessor(store: store, inbox: Channels.inventoryInbox, handler: handler)
        deadlines = DeadlineRunner(store: store) { [handler] name, subject, tx in
            if name == ReservationHandler.expiryDeadline { try handler.expire(subject, in: tx) }
        }
    }

    /// A world with articles and their pieces.
    static func stocked(
        _ stock: [(sku: String, onHand: Int)] = [("MUG", 10), ("TEE", 5)]
    ) async throws -> InventoryWorld {
        let world = try InventoryWorld()
        for (sku, onHand) in stock {
            try await world.put(sku)
            try await world.setStock(sku, onHand)
        }
        return world
    }

    func put(_ sku: String, name: String? = nil, price: Int64 = 1250, active: Bool = true) async throws {
        let item = CatalogItemPut(
            sku: try some(SKU(sku)),
            name: name ?? "Article " + sku,
            price: Money(minorUnits: price, currency: .eur),
            active: active
        )
        try await store.write { [commands] tx in try commands.put(item, traceparent: nil, in: tx) }
    }

    @discardableResult
    func setStock(_ sku: String, _ onHand: Int) async throws -> CatalogCommands.SetStockOutcome {
        let sku = try some(SKU(sku))
        return try await store.write { [commands] tx in
            try commands.setStock(sku, onHand: onHand, traceparent: nil, in: tx)
        }
    }

    // MARK: Commands

    @discardableResult
    func send(
        _ type: String,
        _ body: [UInt8],
        about order: OrderID,
        messageID: String? = nil
    ) async throws -> Verdict {
        let number = messages.withLock { number in
            number += 1
            return number
        }
        let envelope = Envelope(
            id: messageID ?? "command-\(number)",
            source: "/waybill/order",
            type: type,
            subject: order.text,
            time: clock.now(),
            correlationID: order.text,
            body: body
        )
        let verdicts = await processor.process([
            ReceivedMessage(
                source: .queue(Channels.inventoryInbox),
                headers: EnvelopeHeaders.encode(envelope),
                body: envelope.body
            )
        ])
        return try some(verdicts.first)
    }

    @discardableResult
    func send<Command: CommerceMessage>(
        _ command: Command,
        about order: OrderID,
        messageID: String? = nil
    ) async throws -> Verdict {
        try await send(Command.messageType, try PayloadCodec.encode(command), about: order, messageID: messageID)
    }

    @discardableResult
    func reserve(
        _ order: OrderID,
        _ items: [OrderedItem],
        holding: Duration = .seconds(900),
        messageID: String? = nil
    ) async throws -> Verdict {
        let expiry = clock.now().advanced(by: holding).description
        return try await send(
            ReserveStock(orderID: order, items: items, expiresAt: expiry),
            about: order,
            messageID: messageID
        )
    }

    @discardableResult
    func commit(_ order: OrderID, messageID: String? = nil) async throws -> Verdict {
        try await send(CommitStock(orderID: order), about: order, messageID: messageID)
    }

    @discardableResult
    func release(_ order: OrderID, reason: String = "customer", messageID: String? = nil) async throws -> Verdict {
        try await send(ReleaseStock(orderID: order, reason: reason), about: order, messageID: messageID)
    }

    /// Moves the clock and fires what is due then.
    func pass(_ duration: Duration) async throws {
        clock.advance(by: duration)
        while try await deadlines.fireDue() > 0 {}
    }

    // MARK: What there is

    func status(_ order: OrderID) async throws -> String? {
        try await store.read { db in
            try String.fetchOne(db, sql: "SELECT status FROM reservations WHERE order_id = ?", arguments: [order.text])
        }
    }

    /// `onHand/reserved`
    func level(_ sku: String) async throws -> String {
        try await store.read { db in
            let row = try some(
                try Row.fetchOne(db, sql: "SELECT on_hand, reserved FROM stock WHERE sku = ?", arguments: [sku])
            )
            return "\(row[0] as Int)/\(row[1] as Int)"
        }
    }

    func sent(about subject: String) async throws -> [Sent] {
        try await store.read { db in
            try Row.fetchAll(
                db,
                sql: """
                    SELECT transport, target, type, subject, sequence, causation_id, body FROM outbox
                    WHERE subject = ? ORDER BY seq
                    """,
                arguments: [subject]
            ).map {
                Sent(
                    transport: $0[0],
                    target: $0[1],
                    type: $0[2],
                    subject: $0[3],
                    sequence: $0[4],
                    causationID: $0[5],
                    body: [UInt8]($0[6] as Data)
                )
            }
        }
    }

    /// Types of the answers about an order, in order.
    func replies(_ order: OrderID) async throws -> [String] {
        try await sent(about: order.text).filter { $0.transport == "amqp" }.map(\.type)
    }

    /// Events about an order as `type@sequence`, in order.
    func events(_ order: OrderID) async throws -> [String] {
        try await sent(about: order.text).filter { $0.transport == "kafka" }.map { "\($0.type)@\($0.sequence ?? 0)" }
    }

    func count(_ sql: String) async throws -> Int {
        try await store.read { db in try Int.fetchOne(db, sql: sql) ?? 0 }
    }

    /// S1, S2, S4 and X1 over everything in the store.
    func violations() async throws -> [String] {
        try await store.read { db in
            var found: [String] = []
            func none(_ what: String, _ sql: String) throws {
                let rows = try Int.fetchOne(db, sql: "SELECT count(*) FROM (\(sql))") ?? -1
                if rows != 0 { found.append("\(what): \(rows)") }
            }
            try none("S1", "SELECT 1 FROM stock WHERE reserved < 0 OR on_hand < 0 OR reserved > on_hand")
            try none(
                "S2 on hand",
                """
                SELECT 1 FROM stock s WHERE on_hand <>
                    (SELECT coalesce(sum(change), 0) FROM stock_movements m WHERE m.sku = s.sku)
                """
            )
            try none(
                "S2 reserved",
                """
                SELECT 1 FROM stock s WHERE reserved <>
                    (SELECT coalesce(sum(quantity), 0) FROM reservation_lines l JOIN reservations r USING (order_id)
                     WHERE l.sku = s.sku AND r.status = 'held')
                """
            )
            try none(
                "S4",
                """
                SELECT 1 FROM reservation_lines l JOIN reservations r USING (order_id)
                WHERE CASE r.status WHEN 'committed' THEN l.quantity ELSE 0 END <>
                    (SELECT coalesce(-sum(change), 0) FROM stock_movements m WHERE m.order_id = l.order_id AND m.sku = l.sku)
                """
            )
            try none(
                "S4 running",
                """
                SELECT 1 FROM (SELECT on_hand, sum(change) OVER (PARTITION BY sku ORDER BY id) AS total FROM stock_movements)
                WHERE on_hand <> total
                """
            )
            try none(
                "X1 change without event",
                """
                SELECT 1 FROM reservation_history h WHERE 1 <> (SELECT count(*) FROM outbox o WHERE o.transport = 'kafka'
                    AND o.target = 'inventory' AND o.subject = h.order_id AND o.sequence = h.version)
                """
            )
            try none(
                "X1 event without change",
                """
                SELECT 1 FROM outbox o WHERE o.transport = 'kafka' AND o.target = 'inventory' AND length(o.subject) = 36
                    AND NOT EXISTS (SELECT 1 FROM reservation_history h WHERE h.order_id = o.subject AND h.version = o.sequence)
                """
            )
            try none(
                "S3 end",
                """
                SELECT 1 FROM reservations r WHERE NOT EXISTS (SELECT 1 FROM reservation_history h
                    WHERE h.order_id = r.order_id AND h.version = r.version AND h.to_status = r.status)
                """
            )
            return found
        }
    }
}
