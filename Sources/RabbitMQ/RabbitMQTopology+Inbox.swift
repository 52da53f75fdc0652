extension RabbitMQTopology {
    /// One step of the delayed retry: a queue in which a message waits for `delay` before it goes back to the inbox.
    public struct RetryLevel: Sendable, Hashable {
        /// The last part of the queue's name, for example `5s`.
        public var name: String
        /// How long a message waits; 1 ms to 49 days (the broker's limit of 2^32 ms).
        public var delay: Duration

        /// Makes a level.
        public init(name: String, delay: Duration) {
            self.name = name
            self.delay = delay
        }

        /// `1s 5s 30s 2m 10m`.
        public static let standard = [
            RetryLevel(name: "1s", delay: .seconds(1)),
            RetryLevel(name: "5s", delay: .seconds(5)),
            RetryLevel(name: "30s", delay: .seconds(30)),
            RetryLevel(name: "2m", delay: .seconds(120)),
            RetryLevel(name: "10m", delay: .seconds(600)),
        ]

        var milliseconds: Int64 {
            let (seconds, attoseconds) = delay.components
            let (product, overflow) = seconds.multipliedReportingOverflow(by: 1_000)
            let total =
                overflow ? Int64(UInt32.max) : product.addingReportingOverflow(attoseconds / 1_000_000_000_000_000).0
            return min(max(total, 1), Int64(UInt32.max))
        }
    }

    /// The names of one inbox's parts. The routing key is always the name of the queue.
    public struct InboxNames: Sendable, Hashable {
        /// The inbox queue and the direct exchange in front of it.
        public let inbox: String
        /// The direct exchange of the retry queues.
        public var retryExchange: String { "\(inbox).retry" }
        /// The dead-letter queue and the direct exchange in front of it.
        public var dead: String { "\(inbox).dead" }
        /// The retry queue of a level.
        public func retryQueue(_ level: String) -> String { "\(inbox).retry.\(level)" }

        /// The names for an inbox.
        public init(inbox: String) { self.inbox = inbox }
    }

    /// The smallest delivery limit that ``inbox(_:retryLevels:maximumLength:deliveryLimit:)`` accepts.
    ///
    /// The limit is a backstop against a message that kills every consumer. It counts deliveries of prefetched messages
    /// too, so a low limit dead-letters innocent messages when a consumer is killed a few times. It also counts what a
    /// consumer gives back: one that cannot handle anything for a while had better keep what it has.
    public static let smallestDeliveryLimit = 20

    /// The standard inbox: `NAME` → quorum queue `NAME`, retry queues `NAME.retry.LEVEL` that expire back into the inbox,
    /// and the dead-letter queue `NAME.dead`.
    ///
    /// The inbox dead-letters at least once, which the broker only does with `reject-publish` (3.10): a full inbox refuses
    /// publishes instead of dropping old messages.
    ///
    /// - Parameters:
    ///   - name: the inbox, for example `order.inbox`.
    ///   - retryLevels: the delays; names must differ.
    ///   - maximumLength: how many messages each queue holds before it refuses (1 or more).
    ///   - deliveryLimit: raised to ``smallestDeliveryLimit`` when lower.
    public static func inbox(
        _ name: String,
        retryLevels: [RetryLevel] = RetryLevel.standard,
        maximumLength: Int = 1_000_000,
        deliveryLimit: Int = 20
    ) -> RabbitMQTopology {
        let names = InboxNames(inbox: name)
        let length = RabbitMQFieldValue.int64(Int64(max(maximumLength, 1)))
        var topology = RabbitMQTopology()
        topology.exchanges = [
            Exchange(name: names.inbox), Exchange(name: names.retryExchange), Exchange(name: names.dead),
        ]
        topology.queues = [
            Queue(name: names.dead, arguments: ["x-overflow": "reject-publish", "x-max-length": length]),
            Queue(
                name: names.inbox,
                arguments: [
                    "x-delivery-limit": .int64(Int64(max(deliveryLimit, smallestDeliveryLimit))),
                    "x-dead-letter-exchange": .string(names.dead),
                    "x-dead-letter-routing-key": .string(names.dead),
                    "x-dead-letter-strategy": "at-least-once",
                    "x-overflow": "reject-publish",
                    "x-max-length": length,
                ]
            ),
        ]
        topology.bindings = [
            Binding(exchange: names.dead, queue: names.dead, routingKey: names.dead),
            Binding(exchange: names.inbox, queue: names.inbox, routingKey: names.inbox),
        ]
        for level in retryLevels {
            let queue = names.retryQueue(level.name)
            topology.queues.append(
                Queue(
                    name: queue,
                    arguments: [
                        "x-message-ttl": .int64(level.milliseconds),
                        "x-dead-letter-exchange": .string(names.inbox),
                        "x-dead-letter-routing-key": .string(names.inbox),
                        "x-dead-letter-strategy": "at-least-once",
                        "x-overflow": "reject-publish",
                        "x-max-length": length,
                    ]
                )
            )
            topology.bindings.append(Binding(exchange: names.retryExchange, queue: queue, routingKey: queue))
        }
        return topology
    }
}
