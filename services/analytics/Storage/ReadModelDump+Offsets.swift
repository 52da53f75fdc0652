import DurableStore
import GRDB
import Kafka

extension ReadModelDump {
    /// The next offset of each partition that has been folded; read in the same transaction as the rows.
    static func offsets(of consumer: String, in db: Database) throws -> [KafkaTopicPartition: Int64] {
        var offsets: [KafkaTopicPartition: Int64] = [:]
        for entry in try EventProcessor.startOffsets(consumer: consumer, in: db) {
            offsets[KafkaTopicPartition(topic: entry.topic, partition: entry.partition)] = entry.offset
        }
        return offsets
    }
}
