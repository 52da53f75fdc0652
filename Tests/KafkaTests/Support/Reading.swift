import Kafka
import Synchronization
import Testing

/// All records of a read.
func collect(_ reader: KafkaTopicReader) async throws -> [KafkaReceivedRecord] {
    var records: [KafkaReceivedRecord] = []
    for try await record in reader { records.append(record) }
    return records
}

/// Publishes numbered records into the first partitions of a topic.
func fill(_ broker: OpenBroker, _ topic: String, partitions: Int32, each count: Int, size: Int = 10) async throws {
    let value = [UInt8](repeating: 7, count: size)
    let records = (0..<partitions).flatMap { partition in
        (0..<count).map { KafkaRecord(topic: topic, partition: partition, key: "\($0)".bytes, value: value) }
    }
    let results = try await withKafkaProducer(configuration: broker.producer(), logger: .quiet) {
        await $0.publish(records)
    }
    #expect(results.allSatisfy { $0.isPersisted }, "\(results.first { !$0.isPersisted }.map { "\($0)" } ?? "")")
}

/// Lets consumers take part in their group until something is so.
func pump(_ consumers: [KafkaConsumer], until condition: @escaping @Sendable () -> Bool) async throws {
    try await eventually("the group is as expected", within: .seconds(40)) {
        for consumer in consumers { _ = try await consumer.nextBatch(max: 100, wait: .milliseconds(20)) }
        return condition()
    }
}

/// Keeps what a group gives and takes.
final class RecordingRebalances: KafkaRebalanceHandler {
    private let state = Mutex<Set<KafkaTopicPartition>>([])
    private let start: KafkaOffset?

    init(start: KafkaOffset? = nil) { self.start = start }

    var owned: Set<KafkaTopicPartition> { state.withLock { $0 } }

    func assigned(_ partitions: [KafkaTopicPartition]) -> [KafkaTopicPartitionOffset] {
        state.withLock { $0.formUnion(partitions) }
        return start.map { start in partitions.map { KafkaTopicPartitionOffset($0, start) } } ?? []
    }

    func revoked(_ partitions: [KafkaTopicPartition], lost: Bool) {
        state.withLock { $0.subtract(partitions) }
    }
}

/// An iterator for one task at a time, which the test sees to.
final class Unshared: @unchecked Sendable {
    private var iterator: KafkaTopicReader.Iterator

    init(_ iterator: KafkaTopicReader.Iterator) { self.iterator = iterator }

    func next() async throws -> KafkaReceivedRecord? { try await iterator.next() }
}
