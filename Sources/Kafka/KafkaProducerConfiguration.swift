/// How batches are compressed. Which ones the linked librdkafka and the broker know is decided when they meet.
public enum KafkaCompression: String, Sendable, Hashable {
    /// As they are.
    case none
    /// zlib.
    case gzip
    /// Snappy.
    case snappy
    /// LZ4.
    case lz4
    /// Zstandard.
    case zstd
}

/// How a record without a given partition finds one.
public enum KafkaPartitioner: String, Sendable, Hashable {
    /// Murmur2 of the key, null keys at random: what the Java client does, so that both put a key into the same partition.
    case murmur2Random = "murmur2_random"
    /// CRC-32 of the key, empty and null keys at random: librdkafka's own default.
    case consistentRandom = "consistent_random"
    /// FNV-1a of the key, null keys at random (Sarama's).
    case fnv1aRandom = "fnv1a_random"
    /// At random, keys ignored: no order.
    case random
}

/// How a producer publishes. Idempotence and acknowledgement by all in-sync replicas are always on.
public struct KafkaProducerConfiguration: Sendable {
    /// Brokers and patience.
    public var client: KafkaClientConfiguration
    /// How long a batch may wait for company. Default 10 ms.
    ///
    /// A batch is a request of its own for each partition, and at most five are under way: with more of them, librdkafka 2.0.2 polls
    /// without a pause until an answer comes.
    public var linger: Duration = .milliseconds(10)
    /// Records handed to the C library and not yet settled. Default 10,000; 1 at least.
    public var maxMessagesInFlight = 10_000
    /// Bytes of those records. Default 32 MiB. A single larger record still goes alone.
    public var maxBytesInFlight = 32 * 1024 * 1024
    /// Largest record, framing and headers included. Default 1,000,000; 1,000 at least.
    public var maxRecordBytes = 1_000_000
    /// How long a record may wait for its acknowledgement; nil (the default) is for ever, which keeps the order without gaps.
    public var messageTimeout: Duration?
    /// How long shutdown waits for what is in flight. Default 5 s.
    public var flushTimeout: Duration = .seconds(5)
    /// Compression. Default none.
    public var compression: KafkaCompression = .none
    /// Partitioner. Default Java's.
    public var partitioner: KafkaPartitioner = .murmur2Random

    /// Makes a configuration with the defaults.
    public init(client: KafkaClientConfiguration) { self.client = client }

    var settings: [(String, String)] {
        let lingerMilliseconds = linger == .zero ? 0 : linger.wholeMilliseconds(0...900_000)
        // Ours is the window that holds; the C library's own is set above it, so that it never refuses first.
        let messages = min(max(1, maxMessagesInFlight), 10_000_000) + 1_000
        let kilobytes =
            min(max(1, maxBytesInFlight / 1024), 2_000_000) + min(max(1, maxRecordBytes / 1024), 100_000) + 1_024
        return client.settings + [
            ("enable.idempotence", "true"),
            // Without it librdkafka goes on behind a batch that the broker refused, under a new epoch: later records of a key then
            // stand in the log before one that is sent again. With it the handle breaks, and everything behind comes back.
            ("enable.gapless.guarantee", "true"),
            ("acks", "all"),
            ("max.in.flight.requests.per.connection", "5"),
            ("linger.ms", "\(lingerMilliseconds)"),
            // Must be above linger.ms; 0 is for ever.
            (
                "message.timeout.ms",
                "\(messageTimeout.map { $0.wholeMilliseconds((lingerMilliseconds + 1)...2_147_483_647) } ?? 0)"
            ),
            ("message.max.bytes", "\(min(max(1_000, maxRecordBytes), 1_000_000_000))"),
            ("queue.buffering.max.messages", "\(messages)"),
            ("queue.buffering.max.kbytes", "\(kilobytes)"),
            ("compression.codec", compression.rawValue),
            ("partitioner", partitioner.rawValue),
        ]
    }
}
