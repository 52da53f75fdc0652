import CRabbitMQ

/// ``ClientMethod`` values to method frames, by rabbitmq-c's encoder. Owned by one thread.
final class MethodEncoder {
    private let pool = MethodPool()
    private let scratch: UnsafeMutableRawBufferPointer

    /// - Parameter maximumFrameSize: as agreed on with the broker; no method may be larger.
    init(maximumFrameSize: Int) {
        scratch = .allocate(byteCount: max(maximumFrameSize - FrameDecoder.overhead - 4, 512), alignment: 8)
    }

    deinit { scratch.deallocate() }

    /// Appends a whole frame.
    ///
    /// - Throws: ``RabbitMQError/Code/invalidArgument`` when a name is longer than 255 bytes or a table cannot be expressed;
    ///   nothing has been appended then.
    func encode(_ method: ClientMethod, channel: UInt16, into bytes: inout [UInt8]) throws(RabbitMQError) {
        defer { pool.recycle() }
        guard let (id, length) = encodeArguments(method), length >= 0 else {
            throw RabbitMQError(.invalidArgument, "a name or a table that the protocol cannot express")
        }
        bytes.append(Frame.Kind.method.rawValue)
        bytes.appendBigEndian(channel)
        bytes.appendBigEndian(UInt32(length) + 4)
        bytes.appendBigEndian(id)
        bytes.append(contentsOf: UnsafeRawBufferPointer(rebasing: scratch[0..<Int(length)]))
        bytes.append(FrameDecoder.endMark)
    }

    private func write<Arguments: BitwiseCopyable>(_ id: UInt32, _ arguments: Arguments) -> (id: UInt32, length: Int32)
    {
        var copy = arguments
        let target = amqp_bytes_t(len: scratch.count, bytes: scratch.baseAddress)
        return (id, withUnsafeMutablePointer(to: &copy) { amqp_encode_method(id, UnsafeMutableRawPointer($0), target) })
    }

    private static var noBytes: amqp_bytes_t { amqp_bytes_t(len: 0, bytes: nil) }

    private func encodeArguments(_ method: ClientMethod) -> (id: UInt32, length: Int32)? {
        switch method {
        case .publish(let exchange, let routingKey):
            let arguments = amqp_basic_publish_t(
                ticket: 0,
                exchange: pool.bytes(exchange),
                routing_key: pool.bytes(routingKey),
                mandatory: 1,
                immediate: 0
            )
            return write(AMQP_BASIC_PUBLISH_METHOD, arguments)
        case .ack(let tag, let multiple):
            return write(AMQP_BASIC_ACK_METHOD, amqp_basic_ack_t(delivery_tag: tag, multiple: multiple ? 1 : 0))
        case .nack(let tag, let requeue):
            let arguments = amqp_basic_nack_t(delivery_tag: tag, multiple: 0, requeue: requeue ? 1 : 0)
            return write(AMQP_BASIC_NACK_METHOD, arguments)
        case .connectionClose(let code, let text):
            let arguments = amqp_connection_close_t(
                reply_code: code,
                reply_text: pool.bytes(text),
                class_id: 0,
                method_id: 0
            )
            return write(AMQP_CONNECTION_CLOSE_METHOD, arguments)
        case .connectionCloseOK: return write(AMQP_CONNECTION_CLOSE_OK_METHOD, amqp_connection_close_ok_t())
        case .channelOpen: return write(AMQP_CHANNEL_OPEN_METHOD, amqp_channel_open_t(out_of_band: Self.noBytes))
        case .channelClose:
            let arguments = amqp_channel_close_t(
                reply_code: 200,
                reply_text: pool.bytes("done"),
                class_id: 0,
                method_id: 0
            )
            return write(AMQP_CHANNEL_CLOSE_METHOD, arguments)
        case .channelCloseOK: return write(AMQP_CHANNEL_CLOSE_OK_METHOD, amqp_channel_close_ok_t())
        case .channelFlowOK(let active):
            return write(AMQP_CHANNEL_FLOW_OK_METHOD, amqp_channel_flow_ok_t(active: active ? 1 : 0))
        case .confirmSelect: return write(AMQP_CONFIRM_SELECT_METHOD, amqp_confirm_select_t(nowait: 0))
        case .qos(let prefetch):
            let arguments = amqp_basic_qos_t(prefetch_size: 0, prefetch_count: prefetch, global: 0)
            return write(AMQP_BASIC_QOS_METHOD, arguments)
        case .cancel(let tag):
            return write(AMQP_BASIC_CANCEL_METHOD, amqp_basic_cancel_t(consumer_tag: pool.bytes(tag), nowait: 0))
        case .queuePurge(let name):
            return write(AMQP_QUEUE_PURGE_METHOD, amqp_queue_purge_t(ticket: 0, queue: pool.bytes(name), nowait: 0))
        case .queueDelete(let name):
            let arguments = amqp_queue_delete_t(
                ticket: 0,
                queue: pool.bytes(name),
                if_unused: 0,
                if_empty: 0,
                nowait: 0
            )
            return write(AMQP_QUEUE_DELETE_METHOD, arguments)
        case .exchangeDeclare, .queueDeclare, .queueDeclarePassive, .queueBind, .consume:
            return encodeWithTable(method)
        }
    }

    private func encodeWithTable(_ method: ClientMethod) -> (id: UInt32, length: Int32)? {
        switch method {
        case .exchangeDeclare(let exchange):
            guard let table = pool.table(exchange.arguments) else { return nil }
            let arguments = amqp_exchange_declare_t(
                ticket: 0,
                exchange: pool.bytes(exchange.name),
                type: pool.bytes(exchange.kind.rawValue),
                passive: 0,
                durable: 1,
                auto_delete: 0,
                internal: 0,
                nowait: 0,
                arguments: table
            )
            return write(AMQP_EXCHANGE_DECLARE_METHOD, arguments)
        case .queueDeclare(let queue):
            guard let table = pool.table(queue.declaredArguments) else { return nil }
            return queueDeclare(queue.name, isPassive: false, table)
        case .queueDeclarePassive(let name):
            return queueDeclare(name, isPassive: true, amqp_table_t(num_entries: 0, entries: nil))
        case .queueBind(let binding):
            guard let table = pool.table(binding.arguments) else { return nil }
            let arguments = amqp_queue_bind_t(
                ticket: 0,
                queue: pool.bytes(binding.queue),
                exchange: pool.bytes(binding.exchange),
                routing_key: pool.bytes(binding.routingKey),
                nowait: 0,
                arguments: table
            )
            return write(AMQP_QUEUE_BIND_METHOD, arguments)
        case .consume(let queue, let tag):
            let arguments = amqp_basic_consume_t(
                ticket: 0,
                queue: pool.bytes(queue),
                consumer_tag: pool.bytes(tag),
                no_local: 0,
                no_ack: 0,
                exclusive: 0,
                nowait: 0,
                arguments: amqp_table_t(num_entries: 0, entries: nil)
            )
            return write(AMQP_BASIC_CONSUME_METHOD, arguments)
        default: return nil
        }
    }

    private func queueDeclare(_ name: String, isPassive: Bool, _ table: amqp_table_t) -> (id: UInt32, length: Int32) {
        let arguments = amqp_queue_declare_t(
            ticket: 0,
            queue: pool.bytes(name),
            passive: isPassive ? 1 : 0,
            durable: 1,
            exclusive: 0,
            auto_delete: 0,
            nowait: 0,
            arguments: table
        )
        return write(AMQP_QUEUE_DECLARE_METHOD, arguments)
    }
}
