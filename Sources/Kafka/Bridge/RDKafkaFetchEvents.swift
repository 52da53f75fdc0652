internal import CRdKafka

/// One event of a consumer's queue.
enum FetchEvent: Sendable {
    case record(KafkaReceivedRecord)
    /// The reader has everything of the partition; `offset` is what the next record will get.
    case end(KafkaTopicPartition, offset: Int64)
    case error(KafkaError)
    /// The group gave these partitions; `adopt` must follow.
    case assigned([KafkaTopicPartition])
    /// The group takes these partitions; `release` must follow.
    case revoked([KafkaTopicPartition], lost: Bool)
    case other
}

extension RDKafkaClient {
    /// Takes the next event of the consumer's queue. Blocks up to `milliseconds`; nil when nothing came or after `wakeConsumer`.
    func pollConsumer(milliseconds: Int, lastTopic: inout String) -> FetchEvent? {
        guard let queue = handle.consumerQueue else { return nil }
        return pollFetchEvent(of: queue, milliseconds: milliseconds, lastTopic: &lastTopic)
    }

    func pollFetchEvent(of queue: OpaquePointer?, milliseconds: Int, lastTopic: inout String) -> FetchEvent? {
        guard let event = rd_kafka_queue_poll(queue, Int32(clamping: milliseconds)) else { return nil }
        defer { rd_kafka_event_destroy(event) }
        switch rd_kafka_event_type(event) {
        case RD_KAFKA_EVENT_FETCH:
            guard let message = rd_kafka_event_message_next(event) else { return .other }
            return self.event(of: message, lastTopic: &lastTopic)
        case RD_KAFKA_EVENT_ERROR:
            return errorEvent(event)
        case RD_KAFKA_EVENT_REBALANCE:
            let partitions = rd_kafka_event_topic_partition_list(event).map { PartitionList.partitions(of: $0) } ?? []
            if rd_kafka_event_error(event) == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS { return .assigned(partitions) }
            // Anything else, also a failed rebalance, means: let go.
            return .revoked(partitions, lost: rd_kafka_assignment_lost(handle.raw) != 0)
        default:
            return .other
        }
    }

    private func errorEvent(_ event: OpaquePointer) -> FetchEvent {
        let error = error(of: event)
        guard let place = rd_kafka_event_topic_partition(event) else { return .error(error) }
        defer { rd_kafka_topic_partition_destroy(place) }
        guard let partition = KafkaTopicPartition(place.pointee) else { return .error(error) }
        if error.code == .partitionEOF { return .end(partition, offset: place.pointee.offset) }
        return .error(
            KafkaError(
                error.code,
                "\(partition): \(error.sentence)",
                isFatal: error.isFatal,
                isRetriable: error.isRetriable
            )
        )
    }

    private func event(of message: UnsafePointer<rd_kafka_message_t>, lastTopic: inout String) -> FetchEvent {
        let message = UnsafeMutablePointer(mutating: message)
        guard let topicName = rd_kafka_topic_name(message.pointee.rkt) else { return .other }
        // Neighbours mostly share their topic: comparing is cheaper than making a string for each.
        if !lastTopic.utf8.elementsEqual(UnsafeCStringBytes(topicName)) { lastTopic = String(cString: topicName) }
        guard message.pointee.err == RD_KAFKA_RESP_ERR_NO_ERROR else {
            let partition = KafkaTopicPartition(topic: lastTopic, partition: message.pointee.partition)
            let code = KafkaErrorCode(message.pointee.err)
            if code == .partitionEOF { return .end(partition, offset: message.pointee.offset) }
            return .error(KafkaError(code, "\(partition): \(code.sentence)"))
        }
        var timestampType = RD_KAFKA_TIMESTAMP_NOT_AVAILABLE
        let timestamp = rd_kafka_message_timestamp(message, &timestampType)
        return .record(
            KafkaReceivedRecord(
                topic: lastTopic,
                partition: message.pointee.partition,
                offset: message.pointee.offset,
                timestampMilliseconds: timestampType == RD_KAFKA_TIMESTAMP_NOT_AVAILABLE || timestamp < 0
                    ? nil : timestamp,
                key: Self.bytes(message.pointee.key, message.pointee.key_len),
                value: Self.bytes(message.pointee.payload, message.pointee.len),
                headers: Self.headers(of: message)
            )
        )
    }

    private static func bytes(_ start: UnsafeRawPointer?, _ count: Int) -> [UInt8]? {
        start.map { Array(UnsafeRawBufferPointer(start: $0, count: count)) }
    }

    private static func headers(of message: UnsafeMutablePointer<rd_kafka_message_t>) -> [KafkaHeader] {
        var list: OpaquePointer?
        guard rd_kafka_message_headers(message, &list) == RD_KAFKA_RESP_ERR_NO_ERROR, let list else { return [] }
        let count = rd_kafka_header_cnt(list)
        var headers: [KafkaHeader] = []
        headers.reserveCapacity(count)
        for index in 0..<count {
            var name: UnsafePointer<CChar>?
            var value: UnsafeRawPointer?
            var size = 0
            guard rd_kafka_header_get_all(list, index, &name, &value, &size) == RD_KAFKA_RESP_ERR_NO_ERROR, let name
            else {
                break
            }
            headers.append(KafkaHeader(String(cString: name), bytes(value, size) ?? []))
        }
        return headers
    }
}

/// The bytes of a C string up to its zero, without measuring it first.
private struct UnsafeCStringBytes: Sequence, IteratorProtocol {
    private var place: UnsafePointer<CChar>

    init(_ start: UnsafePointer<CChar>) { place = start }

    mutating func next() -> UInt8? {
        guard place.pointee != 0 else { return nil }
        defer { place += 1 }
        return UInt8(bitPattern: place.pointee)
    }
}
