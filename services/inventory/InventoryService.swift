import Commerce
public import GRDB
import Kafka
import Messaging
public import ServiceKit

/// Inventory: owns the catalogue and the stock; holds, consumes and releases pieces for orders.
public struct InventoryService: HostedService {
    public static let name = "inventory"
    public static var migrations: DatabaseMigrator { InventorySchema.migrations }

    public init(configuration: ServiceConfiguration) throws {}

    public func activate(_ context: ServiceContext) async throws -> ServiceParts {
        let reservations = ReservationHandler()
        let routes = InventoryRoutes(store: context.store)
        var parts = ServiceParts()
        parts.inbox = reservations
        parts.publishes = [.amqp, .kafka]
        parts.topics = [Channels.inventoryTopic, Channels.catalogTopic].map {
            KafkaNewTopic($0, partitions: Channels.partitionsPerTopic)
        }
        parts.deadlines = { name, subject, tx in
            if name == ReservationHandler.expiryDeadline { try reservations.expire(subject, in: tx) }
        }
        parts.publicRoutes = { routes.addPublic(to: $0) }
        parts.operatorRoutes = { routes.addOperator(to: $0) }
        return parts
    }
}
