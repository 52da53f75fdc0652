internal import CRdKafka

// Questions to the cluster. All block up to their limit, on a thread of our own.
extension RDKafkaClient {
    /// All topics, in order of names, without internal ones of the cluster (`__…`).
    func topics(milliseconds: Int) throws(KafkaError) -> [KafkaTopic] {
        var raw: UnsafePointer<rd_kafka_metadata>?
        try KafkaError.check(
            rd_kafka_metadata(handle.raw, 1, nil, &raw, Int32(clamping: milliseconds)),
            "Asking for topics"
        )
        guard let raw else { return [] }
        defer { rd_kafka_metadata_destroy(raw) }
        var topics: [KafkaTopic] = []
        for index in 0..<Int(raw.pointee.topic_cnt) {
            let topic = raw.pointee.topics[index]
            guard let name = topic.topic, topic.err == RD_KAFKA_RESP_ERR_NO_ERROR else { continue }
            let partitions = (0..<Int(topic.partition_cnt)).map { topic.partitions[$0].id }
            topics.append(KafkaTopic(name: String(cString: name), partitions: partitions.sorted()))
        }
        return topics.filter { !$0.name.hasPrefix("__") }.sorted { $0.name < $1.name }
    }

    func watermarks(_ partition: KafkaTopicPartition, milliseconds: Int) throws(KafkaError) -> KafkaWatermarks {
        var low: Int64 = 0
        var high: Int64 = 0
        let code = rd_kafka_query_watermark_offsets(
            handle.raw,
            partition.topic,
            partition.partition,
            &low,
            &high,
            Int32(clamping: milliseconds)
        )
        try KafkaError.check(code, "Asking for the ends of \(partition)")
        return KafkaWatermarks(low: low, high: high)
    }

    /// First offset with that time or a later one; where there is none, the end (asked for separately).
    func offsets(
        atTimestampMilliseconds timestamp: Int64,
        _ partitions: [KafkaTopicPartition],
        milliseconds: Int
    ) throws(KafkaError) -> [KafkaTopicPartition: Int64] {
        let list = PartitionList(partitions.map { KafkaTopicPartitionOffset($0, .at(timestamp)) })
        try KafkaError.check(
            rd_kafka_offsets_for_times(handle.raw, list.raw, Int32(clamping: milliseconds)),
            "Asking for offsets at a time"
        )
        var offsets = try list.offsets("Offset at a time of")
        for partition in partitions where (offsets[partition] ?? -1) < 0 {
            offsets[partition] = try watermarks(partition, milliseconds: milliseconds).high
        }
        return offsets
    }

