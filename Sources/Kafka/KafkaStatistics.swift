import FoundationEssentials

/// A snapshot of a client, from librdkafka's statistics (STATISTICS.md of librdkafka 2.0).
public struct KafkaStatistics: Sendable, Hashable {
    /// One connection.
    public struct Broker: Sendable, Hashable {
        /// `host:port/id`.
        public var name: String
        /// librdkafka's state, such as `UP`, `CONNECT`, `DOWN`, `INIT`.
        public var state: String
        /// Whether it is a coordinator's logical connection rather than an address.
        public var isLogical: Bool
        /// Requests waiting for an answer.
        public var requestsInFlight: Int
        /// Mean round trip of the interval, microseconds.
        public var roundTripMicroseconds: Int

        /// Whether requests can be sent.
        public var isConnected: Bool { state == "UP" }
    }

    /// One partition that a consumer reads or a producer writes.
    public struct Partition: Sendable, Hashable {
        /// The partition.
        public var topicPartition: KafkaTopicPartition
        /// Records fetched and not yet taken by the reader.
        public var queuedMessages: Int
        /// Their bytes.
        public var queuedBytes: Int
        /// End of the partition as last heard, or nil.
        public var highWatermark: Int64?
        /// Offset behind the last record taken by the reader, or nil.
        public var position: Int64?
        /// Committed offset, or nil.
        public var committed: Int64?

        /// Records between reader and end, or nil while unknown.
        public var lag: Int64? {
            guard let highWatermark, let place = position ?? committed else { return nil }
            return max(0, highWatermark - place)
        }
    }

    /// The client's name within the C library.
    public var client: String
    /// Records waiting in the producer's queue or on their way.
    public var queuedMessages: Int
    /// Their bytes.
    public var queuedBytes: Int
    /// Records sent since the start.
    public var messagesSent: Int
    /// Records received since the start.
    public var messagesReceived: Int
    /// Id of the idempotent producer; nil until the broker has given one.
    public var producerID: Int64?
    /// Connections.
    public var brokers: [Broker]
    /// Partitions, without librdkafka's internal "unassigned" one, in order.
    public var partitions: [Partition]

    /// Connections that can send, addresses only.
    public var connectedBrokers: Int { brokers.count { $0.isConnected && !$0.isLogical } }

    /// Reads librdkafka's JSON; nil where it is not what STATISTICS.md describes.
    init?(json: [UInt8]) {
        guard let raw = try? JSONDecoder().decode(RawStatistics.self, from: Data(json)) else { return nil }
        client = raw.name
        queuedMessages = raw.msg_cnt ?? 0
        queuedBytes = raw.msg_size ?? 0
        messagesSent = raw.txmsgs ?? 0
        messagesReceived = raw.rxmsgs ?? 0
        producerID = raw.eos?.producer_id.flatMap { $0 >= 0 ? $0 : nil }
        brokers = (raw.brokers ?? [:]).values
            .map {
                Broker(
                    name: $0.name,
                    state: $0.state,
                    isLogical: $0.source == "logical",
                    requestsInFlight: $0.waitresp_cnt ?? 0,
                    roundTripMicroseconds: $0.rtt?.avg ?? 0
                )
            }
            .sorted { $0.name < $1.name }
        var partitions: [Partition] = []
        for topic in (raw.topics ?? [:]).values {
            for partition in (topic.partitions ?? [:]).values where partition.partition >= 0 {
                partitions.append(
                    Partition(
                        topicPartition: KafkaTopicPartition(topic: topic.topic, partition: partition.partition),
                        queuedMessages: (partition.fetchq_cnt ?? 0) + (partition.msgq_cnt ?? 0)
                            + (partition.xmit_msgq_cnt ?? 0),
                        queuedBytes: (partition.fetchq_size ?? 0) + (partition.msgq_bytes ?? 0)
                            + (partition.xmit_msgq_bytes ?? 0),
                        highWatermark: Self.known(partition.hi_offset),
                        position: Self.known(partition.app_offset),
                        committed: Self.known(partition.committed_offset)
                    )
                )
            }
        }
        self.partitions = partitions.sorted { $0.topicPartition < $1.topicPartition }
    }

    /// Logical offsets (−1001 and the like) mean "not known".
    private static func known(_ offset: Int64?) -> Int64? {
        offset.flatMap { $0 >= 0 ? $0 : nil }
    }
}

// Names as librdkafka writes them, so that no table of keys is needed.
// swift-format-ignore: AlwaysUseLowerCamelCase
private struct RawStatistics: Decodable {
    struct Broker: Decodable {
        struct Window: Decodable { var avg: Int? }
        var name: String
        var state: String
        var source: String?
        var waitresp_cnt: Int?
        var rtt: Window?
    }
    struct Topic: Decodable {
        var topic: String
        var partitions: [String: Partition]?
    }
    struct Partition: Decodable {
        var partition: Int32
        var msgq_cnt: Int?
        var msgq_bytes: Int?
        var xmit_msgq_cnt: Int?
        var xmit_msgq_bytes: Int?
        var fetchq_cnt: Int?
        var fetchq_size: Int?
        var hi_offset: Int64?
        var app_offset: Int64?
        var committed_offset: Int64?
    }
    struct ExactlyOnce: Decodable { var producer_id: Int64? }
    var name: String
    var msg_cnt: Int?
    var msg_size: Int?
    var txmsgs: Int?
    var rxmsgs: Int?
    var brokers: [String: Broker]?
    var topics: [String: Topic]?
    var eos: ExactlyOnce?
}
