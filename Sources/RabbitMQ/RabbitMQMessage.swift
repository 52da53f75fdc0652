/// Whether the broker keeps a message on disk.
public enum RabbitMQDeliveryMode: UInt8, Sendable, Hashable {
    /// Lost when the broker restarts (on classic queues).
    case transient = 1
    /// Written to disk before it is confirmed.
    case persistent = 2
}

/// The properties of an AMQP message. All texts have at most 255 UTF-8 bytes.
public struct RabbitMQProperties: Sendable, Hashable {
    /// The media type of the body.
    public var contentType: String?
    /// The encoding of the body, for example `gzip`.
    public var contentEncoding: String?
    /// Application headers.
    public var headers: RabbitMQTable
    /// Persistent unless told otherwise.
    public var deliveryMode: RabbitMQDeliveryMode
    /// 0 to 9; quorum queues of RabbitMQ 3.10 ignore it.
    public var priority: UInt8?
    /// Which conversation the message belongs to.
    public var correlationID: String?
    /// Where an answer should go.
    public var replyTo: String?
    /// The message's own time to live: decimal milliseconds as text.
    public var expiration: String?
    /// The sender's identifier of the message.
    public var messageID: String?
    /// Seconds since 1970-01-01 UTC.
    public var timestamp: UInt64?
    /// The type of the message.
    public var type: String?
    /// Checked by the broker against the connection's user when present.
    public var userID: String?
    /// The sending application.
    public var appID: String?

    /// Makes properties; everything is optional, and the message is persistent.
    public init(
        contentType: String? = nil,
        contentEncoding: String? = nil,
        headers: RabbitMQTable = [:],
        deliveryMode: RabbitMQDeliveryMode = .persistent,
        priority: UInt8? = nil,
        correlationID: String? = nil,
        replyTo: String? = nil,
        expiration: String? = nil,
        messageID: String? = nil,
        timestamp: UInt64? = nil,
        type: String? = nil,
        userID: String? = nil,
        appID: String? = nil
    ) {
        self.contentType = contentType
        self.contentEncoding = contentEncoding
        self.headers = headers
        self.deliveryMode = deliveryMode
        self.priority = priority
        self.correlationID = correlationID
        self.replyTo = replyTo
        self.expiration = expiration
        self.messageID = messageID
        self.timestamp = timestamp
        self.type = type
        self.userID = userID
        self.appID = appID
    }

    /// A copy without the headers that the broker writes (`x-death`, `x-first-death-*`, `x-last-death-*`,
    /// `x-delivery-count`).
    ///
    /// To be used when a received message is published again: the broker reads `x-death` of published messages and
    /// silently drops a message whose history looks like a dead-letter cycle.
    public func removingBrokerHeaders() -> RabbitMQProperties {
        var copy = self
        copy.headers = headers.filter { key, _ in
            key != "x-death" && key != "x-delivery-count" && !key.hasPrefix("x-first-death-")
                && !key.hasPrefix("x-last-death-")
        }
        return copy
    }
}

/// A message to be published.
public struct RabbitMQMessage: Sendable, Hashable {
    /// The exchange; empty for the default exchange, which routes by queue name.
    public var exchange: String
    /// The routing key, at most 255 UTF-8 bytes.
    public var routingKey: String
    /// The properties.
    public var properties: RabbitMQProperties
    /// The body.
    public var body: [UInt8]

    /// Makes a message.
    public init(
        exchange: String,
        routingKey: String,
        properties: RabbitMQProperties = RabbitMQProperties(),
        body: [UInt8]
    ) {
        self.exchange = exchange
        self.routingKey = routingKey
        self.properties = properties
        self.body = body
    }
}
