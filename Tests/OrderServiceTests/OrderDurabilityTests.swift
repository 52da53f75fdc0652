import Commerce
import DurableStore
import GRDB
import KitTestSupport
import Messaging
import OrderCore
import OrderService
import Telemetry
import Testing

/// The service on a real file, across restarts.
@Suite struct OrderDurabilityTests {
    @Test func aRestartForgetsNothing() async throws {
        let file = try TemporaryDatabase()
        let clock = ManualClock()
        let key = try OrderWorld.some(IdempotencyKey("across"))
        let request = PlacementRequest(
            customer: try OrderWorld.some(CustomerID("ann")),
            card: try OrderWorld.some(CardToken("tok_visa")),
            lines: [OrderedItem(sku: try OrderWorld.some(SKU("MUG")), quantity: try OrderWorld.some(Quantity(1)))]
        )

        let store = try open(file, clock)
        let parts = OrderParts(store: store, registry: PrometheusRegistry())
        try await parts.prepare()
        let item = CatalogItemPut(
            sku: request.lines[0].sku,
            name: "Mug",
            price: Money(minorUnits: 1250, currency: .eur),
            active: true
        )
        let envelope = Envelope(
            id: "c-1",
            source: "/waybill/inventory",
            type: CatalogItemPut.messageType,
            subject: "MUG",
            time: clock.now(),
            sequence: 1,
            correlationID: "MUG",
            body: try PayloadCodec.encode(item)
        )
        try await store.write { try parts.catalog.handle(envelope, in: $0) }
        let first = try await parts.placeOrder(request, key: key)
        await store.close()

        let reopened = try open(file, clock)
        let registry = PrometheusRegistry()
        let again = OrderParts(store: reopened, registry: registry)
        try await again.prepare()
        #expect(
            String(decoding: registry.render(), as: UTF8.self).contains("waybill_orders{status=\"awaitingStock\"} 1")
        )
        let replay = try await again.placeOrder(request, key: key)
        #expect(replay.isReplay && replay.body == first.body)
        // The deadline that was set before the restart fires, once.
        clock.advance(by: OrderTiming.standard.stock + .seconds(1))
        let runner = DeadlineRunner(store: reopened) { try again.deadlines.passed($0, $1, in: $2) }
        while try await runner.fireDue() > 0 {}
        let order = try await again.orderStatus(first.orderID)
        #expect(order.state.status == .cancelling && order.state.reason == .deadline && order.version == 3)
        await reopened.close()
    }

    @Test func whatWasAcceptedCanBeReadAtOnce() async throws {
        let file = try TemporaryDatabase()
        let store = try open(file, ManualClock())
        let parts = OrderParts(store: store, registry: PrometheusRegistry())
        let sku = try OrderWorld.some(SKU("MUG"))
        try await store.write { tx in
            try tx.db.execute(
                sql: """
                    INSERT INTO catalog_items(sku, name, price, currency, active, sequence, updated_at)
                    VALUES ('MUG', 'Mug', 1250, 'EUR', 1, 1, 0)
                    """
            )
        }
        let request = PlacementRequest(
            customer: try OrderWorld.some(CustomerID("ann")),
            card: try OrderWorld.some(CardToken("tok_visa")),
            lines: [OrderedItem(sku: sku, quantity: try OrderWorld.some(Quantity(1)))]
        )
        try await withThrowingTaskGroup(of: OrderID.self) { group in
            for number in 0..<300 {
                let key = try OrderWorld.some(IdempotencyKey("k\(number)"))
                group.addTask {
                    let id = try await parts.placeOrder(request, key: key).orderID
                    #expect(try await parts.orderStatus(id).version == 2)
                    return id
                }
            }
            var ids: Set<OrderID> = []
            for try await id in group { ids.insert(id) }
            #expect(ids.count == 300)
        }
        await store.close()
    }

    private func open(_ file: TemporaryDatabase, _ clock: ManualClock) throws -> DurableStore {
        try DurableStore(DurableStoreConfiguration(path: file.path), migrations: OrderSchema.migrations, clock: clock)
    }
}
