import Commerce
public import DurableStore
import HTTPKit
public import OrderCore
public import Telemetry

/// The order service without transports: its use cases and handlers over one store.
public struct OrderParts: Sendable {
    /// Accepts orders.
    public let placeOrder: PlaceOrder
    /// Undoes orders.
    public let cancelOrder: CancelOrder
    /// Asks again for what open orders wait for.
    public let republishCommands: RepublishCommands
    /// Tells how an order stands.
    public let orderStatus: OrderStatusQuery
    /// Lists orders.
    public let listOrders: ListOrders
    /// Takes the answers of inventory and payment.
    public let inbox: OrderInbox
    /// Copies the catalogue.
    public let catalog: CatalogReplica
    /// Handles deadlines that passed.
    public let deadlines: OrderDeadlines

    let timeline: OrderTimeline
    let watchOrder: WatchOrder
    let store: DurableStore
    let metrics: OrderMetrics

    /// Puts the parts together; nothing runs yet.
    ///
    /// - Parameters:
    ///   - store: opened with ``OrderSchema/migrations``.
    ///   - registry: where the metrics are shown.
    public init(store: DurableStore, timing: OrderTiming = .standard, registry: PrometheusRegistry) {
        let metrics = OrderMetrics(registry)
        let changes = ChangeSignal<OrderID>(maxTickets: WatchOrder.maximumWatchers)
        let process = OrderProcess(timing: timing, metrics: metrics) { changes.notify($0) }
        let watchers = registry.gauge("waybill_order_watchers", help: "Clients that follow an order now.")
        registry.beforeRendering { watchers.set(Int64(changes.count)) }
        self.store = store
        self.metrics = metrics
        placeOrder = PlaceOrder(store: store, process: process)
        cancelOrder = CancelOrder(store: store, process: process)
        republishCommands = RepublishCommands(store: store, process: process)
        orderStatus = OrderStatusQuery(store: store)
        listOrders = ListOrders(store: store)
        timeline = OrderTimeline(store: store)
        watchOrder = WatchOrder(store: store, changes: changes)
        inbox = OrderInbox(process: process)
        catalog = CatalogReplica()
        deadlines = OrderDeadlines(process: process)
    }

    /// Brings the gauges up to date with the rows and makes sure that old idempotency keys get deleted. Called once, before
    /// anything else happens to the store.
    public func prepare() async throws {
        metrics.load(try await store.read { try OrderTable.counts(in: $0) })
        try await store.write { try OrderDeadlines.schedulePurge(in: $0) }
    }
}
