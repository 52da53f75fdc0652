/// Told when a group gives or takes partitions (mode `subscribe`).
///
/// Both methods run inside `nextBatch`/`poll`, on the consumer's own fetching thread, before the change takes effect. So when
/// `revoked` is called, every record of the taken partitions that was handed out has come from an *earlier* batch: with a reader that
/// settles a batch before it asks for the next one, nothing is in between. They may block briefly (a read from a database), and must not
/// call the consumer.
public protocol KafkaRebalanceHandler: Sendable {
    /// Partitions were given. Answers where to start each; what is missing in the answer starts at the committed offset.
    func assigned(_ partitions: [KafkaTopicPartition]) -> [KafkaTopicPartitionOffset]
    /// Partitions are taken away. `lost`: another member may have them already, so commits for them will be refused.
    func revoked(_ partitions: [KafkaTopicPartition], lost: Bool)
}

extension KafkaRebalanceHandler {
    /// Starts all at the committed offsets.
    public func assigned(_ partitions: [KafkaTopicPartition]) -> [KafkaTopicPartitionOffset] { [] }
    /// Does nothing.
    public func revoked(_ partitions: [KafkaTopicPartition], lost: Bool) {}
}
