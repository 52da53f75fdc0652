/// Which delivery: the connection's epoch, the channel and the broker's tag. Valid until settled or the connection is lost.
public struct RabbitMQDeliveryHandle: Sendable, Hashable {
    let epoch: UInt64
    let channel: UInt16
    let tag: UInt64
}

/// A message from a queue, to be settled once by ``RabbitMQConsumer/settle(_:)``.
///
/// Everything in it comes from whoever may publish: nothing about it is certain but that it fits into memory.
public struct RabbitMQDelivery: Sendable {
    /// What to settle it by.
    public let handle: RabbitMQDeliveryHandle
    /// The queue that it came from.
    public let queue: String
    /// The exchange that it was published to; after dead-lettering, the dead-letter exchange.
    public let exchange: String
    /// The routing key that it was published with.
    public let routingKey: String
    /// The queue has delivered it before, to whomever.
    public let isRedelivered: Bool
    /// Properties and headers.
    public let properties: RabbitMQProperties
    /// The body; empty when ``isOversized``.
    public let body: [UInt8]
    /// The body was larger than the consumer's `maximumBodySize` and has been thrown away on arrival.
    public let isOversized: Bool
    /// The properties could not be read to their end; those before the fault are there.
    public let hasMalformedProperties: Bool

    /// How often a quorum queue has delivered the message before (`x-delivery-count`), 0 when unknown or absurd.
    public var deliveryCount: Int {
        Int(clamping: max(properties.headers["x-delivery-count"]?.integerValue ?? 0, 0))
    }
}

/// What to do with a delivery.
public struct RabbitMQSettlement: Sendable, Hashable {
    /// The ways to settle.
    public enum Action: Sendable, Hashable {
        /// Done: the queue forgets the message.
        case ack
        /// Back to the queue. Counts towards the queue's delivery limit.
        case requeue
        /// Refused: to the queue's dead-letter exchange, or away when there is none.
        case reject
    }

    /// Which delivery.
    public let handle: RabbitMQDeliveryHandle
    /// What to do.
    public let action: Action

    /// Makes a settlement.
    public init(_ handle: RabbitMQDeliveryHandle, _ action: Action) {
        self.handle = handle
        self.action = action
    }

    /// The queue forgets the message.
    public static func ack(_ delivery: RabbitMQDelivery) -> RabbitMQSettlement { .init(delivery.handle, .ack) }
    /// Back to the queue.
    public static func requeue(_ delivery: RabbitMQDelivery) -> RabbitMQSettlement { .init(delivery.handle, .requeue) }
    /// To the dead-letter exchange.
    public static func reject(_ delivery: RabbitMQDelivery) -> RabbitMQSettlement { .init(delivery.handle, .reject) }
}

/// What became of a settlement.
public enum RabbitMQSettleOutcome: Sendable, Hashable {
    /// Sent to the broker. AMQP has no answer to it: when the connection is lost right then, the message comes again.
    case settled
    /// The delivery's connection is gone: the broker has taken the message back and delivers it again.
    case stale
    /// It has been settled before.
    case alreadySettled
}
