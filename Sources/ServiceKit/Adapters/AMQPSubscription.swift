import Failpoints
public import Messaging
public import RabbitMQ
import ServiceLifecycle

/// The consumer loop's port to RabbitMQ queues.
public struct AMQPSubscription: Subscription {
    private let consumer: RabbitMQConsumer

    /// Makes the adapter; the consumer's `run()` is the caller's business.
    public init(_ consumer: RabbitMQConsumer) {
        self.consumer = consumer
    }

    public func next(limit: Int) async throws -> [(receipt: RabbitMQDelivery, message: ReceivedMessage)] {
        try await consumer.nextBatch(max: limit).map { ($0, AMQPMessages.received($0)) }
    }

    /// Whether the service that runs this task shuts down: the consumer then waits for what was pulled, but not long.
    public var isEnding: Bool { Task.isShuttingDownGracefully }

    public func settle(_ settlements: [(receipt: RabbitMQDelivery, settlement: Settlement)]) async {
        await consumer.settle(
            settlements.map { receipt, settlement in
                switch settlement {
                case .acknowledge: .ack(receipt)
                case .giveBack: .requeue(receipt)
                }
            }
        )
        Failpoints.reach("inbox.after-ack")
    }
}
