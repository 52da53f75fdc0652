import Commerce
import DurableStore
import Foundation
import GRDB
import KitTestSupport
import Messaging
import OrderCore
import OrderService
import Telemetry
import Testing

/// The order service on a store in memory, with a clock that the test moves.
final class OrderWorld: Sendable {
    let clock = ManualClock()
    let store: DurableStore
    let parts: OrderParts
    let registry = PrometheusRegistry()
    private let ids = UUIDv7Generator()
    private let deadlineRunner: DeadlineRunner
    private let inbox: CommandProcessor

    struct Missing: Error {}

    /// A message that waits in the outbox, or was there.
    struct Sent: Sendable, Hashable {
        let seq: Int64
        let id: String
        let target: String
        let type: String
        let subject: String
        let sequence: Int64?
        let correlationID: String
        let causationID: String?
        let traceparent: String?
        let body: [UInt8]
    }

    init(timing: OrderTiming = .standard) throws {
        store = try DurableStore.inMemory(migrations: OrderSchema.migrations, clock: clock)
        parts = OrderParts(store: store, timing: timing, registry: registry)
        inbox = CommandProcessor(store: store, inbox: Channels.orderInbox, handler: parts.inbox)
        deadlineRunner = DeadlineRunner(store: store) { [parts] name, subject, tx in
            try parts.deadlines.passed(name, subject, in: tx)
        }
    }

    /// A world whose catalogue has MUG (12.50 EUR), TEE (9.99 EUR) and YEN (300 JPY).
    static func stocked(timing: OrderTiming = .standard) async throws -> OrderWorld {
        let world = try OrderWorld(timing: timing)
        try await world.put("MUG", 1250, .eur)
        try await world.put("TEE", 999, .eur)
        try await world.put("YEN", 300, .jpy)
        return world
    }

    static func some<T>(_ value: T?) throws -> T {
        guard let value else { throw Missing() }
        return value
    }

    // MARK: What others do

    func put(
        _ sku: String,
        _ price: Int64,
        _ currency: Currency,
        active: Bool = true,
        sequence: Int64 = 1
    ) async throws {
        let item = CatalogItemPut(
            sku: try Self.some(SKU(sku)),
            name: "Article " + sku,
            price: Money(minorUnits: price, currency: currency),
            active: active
        )
        let envelope = try envelope(item, type: CatalogItemPut.messageType, subject: sku, sequence: sequence)
        let verdicts = await EventProcessor(store: store, consumer: parts.catalog.consumer, handler: parts.catalog)
            .process([
                received(
                    envelope,
                    from: .record(topic: Channels.catalogTopic, partition: 0, offset: Int64.random(in: 0...(.max - 1)))
                )
            ])
        #expect(verdicts == [.acknowledge])
    }

    func envelope<Payload: Encodable>(
        _ payload: Payload,
        type: String,
        subject: String,
        sequence: Int64? = nil,
        id: String? = nil
    ) throws -> Envelope {
        Envelope(
            id: id ?? ids.next(at: clock.now()),
            source: "/waybill/test",
            type: type,
            subject: subject,
            time: clock.now(),
            sequence: sequence,
            correlationID: subject,
            body: try PayloadCodec.encode(payload)
        )
    }

    func received(_ envelope: Envelope, from source: MessageSource = .queue(Channels.orderInbox)) -> ReceivedMessage {
        ReceivedMessage(source: source, headers: EnvelopeHeaders.encode(envelope), body: envelope.body)
    }

    @discardableResult
    func reply<Payload: CommerceMessage>(
        _ payload: Payload,
        about order: OrderID,
        id: String? = nil
    ) async throws -> Verdict {
        try await deliver(envelope(payload, type: Payload.messageType, subject: order.text, id: id))
    }

    @discardableResult
    func deliver(_ envelope: Envelope) async throws -> Verdict {
        try Self.some(await inbox.process([received(envelope)]).first)
    }

    // MARK: What customers do

    func place(
        _ lines: [(String, Int)] = [("MUG", 2)],
        key: String = UUID().uuidString,
        traceparent: String? = nil
    ) async throws -> OrderID {
        try await parts.placeOrder(
            try request(lines),
            key: try Self.some(IdempotencyKey(key)),
            traceparent: traceparent
        ).orderID
    }