    /// Creates topics; one that exists is fine, whatever its partitions.
    func createTopics(_ topics: [KafkaNewTopic], milliseconds: Int) throws(KafkaError) {
        guard !topics.isEmpty else { return }
        var wishes: [OpaquePointer?] = []
        defer { for wish in wishes { rd_kafka_NewTopic_destroy(wish) } }
        for topic in topics {
            let (wish, text) = withErrorBuffer { buffer, size in
                rd_kafka_NewTopic_new(topic.name, topic.partitions, topic.replicationFactor, buffer, size)
            }
            guard let wish else { throw KafkaError(.invalidArgument, "Topic \(topic.name): \(text)") }
            wishes.append(wish)
            for (name, value) in topic.settings.sorted(by: { $0.key < $1.key }) {
                try KafkaError.check(
                    rd_kafka_NewTopic_set_config(wish, name, value),
                    "Topic \(topic.name), setting \(name)"
                )
            }
        }
        let options = adminOptions(RD_KAFKA_ADMIN_OP_CREATETOPICS, milliseconds: milliseconds)
        defer { rd_kafka_AdminOptions_destroy(options) }
        let answers = rd_kafka_queue_new(handle.raw)
        defer { rd_kafka_queue_destroy(answers) }
        let count = wishes.count
        wishes.withUnsafeMutableBufferPointer {
            rd_kafka_CreateTopics(handle.raw, $0.baseAddress, count, options, answers)
        }
        guard let event = rd_kafka_queue_poll(answers, Int32(clamping: milliseconds + 1_000)) else {
            throw KafkaError(.timedOut, "Creating topics: no answer")
        }
        defer { rd_kafka_event_destroy(event) }
        try checkAdmin(event, "Creating topics")
        var resultCount = 0
        guard let results = rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event), &resultCount)
        else {
            return
        }
        for index in 0..<resultCount {
            let code = KafkaErrorCode(rd_kafka_topic_result_error(results[index]))
            guard code != .none, code != .topicExists else { continue }
            let name = rd_kafka_topic_result_name(results[index]).map { String(cString: $0) } ?? "?"
            let text = rd_kafka_topic_result_error_string(results[index]).map { String(cString: $0) } ?? code.sentence
            throw KafkaError(code, "Creating topic \(name): \(text)")
        }
    }

    /// What any group has committed; partitions without a commit are left out.
    func committedOffsets(
        group: String,
        _ partitions: [KafkaTopicPartition],
        milliseconds: Int
    ) throws(KafkaError) -> [KafkaTopicPartition: Int64] {
        guard !partitions.isEmpty, !group.isEmpty else { return [:] }
        let list = PartitionList(partitions)
        var wish = rd_kafka_ListConsumerGroupOffsets_new(group, list.raw)
        defer { rd_kafka_ListConsumerGroupOffsets_destroy(wish) }
        let options = adminOptions(RD_KAFKA_ADMIN_OP_LISTCONSUMERGROUPOFFSETS, milliseconds: milliseconds)
        defer { rd_kafka_AdminOptions_destroy(options) }
        let answers = rd_kafka_queue_new(handle.raw)
        defer { rd_kafka_queue_destroy(answers) }
        rd_kafka_ListConsumerGroupOffsets(handle.raw, &wish, 1, options, answers)
        guard let event = rd_kafka_queue_poll(answers, Int32(clamping: milliseconds + 1_000)) else {
            throw KafkaError(.timedOut, "Asking for offsets of group \(group): no answer")
        }
        defer { rd_kafka_event_destroy(event) }
        try checkAdmin(event, "Asking for offsets of group \(group)")
        var count = 0
        guard
            let results = rd_kafka_ListConsumerGroupOffsets_result_groups(
                rd_kafka_event_ListConsumerGroupOffsets_result(event),
                &count
            )
        else { return [:] }
        var offsets: [KafkaTopicPartition: Int64] = [:]
        for index in 0..<count {
            if let error = rd_kafka_group_result_error(results[index]) {
                let code = KafkaErrorCode(rd_kafka_error_code(error))
                throw KafkaError(code, "Asking for offsets of group \(group): \(code.sentence)")
            }
            guard let places = rd_kafka_group_result_partitions(results[index]) else { continue }
            for place in 0..<Int(places.pointee.cnt) {
                let element = places.pointee.elems[place]
                guard let partition = KafkaTopicPartition(element), element.offset >= 0 else { continue }
                offsets[partition] = element.offset
            }
        }
        return offsets
    }

    private func adminOptions(_ operation: rd_kafka_admin_op_t, milliseconds: Int) -> OpaquePointer? {
        let options = rd_kafka_AdminOptions_new(handle.raw, operation)
        _ = withErrorBuffer { buffer, size in
            rd_kafka_AdminOptions_set_request_timeout(options, Int32(clamping: max(1, milliseconds)), buffer, size)
        }
        return options
    }

    private func checkAdmin(_ event: OpaquePointer, _ doing: String) throws(KafkaError) {
        let code = KafkaErrorCode(rd_kafka_event_error(event))
        guard code != .none else { return }
        let text = rd_kafka_event_error_string(event).map { String(cString: $0) } ?? code.sentence
        throw KafkaError(code, "\(doing): \(text)")
    }
}
