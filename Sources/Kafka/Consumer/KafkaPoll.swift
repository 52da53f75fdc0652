/// What one `KafkaConsumer.poll` brought.
public struct KafkaPoll: Sendable, Hashable {
    /// Records; in order within each partition.
    public var records: [KafkaReceivedRecord] = []
    /// Partitions of which the reader now has everything, with the offset that the next record will get. Only with `partitionEOF`.
    public var ends: [KafkaTopicPartition: Int64] = [:]

    /// Makes an empty one.
    public init() {}

    /// Whether it brought nothing.
    public var isEmpty: Bool { records.isEmpty && ends.isEmpty }
}
