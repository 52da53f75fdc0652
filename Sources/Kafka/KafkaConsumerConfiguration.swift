/// What a consumer does when the place it should start at does not exist.
public enum KafkaOffsetReset: String, Sendable, Hashable {
    /// Start at the first record there is.
    case earliest
    /// Start behind the last record.
    case latest
    /// Answer with an error (`autoOffsetReset`) and stand still.
    case fail = "error"
}

/// How a group shares out partitions. All members must use the same.
public enum KafkaAssignor: String, Sendable, Hashable {
    /// Keeps what it can and moves the rest step by step, without stopping everybody (incremental rebalances).
    ///
    /// librdkafka 2.0.2 ends the process with a failed assertion (`rd_kafka_sticky_assignor_state_destroy`) when the leader of a
    /// group closes between being elected and having assigned; seen in tests. Use it with a newer library.
    case cooperativeSticky = "cooperative-sticky"
    /// By ranges per topic; everybody stops while partitions move (eager rebalances).
    case range
    /// In turn over all topics; everybody stops while partitions move (eager rebalances).
    case roundRobin = "roundrobin"
}

/// How a consumer reads. Offsets are never committed behind the caller's back, and checksums are always verified.
///
/// Memory: at most `maxQueuedBytes` plus one answer (`fetchMaxBytes`) per broker waits in the C library, and one batch with the caller.
public struct KafkaConsumerConfiguration: Sendable {
    /// Brokers and patience.
    public var client: KafkaClientConfiguration
    /// Group to commit to (and to share partitions in). nil: a private name, nothing is ever committed under it.
    public var groupID: String?
    /// What to do without a place to start. Default: from the earliest.
    public var offsetReset: KafkaOffsetReset = .earliest
    /// Whether `poll` reports ends of partitions. Default false.
    public var partitionEOF = false
    /// Bytes fetched ahead of the reader, all partitions together. Default 32 MiB.
    ///
    /// librdkafka before 2.2 waits up to 1 s after a bound was hit before it fetches again, so a reader gets at most about one filling
    /// per second: small values slow a fast reader down.
    public var maxQueuedBytes = 32 * 1024 * 1024
    /// Records fetched ahead of the reader, per partition. Default 50,000. The same holds.
    public var maxQueuedMessagesPerPartition = 50_000
    /// Largest answer to one fetch (a single larger batch still comes). Default 8 MiB.
    public var fetchMaxBytes = 8 * 1024 * 1024
    /// Longest time a broker may wait for records before it answers a fetch. Default 500 ms. Records answer at once.
    public var fetchMaxWait: Duration = .milliseconds(500)
    /// How long a silent member stays in its group. Default 10 s.
    public var sessionTimeout: Duration = .seconds(10)
    /// How often a member shows that it lives. Default 2 s.
    public var heartbeatInterval: Duration = .seconds(2)
    /// How long a member may take to answer a rebalance, which it does in `nextBatch`, before the group goes on without it. Default 5 min.
    ///
    /// Without a rebalance a member that asks for nothing keeps its partitions for as long as its process lives (librdkafka 2.0 counts the
    /// polls of this module's own thread): a stuck reader shows in its lag, and is for supervision to find.
    public var maxPollInterval: Duration = .seconds(300)
    /// How the group shares out partitions. Default range: see ``KafkaAssignor/cooperativeSticky`` for why not that.
    public var assignor: KafkaAssignor = .range
    /// A fixed member name, to come back within the session timeout without a rebalance; nil for none.
    public var groupInstanceID: String?
    /// How long shutdown waits for leaving the group. Default 5 s.
    public var closeTimeout: Duration = .seconds(5)

    /// Makes a configuration with the defaults.
    public init(client: KafkaClientConfiguration, groupID: String? = nil) {
        self.client = client
        self.groupID = groupID
    }

    var settings: [(String, String)] {
        let session = sessionTimeout.wholeMilliseconds(1...3_600_000)
        var settings =
            client.settings + [
                // The C library needs a group for its consumer queue even when partitions are assigned by hand.
                ("group.id", groupID ?? "\(client.clientID)-private"),
                ("enable.auto.commit", "false"),
                ("enable.auto.offset.store", "false"),
                ("auto.offset.reset", offsetReset.rawValue),
                ("check.crcs", "true"),
                ("enable.partition.eof", partitionEOF ? "true" : "false"),
                ("queued.max.messages.kbytes", "\(min(max(1, maxQueuedBytes / 1024), 2_097_151))"),
                ("queued.min.messages", "\(min(max(1, maxQueuedMessagesPerPartition), 10_000_000))"),
                // The library wants fetch.max.bytes not below message.max.bytes, which has no other meaning for a reader.
                ("message.max.bytes", "\(min(max(1_024, fetchMaxBytes), 1_000_000))"),
                ("fetch.max.bytes", "\(min(max(1_024, fetchMaxBytes), 100_000_000))"),
                ("fetch.message.max.bytes", "\(min(max(1_024, fetchMaxBytes), 1_048_576))"),
                ("receive.message.max.bytes", "\(max(100_000_000, min(fetchMaxBytes, 100_000_000) + 1_024))"),
                ("fetch.wait.max.ms", "\(fetchMaxWait.wholeMilliseconds(0...300_000))"),
                ("fetch.error.backoff.ms", "100"),
                ("session.timeout.ms", "\(session)"),
                ("heartbeat.interval.ms", "\(heartbeatInterval.wholeMilliseconds(1...3_600_000))"),
                ("max.poll.interval.ms", "\(max(session, maxPollInterval.wholeMilliseconds(1...86_400_000)))"),
                ("partition.assignment.strategy", assignor.rawValue),
            ]
        if let groupInstanceID { settings.append(("group.instance.id", groupInstanceID)) }
        return settings
    }
}
