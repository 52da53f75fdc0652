internal import CRdKafka

/// What became of one message handed to the library.
struct Delivery: Sendable {
    enum Status: Sendable { case persisted, notPersisted, possiblyPersisted }
    /// The value given to `produce`.
    var token: UInt
    var code: KafkaErrorCode
    var status: Status
    var partition: Int32
    var offset: Int64
}

/// One event of a client's main queue.
enum MainEvent: Sendable {
    case deliveries([Delivery])
    /// `level` is syslog's: 0 emergency … 7 debug.
    case log(level: Int, facility: String, text: String)
    case error(KafkaError)
    /// JSON.
    case statistics([UInt8])
    case offsetsCommitted(token: UInt, code: KafkaErrorCode)
    case other
}

extension RDKafkaClient {
    /// Takes the next event of the main queue. Blocks up to `milliseconds`; nil when nothing came or somebody called `wakeMain`.
    func pollMain(milliseconds: Int) -> MainEvent? {
        guard let event = rd_kafka_queue_poll(handle.mainQueue, Int32(clamping: milliseconds)) else { return nil }
        defer { rd_kafka_event_destroy(event) }
        switch rd_kafka_event_type(event) {
        case RD_KAFKA_EVENT_DR:
            return .deliveries(Self.deliveries(of: event))
        case RD_KAFKA_EVENT_LOG:
            var facility: UnsafePointer<CChar>?
            var text: UnsafePointer<CChar>?
            var level: Int32 = 0
            guard rd_kafka_event_log(event, &facility, &text, &level) == 0 else { return .other }
            return .log(
                level: Int(level),
                facility: facility.map { String(cString: $0) } ?? "",
                text: text.map { String(cString: $0) } ?? ""
            )
        case RD_KAFKA_EVENT_ERROR:
            return .error(error(of: event))
        case RD_KAFKA_EVENT_STATS:
            guard let json = rd_kafka_event_stats(event) else { return .other }
            return .statistics(Array(String(cString: json).utf8))
        case RD_KAFKA_EVENT_OFFSET_COMMIT:
            return .offsetsCommitted(
                token: UInt(bitPattern: rd_kafka_event_opaque(event)),
                code: Self.commitCode(of: event)
            )
        default:
            // A kind that a newer library may add: nothing waits for it.
            return .other
        }
    }

    private static func deliveries(of event: OpaquePointer) -> [Delivery] {
        var deliveries: [Delivery] = []
        deliveries.reserveCapacity(rd_kafka_event_message_count(event))
        while let message = rd_kafka_event_message_next(event) {
            let status: Delivery.Status =
                switch rd_kafka_message_status(message) {
                case RD_KAFKA_MSG_STATUS_PERSISTED: .persisted
                case RD_KAFKA_MSG_STATUS_POSSIBLY_PERSISTED: .possiblyPersisted
                default: .notPersisted
                }
            deliveries.append(
                Delivery(
                    token: UInt(bitPattern: message.pointee._private),
                    code: KafkaErrorCode(message.pointee.err),
                    status: status,
                    partition: message.pointee.partition,
                    offset: max(-1, message.pointee.offset)
                )
            )
        }
        return deliveries
    }

    /// The call's own code, or else the first partition's.
    private static func commitCode(of event: OpaquePointer) -> KafkaErrorCode {
        let code = rd_kafka_event_error(event)
        guard code == RD_KAFKA_RESP_ERR_NO_ERROR, let list = rd_kafka_event_topic_partition_list(event) else {
            return KafkaErrorCode(code)
        }
        for index in 0..<Int(list.pointee.cnt) where list.pointee.elems[index].err != RD_KAFKA_RESP_ERR_NO_ERROR {
            return KafkaErrorCode(list.pointee.elems[index].err)
        }
        return .none
    }

    /// The fault that an error event carries; for a fatal one its cause.
    func error(of event: OpaquePointer) -> KafkaError {
        let code = KafkaErrorCode(rd_kafka_event_error(event))
        if rd_kafka_event_error_is_fatal(event) != 0 || code == .fatal, let fatalError { return fatalError }
        let text = rd_kafka_event_error_string(event).map { String(cString: $0) } ?? code.sentence
        return KafkaError(code, text)
    }
}
