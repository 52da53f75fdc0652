/// A topic of the cluster.
public struct KafkaTopic: Sendable, Hashable {
    /// Its name.
    public var name: String
    /// Numbers of its partitions, in order.
    public var partitions: [Int32]

    /// Makes a description.
    public init(name: String, partitions: [Int32]) {
        self.name = name
        self.partitions = partitions
    }

    /// All its partitions.
    public var topicPartitions: [KafkaTopicPartition] {
        partitions.map { KafkaTopicPartition(topic: name, partition: $0) }
    }
}

/// A topic to be created.
public struct KafkaNewTopic: Sendable, Hashable {
    /// Its name: 1 to 249 characters out of `a-z A-Z 0-9 . _ -`.
    public var name: String
    /// How many partitions, 1 or more.
    public var partitions: Int32
    /// On how many brokers. Default 1.
    public var replicationFactor: Int32
    /// Settings of the broker, such as `retention.ms`.
    public var settings: [String: String]

    /// Makes a wish.
    public init(_ name: String, partitions: Int32, replicationFactor: Int32 = 1, settings: [String: String] = [:]) {
        self.name = name
        self.partitions = partitions
        self.replicationFactor = replicationFactor
        self.settings = settings
    }
}
