import Commerce
import Foundation
public import GRDB
import Kafka
import Messaging
public import ServiceKit

/// Analytics: folds the topics into read models that can be thrown away and made again.
public struct AnalyticsService: HostedService {
    public static let name = "analytics"
    public static var migrations: DatabaseMigrator { AnalyticsSchema.migrations }

    public init(configuration: ServiceConfiguration) throws {}

    public func activate(_ context: ServiceContext) async throws -> ServiceParts {
        let ids = UUIDv7Generator()
        let clock = context.clock
        let folder = URL(fileURLWithPath: context.configuration.databasePath).deletingLastPathComponent()
        let rebuild = context.eventLog.map {
            Rebuild(store: context.store, log: $0, folder: folder, logger: context.logger)
        }
        let routes = AnalyticsRoutes(store: context.store, rebuild: rebuild, newID: { ids.next(at: clock.now()) })
        var parts = ServiceParts()
        parts.subscriptions = [EventSubscription(topics: EventReader.readModels.topics, handler: ReadModelHandler())]
        parts.topics = EventReader.readModels.topics.map { KafkaNewTopic($0, partitions: Channels.partitionsPerTopic) }
        parts.publicRoutes = { routes.addPublic(to: $0) }
        parts.operatorRoutes = { routes.addOperator(to: $0) }
        return parts
    }
}
