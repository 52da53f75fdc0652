public import Logging
import Synchronization

/// Reads records, either from partitions given by hand (`assign`) or as a member of a group (`subscribe`).
///
/// **Pull.** Nothing is handed out unless `nextBatch` or `poll` asks for it; in between, records wait in librdkafka's queue, which stops
/// fetching at `maxQueuedBytes`. A reader that does not ask slows nobody but itself.
///
/// **Offsets** belong to the caller. Nothing is committed or stored unless `commit` says so; the usual pattern keeps the next offset in the
/// same database transaction as the effect, starts with `assign(.at(stored))`, and commits now and then only so that others see the lag.
///
/// **Brokers** may be absent or go away: calls then wait or bring nothing, and `brokerState` tells. `nextBatch` throws only for what does not
/// heal by itself (a damaged batch, a missing right, an offset that does not exist, a fatal fault).
///
/// `run()` is the lifetime. All methods may be called from any task; batches are handed out one call after the other.
public final class KafkaConsumer: Sendable {
    private let core: ClientCore
    private let fetcher: Fetcher
    /// Where reading begins by the caller's wish, for the lag of partitions that have brought nothing yet.
    private let starts = Mutex<[KafkaTopicPartition: Int64]>([:])

    /// Checks the configuration; starts nothing. Throws `invalidArgument` for a setting that librdkafka does not accept.
    public init(
        configuration: KafkaConsumerConfiguration,
        logger: Logger,
        observer: (any KafkaObserver)? = nil,
        rebalanceHandler: (any KafkaRebalanceHandler)? = nil
    ) throws(KafkaError) {
        let events = ClientEvents(clientID: configuration.client.clientID, logger: logger, observer: observer)
        let fetcher = Fetcher(events: events, handler: rebalanceHandler, maxBytes: max(1, configuration.maxQueuedBytes))
        self.fetcher = fetcher
        core = try ClientCore(
            role: "consumer",
            settings: configuration.settings,
            extra: configuration.client.properties,
            closeTimeout: configuration.closeTimeout,
            events: events,
            leave: { client, deadline in fetcher.leave(client, by: deadline) }
        )
    }

    // MARK: lifetime

    /// Lives until `shutdown()` or cancellation, then leaves the group. Throws only where librdkafka refuses to start.
    public func run() async throws(KafkaError) { try await core.run() }

    /// Asks for the end; `run()` returns when it is done.
    public func shutdown() { core.shutdown() }

    /// Starts without a task of its own; for owners that end with `shutdown()`.
    func start() throws(KafkaError) { try core.start() }

    /// Whether a broker can be reached.
    public var brokerState: KafkaBrokerState { core.events.state }

    /// The state now and each change; a slow reader sees only the newest. Ends with the client.
    public func brokerStates() -> AsyncStream<KafkaBrokerState> { core.events.states() }

    // MARK: what to read

    /// Reads exactly these partitions from these places, instead of what was read before. Needs no broker.
    public func assign(_ partitions: [KafkaTopicPartitionOffset]) async throws {
        try await core.call { client in try client.assign(partitions) }
        remember(partitions, replacing: true)
    }

    /// Joins the group and reads what it gives. Topics beginning with `^` are regular expressions.
    public func subscribe(_ topics: [String]) async throws {
        try await core.call { client in try client.subscribe(topics) }
    }

    /// Leaves the group.
    public func unsubscribe() async throws {
        try await core.call { client in try client.unsubscribe() }
    }

    /// Hands out nothing of these partitions until `resume`; what was fetched ahead is dropped and fetched again.
    public func pause(_ partitions: [KafkaTopicPartition]) async throws {
        try await core.call { client in try client.pause(partitions) }
    }

    /// Ends a pause.
    public func resume(_ partitions: [KafkaTopicPartition]) async throws {
        try await core.call { client in try client.resume(partitions) }
    }

    /// Moves partitions of the assignment; later batches start at the new places.
    public func seek(_ places: [KafkaTopicPartitionOffset], timeout: Duration = .seconds(10)) async throws {
        try await core.call { client in try client.seek(places, milliseconds: timeout.wholeMilliseconds(1...300_000)) }
        remember(places, replacing: false)
    }

    private func remember(_ places: [KafkaTopicPartitionOffset], replacing: Bool) {
        starts.withLock { starts in
            if replacing { starts.removeAll() }
            for place in places {
                if case .at(let offset) = place.offset { starts[place.topicPartition] = offset }
            }
        }
    }

