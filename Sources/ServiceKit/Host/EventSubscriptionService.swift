import DurableStore
import Kafka
import Logging
import Messaging
import ServiceLifecycle

/// Consumes topics from the offsets that stand in the service's own database.
///
/// Beside the new records, those that are parked are tried again; see ``EventProcessor``.
///
/// Fails, and the service with it, where an offset is not in the log any more, or not yet: see ``KafkaSubscription``.
///
/// Partitions that appear later are noticed every ``discoveryInterval``: the loop ends and begins again with all of them.
struct EventSubscriptionService: Service {
    let subscription: EventSubscription
    let client: KafkaClientConfiguration
    let topics: TopicProvisioning
    let store: DurableStore
    let processor: EventProcessor
    let observer: any KafkaObserver
    let onLag: @Sendable ([KafkaTopicPartition: Int64]) -> Void
    /// Told once a second how many partitions are held.
    let onHeld: @Sendable (Int) -> Void
    let logger: Logger

    static let discoveryInterval: Duration = .seconds(30)

    func run() async throws {
        try await ClosureService("events of \(subscription.handler.consumer)") {
            try await topics.ensure()
            try await withThrowingTaskGroup(of: Void.self) { group in
                defer { group.cancelAll() }
                group.addTask { try await ParkedRecordRunner(processor).run() }
                group.addTask { while !Task.isCancelled { try await consume() } }
                try await group.next()
            }
        }.run()
    }

    /// One round with a fixed set of partitions.
    private func consume() async throws {
        let partitions = try await topics.partitions(of: subscription.topics)
        let stored = try await EventProcessor.startOffsets(consumer: subscription.handler.consumer, in: store)
        let next = Dictionary(
            stored.map { (KafkaTopicPartition(topic: $0.topic, partition: $0.partition), $0.offset) },
            uniquingKeysWith: max
        )
        let start = partitions.map { partition in
            KafkaTopicPartitionOffset(
                topic: partition.topic,
                partition: partition.partition,
                offset: next[partition].map { .at($0) } ?? .beginning
            )
        }
        var configuration = KafkaConsumerConfiguration(client: client, groupID: subscription.handler.consumer)
        // A place that the log has lost is for a person to decide about. Partitions without one start at the beginning.
        configuration.offsetReset = .fail
        // Some batches ahead of the handler. A reader that is far behind gains nothing from more, and holds it for good.
        configuration.maxQueuedBytes = 8 << 20
        configuration.maxQueuedMessagesPerPartition = 10_000
        configuration.fetchMaxBytes = 1 << 20
        let consumer = try KafkaConsumer(
            configuration: configuration,
            logger: logger,
            observer: observer
        )
        let source = KafkaSubscription(consumer, logger: logger)
        try await withThrowingTaskGroup(of: Void.self) { group in
            defer { group.cancelAll() }
            group.addTask { try await consumer.run() }
            group.addTask {
                try await consumer.assign(start)
                try await ConsumerLoop(subscription: source, processor: processor, batchLimit: 500).run()
            }
            group.addTask { try await report(consumer, source) }
            group.addTask { try await waitForNewPartitions(beyond: Set(partitions)) }
            try await group.next()
        }
    }

    private func report(_ consumer: KafkaConsumer, _ source: KafkaSubscription) async throws {
        while true {
            try await Task.sleep(for: .seconds(1))
            onHeld(source.heldPartitions)
            if let lag = try? await consumer.lag() { onLag(lag) }
        }
    }

    private func waitForNewPartitions(beyond known: Set<KafkaTopicPartition>) async throws {
        while true {
            try await Task.sleep(for: Self.discoveryInterval)
            guard let found = try? await topics.partitionsNow(of: subscription.topics) else { continue }
            if !Set(found).subtracting(known).isEmpty {
                logger.info("New partitions appeared; the subscription begins again with them.")
                return
            }
        }
    }
}
