import CRabbitMQ

/// Method frames to ``ServerMethod`` values, by rabbitmq-c's decoder. Owned by one thread.
final class MethodDecoder {
    private let pool = MethodPool()

    /// - Throws: ``RabbitMQError/Code/protocolViolation`` when the payload is not a method that rabbitmq-c can read.
    func decode(_ payload: ByteReader) throws(RabbitMQError) -> ServerMethod {
        var reader = payload
        guard let id = reader.uint32() else { throw .violation("a method frame without a method") }
        let result: ServerMethod? = reader.withUnsafeRemainingBytes { arguments in
            defer { pool.recycle() }
            // rabbitmq-c only reads through this pointer.
            let encoded = amqp_bytes_t(
                len: arguments.count,
                bytes: arguments.baseAddress.map { UnsafeMutableRawPointer(mutating: $0) }
            )
            var decoded: UnsafeMutableRawPointer?
            guard amqp_decode_method(id, pool.pool, encoded, &decoded) == Int32(AMQP_STATUS_OK.rawValue), let decoded
            else { return nil }
            return Self.method(id, decoded)
        }
        guard let result else { throw .violation("an unreadable method 0x\(String(id, radix: 16))") }
        return result
    }

    private static func method(_ id: UInt32, _ decoded: UnsafeMutableRawPointer) -> ServerMethod {
        func load<Value>(_: Value.Type) -> Value { decoded.load(as: Value.self) }
        switch id {
        case AMQP_BASIC_DELIVER_METHOD:
            let value = load(amqp_basic_deliver_t.self)
            return .deliver(
                ServerMethod.Delivery(
                    consumerTag: String(value.consumer_tag),
                    deliveryTag: value.delivery_tag,
                    isRedelivered: value.redelivered != 0,
                    exchange: String(value.exchange),
                    routingKey: String(value.routing_key)
                )
            )
        case AMQP_BASIC_ACK_METHOD:
            let value = load(amqp_basic_ack_t.self)
            return .ack(tag: value.delivery_tag, multiple: value.multiple != 0)
        case AMQP_BASIC_NACK_METHOD:
            let value = load(amqp_basic_nack_t.self)
            return .nack(tag: value.delivery_tag, multiple: value.multiple != 0)
        case AMQP_BASIC_RETURN_METHOD:
            let value = load(amqp_basic_return_t.self)
            return .return(
                code: value.reply_code,
                text: String(value.reply_text),
                exchange: String(value.exchange),
                routingKey: String(value.routing_key)
            )
        case AMQP_CONNECTION_CLOSE_METHOD:
            let value = load(amqp_connection_close_t.self)
            return .connectionClose(code: value.reply_code, text: String(value.reply_text))
        case AMQP_CHANNEL_CLOSE_METHOD:
            let value = load(amqp_channel_close_t.self)
            return .channelClose(
                code: value.reply_code,
                text: String(value.reply_text),
                methodID: UInt32(value.class_id) << 16 | UInt32(value.method_id)
            )
        case AMQP_CONNECTION_BLOCKED_METHOD:
            return .connectionBlocked(reason: String(load(amqp_connection_blocked_t.self).reason))
        case AMQP_QUEUE_DECLARE_OK_METHOD:
            let value = load(amqp_queue_declare_ok_t.self)
            return .queueDeclareOK(messages: value.message_count, consumers: value.consumer_count)
        case AMQP_QUEUE_PURGE_OK_METHOD: return .queuePurgeOK(messages: load(amqp_queue_purge_ok_t.self).message_count)
        case AMQP_QUEUE_DELETE_OK_METHOD:
            return .queueDeleteOK(messages: load(amqp_queue_delete_ok_t.self).message_count)
        case AMQP_BASIC_CONSUME_OK_METHOD:
            return .consumeOK(tag: String(load(amqp_basic_consume_ok_t.self).consumer_tag))
        case AMQP_BASIC_CANCEL_OK_METHOD: return .cancelOK(tag: String(load(amqp_basic_cancel_ok_t.self).consumer_tag))
        case AMQP_BASIC_CANCEL_METHOD: return .cancel(tag: String(load(amqp_basic_cancel_t.self).consumer_tag))
        case AMQP_CHANNEL_FLOW_METHOD: return .channelFlow(active: load(amqp_channel_flow_t.self).active != 0)
        case AMQP_CONNECTION_CLOSE_OK_METHOD: return .connectionCloseOK
        case AMQP_CONNECTION_UNBLOCKED_METHOD: return .connectionUnblocked
        case AMQP_CHANNEL_OPEN_OK_METHOD: return .channelOpenOK
        case AMQP_CHANNEL_CLOSE_OK_METHOD: return .channelCloseOK
        case AMQP_EXCHANGE_DECLARE_OK_METHOD: return .exchangeDeclareOK
        case AMQP_QUEUE_BIND_OK_METHOD: return .queueBindOK
        case AMQP_BASIC_QOS_OK_METHOD: return .qosOK
        case AMQP_CONFIRM_SELECT_OK_METHOD: return .confirmSelectOK
        default: return .other(id)
        }
    }
}
