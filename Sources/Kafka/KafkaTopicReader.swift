public import Logging

/// Reads whole topics as an asynchronous sequence, for tools: show, verify, rebuild.
///
/// Records come in order within each partition; partitions are mixed as they arrive. In mode `untilEnd` the ends are asked for once, at the
/// start, and the sequence ends when it has passed them all: what is appended meanwhile may or may not be among the records, and the read
/// is finite however busy the topic is. Nothing is committed.
///
/// At most one batch (`batchSize` records) plus librdkafka's bounded queue is in memory. When nothing comes for `stallTimeout` although the
/// end is not reached (the broker is gone), the sequence throws a retriable `timedOut`. In mode `follow` it waits for ever instead.
public struct KafkaTopicReader: AsyncSequence, Sendable {
    /// Where to begin.
    public enum Start: Sendable, Hashable {
        /// At the first record there is.
        case beginning
        /// At these offsets; partitions not named begin at the first record.
        case offsets([KafkaTopicPartition: Int64])
        /// At the first record with that time (milliseconds since 1970) or a later one.
        case timestamp(Int64)
        /// That many records before the end of each partition.
        case tail(Int64)
        /// Behind the last record (of use in mode `follow`).
        case end
    }

    /// When to stop.
    public enum Mode: Sendable, Hashable {
        /// At the ends as they were at the start.
        case untilEnd
        /// Never.
        case follow
    }

    /// A record.
    public typealias Element = KafkaReceivedRecord

    private let configuration: KafkaConsumerConfiguration
    private let topics: [String]
    private let start: Start
    private let mode: Mode
    private let batchSize: Int
    private let stallTimeout: Duration
    private let logger: Logger

    /// Describes a read; nothing happens before the first `next()`.
    public init(
        configuration: KafkaClientConfiguration,
        topics: [String],
        start: Start = .beginning,
        mode: Mode = .untilEnd,
        batchSize: Int = 1_000,
        stallTimeout: Duration = .seconds(30),
        logger: Logger
    ) {
        var consumer = KafkaConsumerConfiguration(client: configuration)
        // Compacted or aborted records leave holes: then only the reported end of a partition tells that its end is passed.
        consumer.partitionEOF = true
        self.configuration = consumer
        self.topics = topics
        self.start = start
        self.mode = mode
        self.batchSize = Swift.max(1, batchSize)
        self.stallTimeout = stallTimeout
        self.logger = logger
    }

    /// Starts a read of its own.
    public func makeAsyncIterator() -> Iterator {
        Iterator(session: Session(reader: self))
    }

    /// One read. Its connection is closed at the end of the sequence, or when it is dropped.
    public struct Iterator: AsyncIteratorProtocol {
        private let session: Session
        private var batch: [KafkaReceivedRecord] = []
        private var position = 0

        fileprivate init(session: Session) { self.session = session }

        /// The next record; nil at the end. Throws `KafkaError` or `CancellationError`.
        public mutating func next() async throws -> KafkaReceivedRecord? {
            if position < batch.count {
                defer { position += 1 }
                return batch[position]
            }
            batch = try await session.nextBatch()
            position = 1
            return batch.first
        }

        /// The records that are there, at least one; `[]` at the end. For readers that work in batches; may be mixed with `next()`.
        public mutating func nextBatch() async throws -> [KafkaReceivedRecord] {
            if position < batch.count {
                defer { position = batch.count }
                return Array(batch[position...])
            }
            return try await session.nextBatch()
        }
    }

    /// Owner: the one iterator that made it, which is used by one task at a time.
    fileprivate final class Session {
        private let reader: KafkaTopicReader
        private var consumer: KafkaConsumer?
        private var progress = ReadProgress()
        private var isStarted = false

        init(reader: KafkaTopicReader) { self.reader = reader }

        deinit { consumer?.shutdown() }

        func nextBatch() async throws -> [KafkaReceivedRecord] {
            if !isStarted {
                isStarted = true
                try await begin()
            }
            var lastProgress = ContinuousClock.now
            while let consumer {
                if reader.mode == .untilEnd, progress.isComplete { break }
                let poll = try await consumer.poll(max: reader.batchSize, wait: .milliseconds(500))
                if progress.advance(poll) { lastProgress = .now }
                if !poll.records.isEmpty { return poll.records }
                if reader.mode == .untilEnd, ContinuousClock.now - lastProgress > reader.stallTimeout {
                    close()
                    throw KafkaError(
                        .timedOut,
                        "Reading \(reader.topics.joined(separator: ", ")): nothing came for too long."
                    )
                }
            }
            close()
            return []
        }

        private func close() {
            consumer?.shutdown()
            consumer = nil
        }

        private func begin() async throws {
            let consumer = try KafkaConsumer(configuration: reader.configuration, logger: reader.logger)
            self.consumer = consumer
            try consumer.start()
            let known = try await consumer.topics(timeout: reader.stallTimeout)
            var partitions: [KafkaTopicPartition] = []
            for name in reader.topics {
                guard let topic = known.first(where: { $0.name == name }) else {
                    close()
                    throw KafkaError(.unknownTopic, "There is no topic \(name).")
                }
                partitions += topic.topicPartitions
            }
            let ends = try await consumer.watermarks(partitions, timeout: reader.stallTimeout)
            var starts: [KafkaTopicPartition: Int64] = [:]
            switch reader.start {
            case .beginning: break
            case .offsets(let offsets): starts = offsets
            case .timestamp(let timestamp):
                starts = try await consumer.offsets(
                    atTimestampMilliseconds: timestamp,
                    partitions,
                    timeout: reader.stallTimeout
                )
            case .tail(let count): starts = ends.mapValues { Swift.max($0.low, $0.high - Swift.max(0, count)) }
            case .end: starts = ends.mapValues(\.high)
            }
            var places: [KafkaTopicPartitionOffset] = []
            for partition in partitions {
                let bounds = ends[partition] ?? KafkaWatermarks(low: 0, high: 0)
                let first = Swift.max(bounds.low, starts[partition] ?? bounds.low)
                progress.expect(partition, from: first, to: bounds.high)
                if reader.mode == .follow || first < bounds.high {
                    places.append(KafkaTopicPartitionOffset(partition, .at(first)))
                }
            }
            if !places.isEmpty { try await consumer.assign(places) }
        }
    }
}

/// How far a read has come: a value.
struct ReadProgress: Sendable {
    private var open: [KafkaTopicPartition: Int64] = [:]

    /// Whether every end has been passed.
    var isComplete: Bool { open.isEmpty }

    /// A partition is to be read up to `end` (exclusive).
    mutating func expect(_ partition: KafkaTopicPartition, from start: Int64, to end: Int64) {
        if start < end { open[partition] = end }
    }

    /// Takes in what came; whether anything did.
    mutating func advance(_ poll: KafkaPoll) -> Bool {
        for record in poll.records {
            guard let end = open[record.topicPartition] else { continue }
            if record.offset + 1 >= end { open[record.topicPartition] = nil }
        }
        for (partition, offset) in poll.ends {
            guard let end = open[partition] else { continue }
            if offset >= end { open[partition] = nil }
        }
        return !poll.isEmpty
    }
}
