internal import CRdKafka

/// Owner of an `rd_kafka_topic_partition_list_t`.
struct PartitionList: ~Copyable {
    let raw: UnsafeMutablePointer<rd_kafka_topic_partition_list_t>

    init(_ places: [KafkaTopicPartitionOffset]) {
        raw = rd_kafka_topic_partition_list_new(Int32(clamping: places.count))
        for place in places {
            rd_kafka_topic_partition_list_add(raw, place.topic, place.partition).pointee.offset = place.offset.raw
        }
    }

    init(_ partitions: [KafkaTopicPartition]) {
        raw = rd_kafka_topic_partition_list_new(Int32(clamping: partitions.count))
        for partition in partitions {
            rd_kafka_topic_partition_list_add(raw, partition.topic, partition.partition)
        }
    }

    /// Takes over a list made by the library.
    init(taking raw: UnsafeMutablePointer<rd_kafka_topic_partition_list_t>) { self.raw = raw }

    deinit { rd_kafka_topic_partition_list_destroy(raw) }

    /// The partitions of a list, which stays with its owner.
    static func partitions(of list: UnsafePointer<rd_kafka_topic_partition_list_t>) -> [KafkaTopicPartition] {
        (0..<Int(list.pointee.cnt)).compactMap { KafkaTopicPartition(list.pointee.elems[$0]) }
    }

    var partitions: [KafkaTopicPartition] { Self.partitions(of: raw) }

    /// Offsets of those partitions that have one; throws the first partition's error, if any.
    func offsets(_ doing: String) throws(KafkaError) -> [KafkaTopicPartition: Int64] {
        var offsets: [KafkaTopicPartition: Int64] = [:]
        for index in 0..<Int(raw.pointee.cnt) {
            let element = raw.pointee.elems[index]
            guard let partition = KafkaTopicPartition(element) else { continue }
            try KafkaError.check(element.err, "\(doing) \(partition)")
            if element.offset >= 0 || element.offset == Int64(RD_KAFKA_OFFSET_END) {
                offsets[partition] = element.offset
            }
        }
        return offsets
    }
}

extension KafkaTopicPartition {
    init?(_ element: rd_kafka_topic_partition_t) {
        guard let topic = element.topic else { return nil }
        self.init(topic: String(cString: topic), partition: element.partition)
    }
}

extension KafkaOffset {
    /// The library's number for the place.
    var raw: Int64 {
        switch self {
        case .beginning: Int64(RD_KAFKA_OFFSET_BEGINNING)
        case .end: Int64(RD_KAFKA_OFFSET_END)
        case .committed: Int64(RD_KAFKA_OFFSET_STORED)
        case .at(let offset): max(0, offset)
        case .tail(let count): crdkafka_offset_tail(min(max(1, count), 1 << 53))
        }
    }
}
