public import Kafka
public import Logging
public import Messaging

/// Reads topics again from their beginning, beside the live subscriptions: for rebuilding what was folded from them.
public struct EventLogReader: Sendable {
    private let configuration: KafkaClientConfiguration
    private let logger: Logger

    /// Makes a reader.
    public init(configuration: KafkaClientConfiguration, logger: Logger) {
        self.configuration = configuration
        self.logger = logger
    }

    /// Reads every record before the given offsets, in order within each partition.
    ///
    /// - Parameters:
    ///   - ends: where to stop, exclusively, for each partition; a partition that is not named is not read.
    ///   - batch: the most records handed over at a time.
    ///   - handle: called with each batch; what it throws ends the reading and is thrown on.
    public func read(
        upTo ends: [KafkaTopicPartition: Int64],
        batch: Int = 500,
        handle: ([ReceivedMessage]) async throws -> Void
    ) async throws {
        var remaining = ends.filter { $0.value > 0 }
        guard !remaining.isEmpty else { return }
        let reader = KafkaTopicReader(
            configuration: configuration,
            topics: Set(remaining.keys.map(\.topic)).sorted(),
            start: .beginning,
            mode: .untilEnd,
            logger: logger
        )
        var pending: [ReceivedMessage] = []
        for try await record in reader {
            guard let end = remaining[record.topicPartition] else { continue }
            if record.offset < end { pending.append(ReceivedMessage(record: record)) }
            if record.offset >= end - 1 { remaining[record.topicPartition] = nil }
            if pending.count >= batch {
                try await handle(pending)
                pending.removeAll(keepingCapacity: true)
            }
            if remaining.isEmpty { break }
        }
        if !pending.isEmpty { try await handle(pending) }
    }
}
