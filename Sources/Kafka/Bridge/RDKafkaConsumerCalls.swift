internal import CRdKafka

// Calls of a consumer. Those that say "blocks" wait for a broker, the others only for librdkafka's own thread (microseconds).
extension RDKafkaClient {
    // MARK: what to read

    /// Replaces the assignment by hand.
    func assign(_ places: [KafkaTopicPartitionOffset]) throws(KafkaError) {
        let list = PartitionList(places)
        try KafkaError.check(rd_kafka_assign(handle.raw, list.raw), "Assigning \(places.count) partition(s)")
    }

    func subscribe(_ topics: [String]) throws(KafkaError) {
        let list = PartitionList(topics.map { KafkaTopicPartition(topic: $0, partition: RD_KAFKA_PARTITION_UA) })
        try KafkaError.check(
            rd_kafka_subscribe(handle.raw, list.raw),
            "Subscribing to \(topics.joined(separator: ", "))"
        )
    }

    func unsubscribe() throws(KafkaError) {
        try KafkaError.check(rd_kafka_unsubscribe(handle.raw), "Unsubscribing")
    }

    /// Whether the group moves partitions step by step; decides which calls answer a rebalance.
    private var isCooperative: Bool {
        rd_kafka_rebalance_protocol(handle.raw).map { String(cString: $0) == "COOPERATIVE" } ?? false
    }

    /// Takes what the group gave. rdkafka.h: the whole list must be passed on, even when empty, to keep the join state right.
    func adopt(_ places: [KafkaTopicPartitionOffset]) -> KafkaError? {
        let list = PartitionList(places)
        if isCooperative { return KafkaError.taking(rd_kafka_incremental_assign(handle.raw, list.raw)) }
        let code = rd_kafka_assign(handle.raw, list.raw)
        return code == RD_KAFKA_RESP_ERR_NO_ERROR ? nil : KafkaError(KafkaErrorCode(code))
    }

    /// Gives back what the group takes.
    func release(_ partitions: [KafkaTopicPartition]) -> KafkaError? {
        if isCooperative {
            let list = PartitionList(partitions)
            return KafkaError.taking(rd_kafka_incremental_unassign(handle.raw, list.raw))
        }
        let code = rd_kafka_assign(handle.raw, nil)
        return code == RD_KAFKA_RESP_ERR_NO_ERROR ? nil : KafkaError(KafkaErrorCode(code))
    }

    func pause(_ partitions: [KafkaTopicPartition]) throws(KafkaError) {
        let list = PartitionList(partitions)
        try KafkaError.check(rd_kafka_pause_partitions(handle.raw, list.raw), "Pausing")
        _ = try list.offsets("Pausing")
    }

    func resume(_ partitions: [KafkaTopicPartition]) throws(KafkaError) {
        let list = PartitionList(partitions)
        try KafkaError.check(rd_kafka_resume_partitions(handle.raw, list.raw), "Resuming")
        _ = try list.offsets("Resuming")
    }

    /// Moves partitions of the assignment. Blocks until each has moved.
    func seek(_ places: [KafkaTopicPartitionOffset], milliseconds: Int) throws(KafkaError) {
        let list = PartitionList(places)
        if let error = KafkaError.taking(rd_kafka_seek_partitions(handle.raw, list.raw, Int32(clamping: milliseconds)))
        {
            throw error
        }
        for index in 0..<Int(list.raw.pointee.cnt) {
            try KafkaError.check(list.raw.pointee.elems[index].err, "Seeking in \(places[index].topicPartition)")
        }
    }

    // MARK: what is known here

    func assignment() throws(KafkaError) -> [KafkaTopicPartition] {
        var raw: UnsafeMutablePointer<rd_kafka_topic_partition_list_t>?
        try KafkaError.check(rd_kafka_assignment(handle.raw, &raw), "Reading the assignment")
        guard let raw else { return [] }
        return PartitionList(taking: raw).partitions.sorted()
    }

    /// Offset behind the last record handed out, for partitions where one was.
    func positions(_ partitions: [KafkaTopicPartition]) throws(KafkaError) -> [KafkaTopicPartition: Int64] {
        let list = PartitionList(partitions)
        try KafkaError.check(rd_kafka_position(handle.raw, list.raw), "Reading positions")
        return try list.offsets("Position of")
    }

    /// The ends as the last answers told them; nil before the first.
    func cachedWatermarks(_ partition: KafkaTopicPartition) -> KafkaWatermarks? {
        var low: Int64 = -1
        var high: Int64 = -1
        let code = rd_kafka_get_watermark_offsets(handle.raw, partition.topic, partition.partition, &low, &high)
        guard code == RD_KAFKA_RESP_ERR_NO_ERROR, high >= 0 else { return nil }
        return KafkaWatermarks(low: max(0, low), high: high)
    }

    // MARK: committed offsets

    /// Asks to commit; the result comes on the main queue as `offsetsCommitted` with `token`.
    func commit(_ nextOffsets: [KafkaTopicPartition: Int64], token: UInt) -> KafkaErrorCode {
        let list = PartitionList(nextOffsets.map { KafkaTopicPartitionOffset($0.key, .at($0.value)) })
        return KafkaErrorCode(
            rd_kafka_commit_queue(
                handle.raw,
                list.raw,
                handle.mainQueue,
                nil,
                UnsafeMutableRawPointer(bitPattern: token)
            )
        )
    }

    /// What this client's group has committed. Blocks.
    func committed(
        _ partitions: [KafkaTopicPartition],
        milliseconds: Int
    ) throws(KafkaError) -> [KafkaTopicPartition: Int64] {
        let list = PartitionList(partitions)
        try KafkaError.check(
            rd_kafka_committed(handle.raw, list.raw, Int32(clamping: milliseconds)),
            "Asking for committed offsets"
        )
        return try list.offsets("Committed offset of").filter { $0.value >= 0 }
    }

    // MARK: the end

    /// Leaves the group and closes the consumer's side of the handle; `answer` deals with the last rebalances. Blocks, at most until
    /// `deadline`: without a broker the rest is left to the handle's destruction, which does not wait for one.
    func closeConsumer(by deadline: ContinuousClock.Instant, answer: (FetchEvent) -> Void) -> KafkaError? {
        // A queue of its own: the consumer's queue is forwarded to it, and what it still holds is dropped with it. Records left there
        // would otherwise keep references that the destruction waits for.
        let queue = rd_kafka_queue_new(handle.raw)
        defer { rd_kafka_queue_destroy(queue) }
        if let error = KafkaError.taking(rd_kafka_consumer_close_queue(handle.raw, queue)) { return error }
        var lastTopic = ""
        while rd_kafka_consumer_closed(handle.raw) == 0, ContinuousClock.now < deadline {
            if let event = pollFetchEvent(of: queue, milliseconds: 20, lastTopic: &lastTopic) { answer(event) }
        }
        return nil
    }
}
