/// Exchanges, queues and bindings as one value. Declared at every (re)connect; declaring what exists unchanged does nothing.
public struct RabbitMQTopology: Sendable, Hashable {
    /// An exchange; always durable.
    public struct Exchange: Sendable, Hashable {
        /// How an exchange routes.
        public enum Kind: String, Sendable, Hashable {
            /// By equality of routing key and binding key.
            case direct
            /// To every bound queue.
            case fanout
            /// By pattern.
            case topic
            /// By headers.
            case headers
        }
        /// The name.
        public var name: String
        /// How it routes.
        public var kind: Kind
        /// Further arguments.
        public var arguments: RabbitMQTable

        /// Makes a durable exchange.
        public init(name: String, kind: Kind = .direct, arguments: RabbitMQTable = [:]) {
            self.name = name
            self.kind = kind
            self.arguments = arguments
        }
    }

    /// A queue; always durable.
    public struct Queue: Sendable, Hashable {
        /// The type of a queue.
        public enum Kind: String, Sendable, Hashable {
            /// Written to disk on a majority of nodes before a confirm.
            case quorum
            /// On one node.
            case classic
        }
        /// The name.
        public var name: String
        /// The type.
        public var kind: Kind
        /// Further arguments; the type is added by ``declaredArguments``.
        public var arguments: RabbitMQTable

        /// Makes a durable queue.
        public init(name: String, kind: Kind = .quorum, arguments: RabbitMQTable = [:]) {
            self.name = name
            self.kind = kind
            self.arguments = arguments
        }

        /// The arguments as they are sent to the broker.
        public var declaredArguments: RabbitMQTable {
            var all = arguments
            all["x-queue-type"] = .string(kind.rawValue)
            return all
        }
    }

    /// A binding from an exchange to a queue.
    public struct Binding: Sendable, Hashable {
        /// The exchange.
        public var exchange: String
        /// The queue.
        public var queue: String
        /// The binding key.
        public var routingKey: String
        /// Further arguments.
        public var arguments: RabbitMQTable

        /// Makes a binding.
        public init(exchange: String, queue: String, routingKey: String, arguments: RabbitMQTable = [:]) {
            self.exchange = exchange
            self.queue = queue
            self.routingKey = routingKey
            self.arguments = arguments
        }
    }

    /// Declared first, in this order.
    public var exchanges: [Exchange]
    /// Declared second, in this order.
    public var queues: [Queue]
    /// Declared last, in this order.
    public var bindings: [Binding]

    /// Makes a topology.
    public init(exchanges: [Exchange] = [], queues: [Queue] = [], bindings: [Binding] = []) {
        self.exchanges = exchanges
        self.queues = queues
        self.bindings = bindings
    }

    /// Nothing to declare.
    public static let empty = RabbitMQTopology()

    /// Both topologies, without exact duplicates.
    public func merging(_ other: RabbitMQTopology) -> RabbitMQTopology {
        var merged = self
        for exchange in other.exchanges where !merged.exchanges.contains(exchange) { merged.exchanges.append(exchange) }
        for queue in other.queues where !merged.queues.contains(queue) { merged.queues.append(queue) }
        for binding in other.bindings where !merged.bindings.contains(binding) { merged.bindings.append(binding) }
        return merged
    }
}
