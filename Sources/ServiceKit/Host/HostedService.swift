public import DurableStore
public import GRDB
public import HTTPKit
public import Hummingbird
public import Kafka
public import Logging
public import Messaging
public import ServiceLifecycle
public import Telemetry

/// One service: what it is made of. ``ServiceHost`` does the rest, the same for all: configuration, logs, metrics, the
/// instance lock and the standby, the store, relays, consumers, listeners, health and the graceful end.
public protocol HostedService: Sendable {
    /// The name in logs, metrics and readiness: `order`.
    static var name: String { get }

    /// The service's tables.
    static var migrations: DatabaseMigrator { get }

    /// Bytes of the database that the writer keeps in memory.
    static var storeCacheBytes: Int { get }

    /// Reads and checks the service's own configuration. Nothing is started yet.
    /// - Throws: ``ConfigurationFault`` when the service cannot run with it.
    init(configuration: ServiceConfiguration) throws

    /// Assembles the parts. Called once, in the active instance only, with an open store.
    func activate(_ context: ServiceContext) async throws -> ServiceParts
}

extension HostedService {
    public static var storeCacheBytes: Int { 64 << 20 }
}

/// What the host hands to a service.
public struct ServiceContext: Sendable {
    /// The database; this process is its only writer.
    public let store: DurableStore
    /// The number of this term of ownership, one more than the last instance's.
    public let epoch: Int64
    /// Logs of the service.
    public let logger: Logger
    /// Metrics of the process.
    public let metrics: PrometheusRegistry
    /// What `/health/ready` shows.
    public let readiness: ReadinessBoard
    /// The time of day.
    public let clock: any WallClock
    /// The configuration that was read at the start.
    public let configuration: ServiceConfiguration
    /// Reads topics again from their beginning; `nil` without an event log.
    public let eventLog: EventLogReader?
}

/// Topics that a service follows. Offsets stand in its own database, under the handler's consumer name.
public struct EventSubscription: Sendable {
    /// The topics.
    public let topics: [String]
    /// What handles their events.
    public let handler: any MessageHandler

    /// Makes a subscription.
    public init(topics: [String], handler: any MessageHandler) {
        self.topics = topics
        self.handler = handler
    }
}

/// What a service is made of.
public struct ServiceParts: Sendable {
    /// Handles the commands and replies of the inbox that bears the handler's consumer name; `nil` for a service without one.
    public var inbox: (any MessageHandler)?
    /// Topics that it follows.
    public var subscriptions: [EventSubscription] = []
    /// Transports of the messages that it enqueues.
    public var publishes: Set<Transport> = []
    /// Topics that it writes or reads and creates when they are missing.
    public var topics: [KafkaNewTopic] = []
    /// Sends dead letters back that came neither from the inbox nor from a topic, by their transport.
    public var letterReturns: [String: any DeadLetterReturn] = [:]
    /// What a deadline does, in the unit that removes it; `nil` for a service without deadlines.
    public var deadlines: (@Sendable (_ name: String, _ subject: String, Transaction) throws -> Void)?
    /// Further long-running parts, started in this order and stopped in reverse.
    public var background: [any Service] = []
    /// Adds the routes of the public listener.
    public var publicRoutes: @Sendable (Router<APIContext>) -> Void = { _ in }
    /// Adds the routes of the operator listener. They are behind the operator token.
    public var operatorRoutes: @Sendable (Router<APIContext>) -> Void = { _ in }
    /// Adds routes of the operator listener that need no token: pages which hold no data of their own.
    public var operatorPages: @Sendable (Router<APIContext>) -> Void = { _ in }

    /// Makes an empty service; set what it has.
    public init() {}
}
