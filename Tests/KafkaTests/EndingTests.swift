import Logging
import Testing

@testable import Kafka

@Suite("Kafka: the end has a limit", .timeLimit(.minutes(2)))
struct EndingTests {
    /// librdkafka's destruction waits for the answer, beyond the limit of closing; the process would be killed meanwhile.
    @Test("A commit that nobody answers does not hold the end up")
    func unansweredCommit() async throws {
        let mock = try MockCluster()
        let broker = OpenBroker(mock: mock)
        let topic = try await broker.topic()
        try await fill(broker, topic, partitions: 1, each: 2)
        let partition = KafkaTopicPartition(topic: topic, partition: 0)
        var configuration = broker.consumer(group: unique())
        configuration.closeTimeout = .seconds(1)
        let consumer = try KafkaConsumer(configuration: configuration, logger: .quiet)
        let running = Task { try await consumer.run() }
        try await consumer.assign([KafkaTopicPartitionOffset(partition, .beginning)])
        #expect(try await read(1, from: consumer, max: 1).count == 1)
        // From here on the group's coordinator is known: the next commit goes straight to it.
        try await consumer.commit([partition: 1])
        mock.setRoundTrip(milliseconds: 60_000)
        let commit = Task.immediate { try await consumer.commit([partition: 2]) }
        let start = ContinuousClock.now
        consumer.shutdown()
        try await running.value
        #expect(ContinuousClock.now - start < .seconds(6))
        await #expect(throws: KafkaError.self) { try await commit.value }
        mock.setRoundTrip(milliseconds: 0)
    }
}
