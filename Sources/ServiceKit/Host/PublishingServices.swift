import DurableStore
import Kafka
import Messaging
import RabbitMQ
import ServiceLifecycle

/// The AMQP connection for publishing and the relay that feeds it.
///
/// On shutdown the relay stops first; the publisher then waits for the confirms of what is with the broker.
struct AMQPRelayService: Service {
    let publisher: RabbitMQPublisher
    let relay: OutboxRelay

    func run() async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await publisher.run() }
            group.addTask {
                try await ClosureService("amqp relay") { try await relay.run() }.run()
                publisher.stop()
            }
            try await group.waitForAll()
        }
    }
}

/// The producer of the event log and the relay that feeds it.
struct KafkaRelayService: Service {
    let producer: KafkaProducer
    let relay: OutboxRelay
    let topics: TopicProvisioning

    func run() async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await producer.run() }
            group.addTask {
                try await ClosureService("kafka relay") {
                    try await topics.ensure()
                    try await relay.run()
                }.run()
                producer.shutdown()
            }
            try await group.waitForAll()
        }
    }
}
