import DurableStore
import Logging
import Messaging
import RabbitMQ
import ServiceLifecycle

/// Consumes one AMQP inbox and drains its dead-letter queue, from the first message to a graceful end.
///
/// On shutdown no new deliveries are taken, what was pulled is handled and settled, then the connection closes; what was
/// prefetched and not pulled goes back to the queue and has used no attempt. A fatal failure of either loop ends both at once,
/// connections included, so that the service stops: `waitForAll` would keep it until the connections end by themselves.
struct InboxService: Service {
    let inbox: String
    let configuration: RabbitMQConfiguration
    let processor: CommandProcessor
    let drain: DeadLetterDrain
    let observer: any RabbitMQObserver
    let logger: Logger

    /// Messages that wait in this process for their turn; one group commit takes up to 128 of them.
    let prefetch: UInt16
    /// The levels of the waiting queues: those that the processor uses.
    let retry: RetryPolicy

    private static let deadLetterPrefetch: UInt16 = 32

    func run() async throws {
        let topology = RabbitMQTopology.inbox(
            inbox,
            retryLevels: retry.levels.map { .init(name: $0.name, delay: $0.delay) }
        )
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await consume(inbox, prefetch, topology, processor) }
            group.addTask { try await consume(inbox + ".dead", Self.deadLetterPrefetch, topology, drain) }
            for try await _ in group {}
        }
    }

    private func consume(
        _ queue: String,
        _ prefetch: UInt16,
        _ topology: RabbitMQTopology,
        _ processor: any MessageProcessor
    ) async throws {
        var configuration = configuration
        configuration.connectionName += " " + queue
        var options = RabbitMQConsumer.Options(subscriptions: [.init(queue: queue, prefetch: prefetch)])
        options.topology = topology
        let consumer = RabbitMQConsumer(
            configuration: configuration,
            options: options,
            logger: logger,
            observer: observer
        )
        try await withGracefulShutdownHandler {
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { await consumer.run() }
                group.addTask { try await loop(consumer, processor) }
                for try await _ in group {}
            }
        } onGracefulShutdown: {
            consumer.stop()
        }
    }

    private func loop(_ consumer: RabbitMQConsumer, _ processor: some MessageProcessor) async throws {
        try await ConsumerLoop(subscription: AMQPSubscription(consumer), processor: processor).run()
    }
}
