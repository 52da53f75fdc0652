import AnalyticsCore
import Commerce
import DurableStore
import GRDB
import KitTestSupport
import Messaging

@testable import AnalyticsService

/// A value that a test needs is not there.
struct Missing: Error {}

func some<Value>(_ value: Value?) throws -> Value {
    guard let value else { throw Missing() }
    return value
}

/// An order id from a number.
func orderID(_ number: Int) throws -> OrderID {
    let digits = String(number)
    return try some(OrderID("00000000-0000-7000-8000-" + String(repeating: "0", count: 12 - digits.count) + digits))
}

/// A log in memory: records with offsets as the event log would give them.
struct Records {
    /// 2026-01-01T00:00:00Z, the beginning of a minute.
    static let start = Timestamp(millisecondsSinceEpoch: 1_767_225_600_000)

    private(set) var all: [ReceivedMessage] = []
    private var ends: [MessageSource: Int64] = [:]

    mutating func add<Payload: Encodable>(
        _ topic: String,
        partition: Int32 = 0,
        type: String,
        subject: String,
        sequence: Int64?,
        at time: Timestamp = Records.start,
        id: String? = nil,
        _ payload: Payload
    ) throws {
        let place = MessageSource.record(topic: topic, partition: partition, offset: 0)
        let envelope = Envelope(
            id: id ?? "\(topic)-\(subject)-\(sequence ?? 0)",
            source: "/waybill/test",
            type: type,
            subject: subject,
            time: time,
            sequence: sequence,
            correlationID: subject,
            body: try PayloadCodec.encode(payload)
        )
        all.append(
            ReceivedMessage(
                source: .record(topic: topic, partition: partition, offset: ends[place, default: 0]),
                headers: EnvelopeHeaders.encode(envelope),
                body: envelope.body
            )
        )
        ends[place, default: 0] += 1
    }

    mutating func order(
        _ number: Int,
        _ path: [OrderStatus],
        total: Int64 = 2500,
        currency: Currency = .eur,
        placedAt: Timestamp = Records.start,
        step: Int64 = 10
    ) throws {
        let id = try orderID(number)
        let line = OrderLine(
            sku: try some(SKU("MUG")),
            quantity: try some(Quantity(2)),
            unitPrice: Money(minorUnits: total / 2, currency: currency)
        )
        for (index, status) in path.enumerated() {
            let event = OrderEvent(
                orderID: id,
                customerID: try some(CustomerID("ann")),
                status: status,
                previousStatus: index == 0 ? nil : path[index - 1],
                lines: [line],
                total: Money(minorUnits: total, currency: currency),
                placedAt: placedAt.description
            )
            try add(
                Channels.ordersTopic,
                partition: Int32(number % 3),
                type: OrderEvent.messageType(for: status),
                subject: id.text,
                sequence: Int64(index + 1),
                at: placedAt.advanced(byMilliseconds: Int64(index) * step),
                event
            )
        }
    }

    mutating func payment(_ number: Int, _ path: [PaymentEvent.Kind], amount: Int64 = 2500) throws {
        let id = try orderID(number)
        for (index, kind) in path.enumerated() {
            try add(
                Channels.paymentsTopic,
                partition: Int32(number % 3),
                type: PaymentEvent.messageType(for: kind),
                subject: id.text,
                sequence: Int64(index + 1),
                PaymentEvent(
                    orderID: id,
                    paymentID: try some(PaymentID(id.text)),
                    kind: kind,
                    amount: Money(minorUnits: amount, currency: .eur)
                )
            )
        }
    }

    mutating func article(_ sku: String, _ name: String, version: Int64) throws {
        try add(
            Channels.catalogTopic,
            type: CatalogItemPut.messageType,
            subject: sku,
            sequence: version,
            CatalogItemPut(
                sku: try some(SKU(sku)),
                name: name,
                price: Money(minorUnits: 1250, currency: .eur),
                active: true
            )
        )
    }

    static let completed: [OrderStatus] = [.placed, .awaitingStock, .awaitingPayment, .confirming, .completed]
    static let cancelled: [OrderStatus] = [.placed, .awaitingStock, .cancelling, .cancelled]

    /// Two completed orders and a cancelled one, with payments and the article's name.
    static func standard() throws -> Records {
        var records = Records()
        try records.article("MUG", "Mug", version: 1)
        try records.order(1, completed)
        try records.payment(1, [.authorized, .captured])
        try records.order(2, completed, total: 1000, placedAt: start.advanced(byMilliseconds: 120_000), step: 1000)
        try records.payment(2, [.authorized, .captured], amount: 1000)
        try records.order(3, cancelled)
        return records
    }
}

/// Analytics on a store in memory.
struct AnalyticsWorld {
    let store: DurableStore
    private let processor: EventProcessor

    init() throws {
        store = try DurableStore.inMemory(migrations: AnalyticsSchema.migrations, clock: ManualClock())
        let handler = ReadModelHandler()
        processor = EventProcessor(store: store, consumer: handler.consumer, handler: handler)
    }

    /// Folds records, `batch` at a time. Returns how many were not acknowledged.
    @discardableResult
    func fold(_ records: [ReceivedMessage], batch: Int = 500) async -> Int {
        var refused = 0
        var rest = records[...]
        while !rest.isEmpty {
            let verdicts = await processor.process(Array(rest.prefix(batch)))
            refused += verdicts.filter { $0 != .acknowledge }.count
            rest = rest.dropFirst(batch)
        }
        return refused
    }

    func dump() async throws -> ReadModelDump {
        try await store.read { db in try ReadModelDump(db) }
    }

    /// Rows of a table, columns joined with `|`.
    func rows(_ sql: String) async throws -> [String] {
        try await store.read { db in
            try Row.fetchAll(db, sql: sql).map { row in
                row.databaseValues.map { value in
                    switch value.storage {
                    case .int64(let integer): String(integer)
                    case .string(let text): text
                    case .null, .double, .blob: "?"
                    }
                }.joined(separator: "|")
            }
        }
    }
}
