import Commerce
import Configuration
public import GRDB
import Kafka
import Messaging
import OrderCore
public import ServiceKit

/// The order service: accepts orders and sees each through to its end.
public struct OrderService: HostedService {
    /// The name in logs, metrics and readiness.
    public static let name = "order"
    /// The service's tables.
    public static let migrations = OrderSchema.migrations

    private let timing: OrderTiming

    /// Reads the service's own keys, all optional; times are in seconds, those of ``OrderTiming/standard`` where they are not set.
    ///
    /// | key | environment | meaning |
    /// |---|---|---|
    /// | `waybill.order.stock.seconds` | `WAYBILL_ORDER_STOCK_SECONDS` | wait for inventory's answer; 30 |
    /// | `waybill.order.payment.seconds` | `WAYBILL_ORDER_PAYMENT_SECONDS` | wait for an authorization; 60 |
    /// | `waybill.order.confirmation.seconds` | `WAYBILL_ORDER_CONFIRMATION_SECONDS` | wait for the capture, then for the stock; 60 |
    /// | `waybill.order.compensation.seconds` | `WAYBILL_ORDER_COMPENSATION_SECONDS` | length of a round of compensations; 60 |
    ///
    /// - Throws: ``ServiceKit/ConfigurationFault`` for a value that is not a whole number in its range.
    public init(configuration: ServiceConfiguration) throws {
        func seconds(_ key: ConfigKey, upTo longest: Int, _ standard: Duration) throws -> Duration {
            .seconds(try configuration.integer(key, in: 1...longest, default: Int(standard.components.seconds)))
        }
        let standard = OrderTiming.standard
        timing = OrderTiming(
            stock: try seconds("waybill.order.stock.seconds", upTo: 240, standard.stock),
            payment: try seconds("waybill.order.payment.seconds", upTo: 240, standard.payment),
            confirmation: try seconds("waybill.order.confirmation.seconds", upTo: 240, standard.confirmation),
            compensation: try seconds("waybill.order.compensation.seconds", upTo: 3600, standard.compensation)
        )
    }

    /// Assembles the service over its store.
    public func activate(_ context: ServiceContext) async throws -> ServiceParts {
        let order = OrderParts(store: context.store, timing: timing, registry: context.metrics)
        try await order.prepare()
        var parts = ServiceParts()
        parts.inbox = order.inbox
        parts.subscriptions = [EventSubscription(topics: EventReader.catalogReplica.topics, handler: order.catalog)]
        parts.publishes = [.amqp, .kafka]
        parts.topics = [Channels.ordersTopic, Channels.catalogTopic].map {
            KafkaNewTopic($0, partitions: Channels.partitionsPerTopic)
        }
        parts.deadlines = order.deadlines.passed
        parts.publicRoutes = { OrderRoutes(order).add(to: $0) }
        parts.operatorRoutes = { OrderOperatorRoutes(order).add(to: $0) }
        return parts
    }
}
