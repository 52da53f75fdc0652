import DurableStore
import HTTPKit
import Kafka
import Logging
import Messaging
import RabbitMQ
import ServiceLifecycle

/// Makes the clients of both brokers, and the services that run them. Publishing and consuming use separate connections: a
/// broker that blocks a publishing connection would otherwise stall the acknowledgements too.
struct TransportClients {
    let amqp: RabbitMQConfiguration?
    let kafka: KafkaClientConfiguration?
    private let configuration: ServiceConfiguration
    private let readiness: ReadinessBoard
    private let logger: Logger

    init(configuration: ServiceConfiguration, readiness: ReadinessBoard, logger: Logger) throws(ConfigurationFault) {
        self.configuration = configuration
        self.readiness = readiness
        self.logger = logger
        if let url = configuration.amqpURL {
            do throws(RabbitMQURLError) {
                var parsed = try RabbitMQConfiguration(url: url)
                parsed.connectionName = "\(configuration.service)-\(configuration.instance)"
                amqp = parsed
            } catch {
                throw ConfigurationFault("AMQP_URL cannot be used: \(error).")
            }
        } else {
            amqp = nil
        }
        kafka = configuration.kafkaBootstrapServers.map {
            KafkaClientConfiguration(
                bootstrapServers: $0,
                clientID: "\(configuration.service)-\(configuration.instance)"
            )
        }
    }

    /// The relays of the transports that the service publishes to. A service with an inbox always has the AMQP relay: its
    /// retries and dead letters are outbox rows too.
    func relays(
        for parts: ServiceParts,
        store: DurableStore,
        observers: ProcessingMetrics
    ) throws -> [any Service] {
        var services: [any Service] = []
        if parts.publishes.contains(.amqp) || parts.inbox != nil {
            var connection = try neededAMQP()
            connection.connectionName += " publisher"
            let publisher = RabbitMQPublisher(
                configuration: connection,
                logger: logger,
                observer: AMQPReadiness(dependency: "rabbitmq-publisher", board: readiness)
            )
            services.append(
                AMQPRelayService(
                    publisher: publisher,
                    relay: OutboxRelay(
                        store: store,
                        transport: .amqp,
                        publisher: AMQPMessagePublisher(publisher),
                        observer: observers.relayObserver(.amqp)
                    )
                )
            )
        }
        if parts.publishes.contains(.kafka) {
            let client = try neededKafka()
            let producer = try KafkaProducer(
                configuration: KafkaProducerConfiguration(client: client),
                logger: logger,
                observer: KafkaReadiness(dependency: "event-log-producer", board: readiness)
            )
            let provisioning = try provisioning(parts, client)
            services.append(provisioning.service)
            services.append(
                KafkaRelayService(
                    producer: producer,
                    relay: OutboxRelay(
                        store: store,
                        transport: .kafka,
                        publisher: KafkaMessagePublisher(producer),
                        observer: observers.relayObserver(.kafka)
                    ),
                    topics: provisioning.topics
                )
            )
        }
        return services
    }

    /// The consumers of the inbox and of the topics.
    func consumers(
        for parts: ServiceParts,
        store: DurableStore,
        observers: ProcessingMetrics
    ) throws -> [any Service] {
        var services: [any Service] = []
        if let handler = parts.inbox {
            services.append(
                InboxService(
                    inbox: handler.consumer,
                    configuration: try neededAMQP(),
                    processor: CommandProcessor(
                        store: store,
                        inbox: handler.consumer,
                        handler: handler,
                        retry: configuration.retry,
                        observer: observers.processingObserver(handler.consumer)
                    ),
                    drain: DeadLetterDrain(store: store, inbox: handler.consumer),
                    observer: AMQPReadiness(dependency: "rabbitmq-consumer", board: readiness),
                    logger: logger,
                    prefetch: configuration.prefetch,
                    retry: configuration.retry
                )
            )
        }
        for subscription in parts.subscriptions {
            let client = try neededKafka()
            let provisioning = try provisioning(parts, client)
            services.append(provisioning.service)
            services.append(
                EventSubscriptionService(
                    subscription: subscription,
                    client: client,
                    topics: provisioning.topics,
                    store: store,
                    processor: EventProcessor(
                        store: store,
                        consumer: subscription.handler.consumer,
                        handler: subscription.handler,
                        observer: observers.processingObserver(subscription.handler.consumer)
                    ),
                    observer: KafkaReadiness(dependency: "event-log-consumer", board: readiness),
                    onLag: observers.lagObserver(subscription.handler.consumer),
                    onHeld: observers.heldObserver(subscription.handler.consumer),
                    logger: logger
                )
            )
        }
        return services
    }

    private func provisioning(
        _ parts: ServiceParts,
        _ client: KafkaClientConfiguration
    ) throws -> (service: any Service, topics: TopicProvisioning) {
        let admin = try KafkaAdmin(configuration: client, logger: logger)
        let topics = parts.topics.map { topic in
            var topic = topic
            topic.replicationFactor = numericCast(configuration.kafkaReplicationFactor)
            return topic
        }
        return (
            ClosureService("kafka admin") { try await admin.run() },
            TopicProvisioning(admin: admin, newTopics: topics, logger: logger)
        )
    }

    private func neededAMQP() throws(ConfigurationFault) -> RabbitMQConfiguration {
        guard let amqp else { throw ConfigurationFault("AMQP_URL is not set; scripts/up.sh sets it.") }
        return amqp
    }

    private func neededKafka() throws(ConfigurationFault) -> KafkaClientConfiguration {
        guard let kafka else { throw ConfigurationFault("KAFKA_BOOTSTRAP_SERVERS is not set; scripts/up.sh sets it.") }
        return kafka
    }
}