    func request(_ lines: [(String, Int)] = [("MUG", 2)]) throws -> PlacementRequest {
        PlacementRequest(
            customer: try Self.some(CustomerID("ann")),
            card: try Self.some(CardToken("tok_visa")),
            lines: try lines.map {
                OrderedItem(sku: try Self.some(SKU($0.0)), quantity: try Self.some(Quantity($0.1)))
            }
        )
    }

    // MARK: Time

    /// Moves the clock and fires what is due then.
    func pass(_ duration: Duration) async throws {
        clock.advance(by: duration)
        while try await deadlineRunner.fireDue() > 0 {}
    }

    // MARK: What there is

    func sent(after seq: Int64 = 0) async throws -> [Sent] {
        try await store.read { db in
            try Row.fetchAll(
                db,
                sql: """
                    SELECT seq, message_id, target, type, subject, sequence, correlation_id, causation_id, traceparent, body
                    FROM outbox WHERE seq > ? ORDER BY seq
                    """,
                arguments: [seq]
            ).map {
                Sent(
                    seq: $0[0],
                    id: $0[1],
                    target: $0[2],
                    type: $0[3],
                    subject: $0[4],
                    sequence: $0[5],
                    correlationID: $0[6],
                    causationID: $0[7],
                    traceparent: $0[8],
                    body: [UInt8]($0[9] as Data)
                )
            }
        }
    }

    /// The commands that an order caused, as `target type`, in order.
    func commands(of order: OrderID) async throws -> [String] {
        try await sent().filter { $0.subject == order.text && $0.target != Channels.ordersTopic }.map(\.type)
    }

    func order(_ id: OrderID) async throws -> Order {
        try await parts.orderStatus(id)
    }

    func status(_ id: OrderID) async throws -> OrderStatus {
        try await order(id).state.status
    }

    func count(_ sql: String, _ arguments: StatementArguments = []) async throws -> Int {
        try await store.read { db in try Int.fetchOne(db, sql: sql, arguments: arguments) ?? 0 }
    }

    func deadlines() async throws -> [String] {
        try await store.read { db in
            try String.fetchAll(db, sql: "SELECT name FROM deadlines WHERE length(subject) = 36 ORDER BY name")
        }
    }

    /// The invariants O1, O3, O4 and X1 over everything that is in the store.
    func checkInvariants() async throws {
        let histories = try await store.read { db in
            try Row.fetchAll(
                db,
                sql: "SELECT order_id, version, from_status, to_status, event_id FROM order_history ORDER BY 1, 2"
            ).map {
                (
                    id: $0[0] as String, version: $0[1] as Int64, from: $0[2] as String?, to: $0[3] as String,
                    event: $0[4] as String
                )
            }
        }
        let events = try await sent().filter { $0.target == Channels.ordersTopic }
        #expect(events.count == histories.count, "one event for each change of status")
        let byID = Dictionary(events.map { ($0.id, $0) }, uniquingKeysWith: { first, _ in first })
        #expect(byID.count == events.count)
        var previous: (id: String, version: Int64, to: String)?
        for row in histories {
            let isFirst = previous?.id != row.id
            #expect(row.version == (isFirst ? 1 : (previous?.version ?? 0) + 1))
            #expect(row.from == (isFirst ? nil : previous?.to))
            let to = try Self.some(OrderStatus(rawValue: row.to))
            #expect(OrderStatus.isAllowed(from: row.from.flatMap(OrderStatus.init(rawValue:)), to: to))
            let event = try Self.some(byID[row.event])
            #expect(event.subject == row.id && event.sequence == row.version)
            #expect(event.type == OrderEvent.messageType(for: to))
            let payload = try PayloadCodec.decode(OrderEvent.self, from: event.body)
            #expect(payload.status == to && payload.previousStatus?.rawValue == row.from)
            previous = (row.id, row.version, row.to)
        }
        let wrongTotals = try await count(
            """
            SELECT count(*) FROM orders o
            WHERE total <> (SELECT sum(quantity * unit_price) FROM order_lines WHERE order_id = o.id)
            """
        )
        #expect(wrongTotals == 0)
        let wrongVersions = try await count(
            """
            SELECT count(*) FROM orders o WHERE version <> (SELECT max(version) FROM order_history WHERE order_id = o.id)
                OR status <> (SELECT to_status FROM order_history WHERE order_id = o.id AND version = o.version)
            """
        )
        #expect(wrongVersions == 0)
    }
}
