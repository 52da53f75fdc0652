import DurableStore
import Kafka
import Messaging
import RabbitMQ
import ServiceLifecycle

/// The AMQP connection for publishing and the relay that feeds it.
///
/// On shutdown the relay stops first; the publisher then waits for the confirms of what is with the broker. A relay that fails ends
/// both at once: `waitForAll` would keep its failure until the publisher ends too, which nobody would tell it to.
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
            for try await _ in group {}
        }
    }
}

/// The producer of the event log and the relay that feeds it; they end as ``AMQPRelayService`` does.
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
            for try await _ in group {}
        }
    }
}
