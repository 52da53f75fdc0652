import Foundation
import Kafka
import Logging
import Messaging
import Testing

@testable import ServiceKit

/// The event log that the test script started.
private let eventLogAddress = ProcessInfo.processInfo.environment["KAFKA_TEST_BOOTSTRAP"].flatMap {
    $0.isEmpty ? nil : $0
}

/// Places that a real event log does not have: `KAFKA_TEST_BOOTSTRAP` names it.
@Suite(
    .enabled(if: eventLogAddress != nil, "KAFKA_TEST_BOOTSTRAP is not set"),
    .timeLimit(.minutes(1))
)
struct LostOffsetComponentTests {
    private let topic = "lost-offset-\(UUID().uuidString.prefix(8))"
    private let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    /// The reader went on at the beginning, and nobody knew that records were missing.
    @Test func aPlaceThatTheLogDoesNotHaveEndsTheReaderWithASentence() async throws {
        let client = KafkaClientConfiguration(bootstrapServers: try #require(eventLogAddress), clientID: "test")
        try await withKafkaAdmin(configuration: client, logger: logger) { admin in
            try await admin.createTopics([KafkaNewTopic(topic, partitions: 1)])
        }
        var configuration = KafkaConsumerConfiguration(client: client, groupID: topic)
        configuration.offsetReset = .fail
        let consumer = try KafkaConsumer(configuration: configuration, logger: logger)
        let subscription = KafkaSubscription(consumer, logger: logger)
        let start = KafkaTopicPartitionOffset(topic: topic, partition: 0, offset: .at(100))
        let failure = await #expect(throws: Failure.self) {
            try await withThrowingTaskGroup(of: Void.self) { group in
                defer { group.cancelAll() }
                group.addTask { try await consumer.run() }
                group.addTask {
                    try await consumer.assign([start])
                    _ = try await subscription.next(limit: 1)
                }
                try await group.next()
            }
        }
        #expect(failure?.code == "offset-out-of-range")
        #expect(failure?.failureClass == .fatal)
        #expect(failure?.description.contains("offset 100 of \(topic)[0], but the event log has 0 up to 0") == true)
    }
}
