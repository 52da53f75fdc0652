import Kafka
import Logging

/// Creates the topics that a service relies on and tells their partitions. Waits for the event log as long as it takes.
struct TopicProvisioning: Sendable {
    let admin: KafkaAdmin
    let newTopics: [KafkaNewTopic]
    let logger: Logger

    private static let pause: Duration = .milliseconds(500)
    private static let requestTimeout: Duration = .seconds(5)

    /// Creates what is missing; returns when everything is there.
    /// - Throws: `CancellationError` only.
    func ensure() async throws {
        try await retrying("Topics could not be created yet.") {
            try await admin.createTopics(newTopics, timeout: Self.requestTimeout)
        }
    }

    /// The partitions of topics; waits until each topic is there.
    func partitions(of topics: [String]) async throws -> [KafkaTopicPartition] {
        try await retrying("The partitions are not known yet.") {
            try await partitionsNow(of: topics)
        }
    }

    /// The partitions of topics.
    /// - Throws: when the event log does not answer or a topic is missing.
    func partitionsNow(of topics: [String]) async throws -> [KafkaTopicPartition] {
        var partitions: [KafkaTopicPartition] = []
        for name in topics {
            guard let topic = try await admin.topic(name, timeout: Self.requestTimeout), !topic.partitions.isEmpty
            else {
                throw MissingTopic(name: name)
            }
            partitions += topic.partitions.map { KafkaTopicPartition(topic: name, partition: $0) }
        }
        return partitions.sorted()
    }

    private func retrying<Value: Sendable>(
        _ message: Logger.Message,
        _ body: () async throws -> Value
    ) async throws -> Value {
        while true {
            try Task.checkCancellation()
            do {
                return try await body()
            } catch is CancellationError {
                throw CancellationError()
            } catch {
                logger.info(message, metadata: ["error": "\(error)"])
                try await Task.sleep(for: Self.pause)
            }
        }
    }
}

/// A topic that is not there yet.
private struct MissingTopic: Error, CustomStringConvertible {
    let name: String
    var description: String { "The topic \(name) does not exist." }
}
