/// One partition of one topic.
public struct KafkaTopicPartition: Sendable, Hashable, Comparable, CustomStringConvertible {
    /// Name of the topic.
    public var topic: String
    /// Number of the partition, from 0.
    public var partition: Int32

    /// Names a partition.
    public init(topic: String, partition: Int32) {
        self.topic = topic
        self.partition = partition
    }

    /// By topic, then by partition.
    public static func < (left: Self, right: Self) -> Bool {
        left.topic == right.topic ? left.partition < right.partition : left.topic < right.topic
    }

    /// `topic[partition]`.
    public var description: String { "\(topic)[\(partition)]" }
}

/// A place to start reading at.
public enum KafkaOffset: Sendable, Hashable {
    /// The first record that the broker still has.
    case beginning
    /// Behind the last record: only what comes later.
    case end
    /// The offset that the group has committed; without one, the consumer's `offsetReset` decides.
    case committed
    /// Exactly this offset, from 0.
    case at(Int64)
    /// This many records before the end (1 or more).
    case tail(Int64)
}

/// A partition and a place in it.
public struct KafkaTopicPartitionOffset: Sendable, Hashable {
    /// The partition.
    public var topicPartition: KafkaTopicPartition
    /// The place.
    public var offset: KafkaOffset

    /// Name of the topic.
    public var topic: String { topicPartition.topic }
    /// Number of the partition.
    public var partition: Int32 { topicPartition.partition }

    /// Names a place.
    public init(topic: String, partition: Int32, offset: KafkaOffset) {
        self.topicPartition = KafkaTopicPartition(topic: topic, partition: partition)
        self.offset = offset
    }

    /// Names a place.
    public init(_ topicPartition: KafkaTopicPartition, _ offset: KafkaOffset) {
        self.topicPartition = topicPartition
        self.offset = offset
    }
}

/// The ends of a partition.
public struct KafkaWatermarks: Sendable, Hashable {
    /// Offset of the first record that the broker still has.
    public var low: Int64
    /// Offset that the next record will get.
    public var high: Int64

    /// Makes a pair.
    public init(low: Int64, high: Int64) {
        self.low = low
        self.high = high
    }
}
