public import Logging

/// Looks at a cluster and creates topics.
///
/// Every question has a limit and throws a retriable `KafkaError` when no broker answers within it. `run()` is the lifetime. Asking never
/// creates a topic.
public final class KafkaAdmin: Sendable {
    private let core: ClientCore

    /// Checks the configuration; starts nothing.
    public init(
        configuration: KafkaClientConfiguration,
        logger: Logger,
        observer: (any KafkaObserver)? = nil
    ) throws(KafkaError) {
        core = try ClientCore(
            role: "admin",
            settings: configuration.settings,
            extra: configuration.properties,
            closeTimeout: .seconds(2),
            events: ClientEvents(clientID: configuration.clientID, logger: logger, observer: observer)
        )
    }

    /// Lives until `shutdown()` or cancellation. Throws only where librdkafka refuses to start.
    public func run() async throws(KafkaError) { try await core.run() }

    /// Asks for the end; `run()` returns when it is done.
    public func shutdown() { core.shutdown() }

    /// Whether a broker can be reached.
    public var brokerState: KafkaBrokerState { core.events.state }

    /// The state now and each change; a slow reader sees only the newest. Ends with the client.
    public func brokerStates() -> AsyncStream<KafkaBrokerState> { core.events.states() }

    /// Version of the linked librdkafka, such as `2.0.2`.
    public static var libraryVersion: String { RDKafkaClient.libraryVersion }

    /// All topics in order of names, without the cluster's internal ones (`__…`).
    public func topics(timeout: Duration = .seconds(10)) async throws -> [KafkaTopic] {
        try await core.topics(timeout: timeout)
    }

    /// One topic, or nil where the cluster has none of that name.
    public func topic(_ name: String, timeout: Duration = .seconds(10)) async throws -> KafkaTopic? {
        try await core.topics(timeout: timeout).first { $0.name == name }
    }

    /// Creates topics. One that exists already is fine, whatever it looks like.
    public func createTopics(_ topics: [KafkaNewTopic], timeout: Duration = .seconds(10)) async throws {
        try await core.ask { client in
            try client.createTopics(topics, milliseconds: timeout.wholeMilliseconds(1...300_000))
        }
    }

    /// Both ends of partitions.
    public func watermarks(
        _ partitions: [KafkaTopicPartition],
        timeout: Duration = .seconds(10)
    ) async throws -> [KafkaTopicPartition: KafkaWatermarks] {
        try await core.watermarks(partitions, timeout: timeout)
    }

    /// The first offset with that time or a later one; where there is none, the end.
    public func offsets(
        atTimestampMilliseconds timestamp: Int64,
        _ partitions: [KafkaTopicPartition],
        timeout: Duration = .seconds(10)
    ) async throws -> [KafkaTopicPartition: Int64] {
        try await core.offsets(atTimestampMilliseconds: timestamp, partitions, timeout: timeout)
    }

    /// What a group has committed; partitions without a commit are left out.
    public func committedOffsets(
        group: String,
        _ partitions: [KafkaTopicPartition],
        timeout: Duration = .seconds(10)
    ) async throws -> [KafkaTopicPartition: Int64] {
        try await core.ask { client in
            try client.committedOffsets(group: group, partitions, milliseconds: timeout.wholeMilliseconds(1...300_000))
        }
    }
}