    // MARK: reading

    /// Waits up to `wait` for records, then returns all that are there, at most `max`; `[]` if none came.
    ///
    /// Throws `KafkaError` for faults that do not heal by themselves, and `CancellationError` when cancelled with nothing in hand.
    public func nextBatch(max: Int, wait: Duration) async throws -> [KafkaReceivedRecord] {
        // Ends of partitions alone are no reason to return early, but they do end the wait: at most one empty batch per end.
        try await poll(max: max, wait: wait).records
    }

    /// Like `nextBatch`, with ends of partitions (where the configuration asks for them).
    public func poll(max: Int, wait: Duration) async throws -> KafkaPoll {
        let isCancelled = Flag()
        let poll = try await withTaskCancellationHandler {
            try await core.call(on: core.fetching) { [core, fetcher] client in
                try fetcher.fetch(client, max: max, wait: wait) {
                    isCancelled.isSet || core.isStopping.load(ordering: .acquiring)
                }
            }
        } onCancel: {
            isCancelled.set()
            core.peek { $0.wakeConsumer() }
        }
        if poll.isEmpty {
            try Task.checkCancellation()
            if core.isStopping.load(ordering: .acquiring) { throw KafkaError(.closed) }
        }
        return poll
    }

    // MARK: offsets

    /// Commits for the consumer's group: for each partition the offset to go on at, that is the last processed one plus 1.
    ///
    /// Works in both modes; needs a `groupID`. Throws a retriable error while the group's coordinator is away.
    public func commit(_ nextOffsets: [KafkaTopicPartition: Int64]) async throws {
        guard !nextOffsets.isEmpty else { return }
        try await core.commit(nextOffsets)
    }

    /// What the group has committed; partitions without a commit are left out.
    public func committed(
        _ partitions: [KafkaTopicPartition],
        timeout: Duration = .seconds(10)
    ) async throws -> [KafkaTopicPartition: Int64] {
        guard !partitions.isEmpty else { return [:] }
        return try await core.call { client in
            try client.committed(partitions, milliseconds: timeout.wholeMilliseconds(1...300_000))
        }
    }

    /// Partitions being read.
    public func assignment() async throws -> [KafkaTopicPartition] {
        try await core.call { client in try client.assignment() }
    }

    /// Offset behind the last record handed out (or the given start), for partitions where it is known.
    public func positions() async throws -> [KafkaTopicPartition: Int64] {
        let starts = starts.withLock { $0 }
        return try await core.call { client in
            let assignment = try client.assignment()
            guard !assignment.isEmpty else { return [:] }
            let positions = try client.positions(assignment)
            var all: [KafkaTopicPartition: Int64] = [:]
            for partition in assignment { all[partition] = positions[partition] ?? starts[partition] }
            return all
        }
    }

    /// Records between the reader and the end, per partition, as far as known here without asking anybody.
    public func lag() async throws -> [KafkaTopicPartition: Int64] {
        let positions = try await positions()
        return try await core.call { client in
            var lag: [KafkaTopicPartition: Int64] = [:]
            for (partition, position) in positions {
                guard let ends = client.cachedWatermarks(partition) else { continue }
                lag[partition] = max(0, ends.high - max(position, ends.low))
            }
            return lag
        }
    }

    /// Asks the brokers for both ends of partitions.
    public func watermarks(
        _ partitions: [KafkaTopicPartition],
        timeout: Duration = .seconds(10)
    ) async throws -> [KafkaTopicPartition: KafkaWatermarks] {
        try await core.watermarks(partitions, timeout: timeout)
    }

    /// Asks for the first offset with that time or a later one; where there is none, answers the end.
    public func offsets(
        atTimestampMilliseconds timestamp: Int64,
        _ partitions: [KafkaTopicPartition],
        timeout: Duration = .seconds(10)
    ) async throws -> [KafkaTopicPartition: Int64] {
        try await core.offsets(atTimestampMilliseconds: timestamp, partitions, timeout: timeout)
    }

    /// All topics of the cluster.
    public func topics(timeout: Duration = .seconds(10)) async throws -> [KafkaTopic] {
        try await core.topics(timeout: timeout)
    }
}

/// A flag set once, readable from any thread.
final class Flag: Sendable {
    private let value = Atomic(false)
    var isSet: Bool { value.load(ordering: .acquiring) }
    func set() { value.store(true, ordering: .releasing) }
}
