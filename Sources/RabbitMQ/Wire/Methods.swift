/// A method that the broker sent.
enum ServerMethod: Hashable {
    case connectionClose(code: UInt16, text: String)
    case connectionCloseOK
    case connectionBlocked(reason: String)
    case connectionUnblocked
    case channelOpenOK
    /// `methodID` is the class (upper 16 bits) and method that caused it.
    case channelClose(code: UInt16, text: String, methodID: UInt32)
    case channelCloseOK
    case channelFlow(active: Bool)
    case exchangeDeclareOK
    case queueDeclareOK(messages: UInt32, consumers: UInt32)
    case queueBindOK
    case queuePurgeOK(messages: UInt32)
    case queueDeleteOK(messages: UInt32)
    case qosOK
    case consumeOK(tag: String)
    case cancelOK(tag: String)
    /// The broker ended the consumer.
    case cancel(tag: String)
    case deliver(Delivery)
    case `return`(code: UInt16, text: String, exchange: String, routingKey: String)
    case ack(tag: UInt64, multiple: Bool)
    case nack(tag: UInt64, multiple: Bool)
    case confirmSelectOK
    /// Known to the protocol, not expected by this client.
    case other(UInt32)

    /// The arguments of `basic.deliver`.
    struct Delivery: Hashable {
        var consumerTag: String
        var deliveryTag: UInt64
        var isRedelivered: Bool
        var exchange: String
        var routingKey: String
    }
}

/// A method that we send.
enum ClientMethod {
    case connectionClose(code: UInt16, text: String)
    case connectionCloseOK
    case channelOpen
    case channelClose
    case channelCloseOK
    case channelFlowOK(active: Bool)
    case exchangeDeclare(RabbitMQTopology.Exchange)
    case queueDeclare(RabbitMQTopology.Queue)
    case queueDeclarePassive(name: String)
    case queueBind(RabbitMQTopology.Binding)
    case queuePurge(name: String)
    case queueDelete(name: String)
    case qos(prefetch: UInt16)
    case consume(queue: String, tag: String)
    case cancel(tag: String)
    case ack(tag: UInt64, multiple: Bool)
    case nack(tag: UInt64, requeue: Bool)
    case confirmSelect
    case publish(exchange: String, routingKey: String)
}
