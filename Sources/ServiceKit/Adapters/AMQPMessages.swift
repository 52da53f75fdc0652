import Messaging
import RabbitMQ

/// Envelopes to and from AMQP messages.
///
/// The envelope travels in headers (see ``EnvelopeHeaders``); the properties that RabbitMQ's tools show (`message_id`,
/// `type`, `correlation_id`, `reply_to`, `timestamp`, `app_id`) repeat it for people and are never read back.
enum AMQPMessages {
    /// The message to publish for an outgoing one; `nil` when its destination is not an exchange.
    static func message(for outgoing: OutgoingMessage) -> RabbitMQMessage? {
        guard case .exchange(let exchange, let routingKey) = outgoing.destination else { return nil }
        let envelope = outgoing.envelope
        var headers: RabbitMQTable = [:]
        for (name, value) in EnvelopeHeaders.encode(envelope) { headers[name] = .string(value) }
        for (name, value) in outgoing.extraHeaders { headers[name] = .string(value) }
        var properties = RabbitMQProperties()
        properties.contentType = envelope.contentType
        properties.headers = headers
        properties.correlationID = short(envelope.correlationID)
        properties.replyTo = envelope.replyTo.map(short)
        properties.messageID = short(envelope.id)
        properties.type = short(envelope.type)
        properties.appID = short(envelope.source)
        properties.timestamp = UInt64(clamping: envelope.time.millisecondsSinceEpoch / 1000)
        properties.expiration = outgoing.expirationMilliseconds.map(String.init)
        return RabbitMQMessage(exchange: exchange, routingKey: routingKey, properties: properties, body: envelope.body)
    }

    /// What arrived, with every header as text. A body that was too large to be taken is a fault: it looks empty.
    static func received(_ delivery: RabbitMQDelivery) -> ReceivedMessage {
        var headers: [(name: String, value: String)] = []
        for (name, value) in delivery.properties.headers.sorted(by: { $0.key < $1.key }) {
            headers.append((name, text(value)))
        }
        if let contentType = delivery.properties.contentType, delivery.properties.headers["content-type"] == nil {
            headers.append(("content-type", contentType))
        }
        return ReceivedMessage(
            source: .queue(delivery.queue),
            headers: headers,
            body: delivery.body,
            redelivered: delivery.isRedelivered,
            fault: delivery.isOversized ? .oversizedBody : nil
        )
    }

    /// A short string of AMQP holds at most 255 bytes; longer text is shown cut and is complete in the headers.
    private static func short(_ text: String) -> String {
        text.utf8.count <= 255 ? text : String(text.unicodeScalars.prefix(60))
    }

    private static func text(_ value: RabbitMQFieldValue) -> String {
        if let string = value.stringValue { return string }
        if let integer = value.integerValue { return String(integer) }
        switch value {
        case .array(let items): return "[" + items.map(text).joined(separator: ",") + "]"
        case .table(let table):
            return "{" + table.sorted { $0.key < $1.key }.map { "\($0.key)=\(text($0.value))" }.joined(separator: ",")
                + "}"
        default: return String(describing: value)
        }
    }
}
