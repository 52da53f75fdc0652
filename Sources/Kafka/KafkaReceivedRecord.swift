/// A record read from a partition.
public struct KafkaReceivedRecord: Sendable, Hashable {
    /// Topic it was read from.
    public var topic: String
    /// Partition it was read from.
    public var partition: Int32
    /// Position in the partition, from 0.
    public var offset: Int64
    /// Milliseconds since 1970, UTC, as the producer or the broker wrote it; nil where the record has none.
    public var timestampMilliseconds: Int64?
    /// Key; nil is the protocol's null.
    public var key: [UInt8]?
    /// Value; nil is the protocol's null.
    public var value: [UInt8]?
    /// Headers in order; a null header value is `[]`.
    public var headers: [KafkaHeader]

    /// Makes a record (for tests and in-memory transports).
    public init(
        topic: String,
        partition: Int32,
        offset: Int64,
        timestampMilliseconds: Int64? = nil,
        key: [UInt8]? = nil,
        value: [UInt8]?,
        headers: [KafkaHeader] = []
    ) {
        self.topic = topic
        self.partition = partition
        self.offset = offset
        self.timestampMilliseconds = timestampMilliseconds
        self.key = key
        self.value = value
        self.headers = headers
    }

    /// Where the record came from.
    public var topicPartition: KafkaTopicPartition {
        KafkaTopicPartition(topic: topic, partition: partition)
    }

    /// Value of the last header with that name, or nil. Names are compared exactly.
    public func header(_ name: String) -> [UInt8]? {
        headers.last { $0.name == name }?.value
    }
}
