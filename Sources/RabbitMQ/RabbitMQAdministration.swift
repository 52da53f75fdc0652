public import Logging

/// Rare requests about queues and exchanges, each on a connection of its own that lives for that request.
public struct RabbitMQAdministration: Sendable {
    /// How full a queue is.
    public struct QueueDepth: Sendable, Hashable {
        /// Messages ready for delivery (those with a consumer, unsettled, do not count).
        public var messages: Int
        /// Subscribed consumers.
        public var consumers: Int
    }

    private let configuration: RabbitMQConfiguration
    private let logger: Logger

    /// Makes an administration; connects only when asked something.
    public init(configuration: RabbitMQConfiguration, logger: Logger) {
        self.configuration = configuration
        self.logger = logger
    }

    /// The depth of a queue, or nil when there is no such queue.
    public func depth(ofQueue name: String) async throws(RabbitMQError) -> QueueDepth? {
        try await depths(ofQueues: [name])[name]
    }

    /// The depths of queues, asked on one connection; those that do not exist are left out.
    public func depths(ofQueues names: [String]) async throws(RabbitMQError) -> [String: QueueDepth] {
        try await perform { (link, channel) throws(RabbitMQError) in
            var result: [String: QueueDepth] = [:]
            for name in names {
                if let (messages, consumers) = try link.depth(ofQueue: name, channel: channel) {
                    result[name] = QueueDepth(messages: Int(messages), consumers: Int(consumers))
                }
            }
            return result
        }
    }

    /// Declares a topology.
    public func declare(_ topology: RabbitMQTopology) async throws(RabbitMQError) {
        try await perform { (link, channel) throws(RabbitMQError) in try link.declare(topology, channel: channel) }
    }

    /// Deletes a queue with its messages; nothing happens when there is none.
    public func delete(queue name: String) async throws(RabbitMQError) {
        try await perform { (link, channel) throws(RabbitMQError) in
            try link.call(.queueDelete(name: name), channel: channel) { method -> Void? in
                if case .queueDeleteOK = method { return () }
                return nil
            }
        }
    }

    /// Removes the messages of a queue that are ready for delivery; returns how many they were.
    @discardableResult
    public func purge(queue name: String) async throws(RabbitMQError) -> Int {
        try await perform { (link, channel) throws(RabbitMQError) in
            try link.call(.queuePurge(name: name), channel: channel) { method in
                if case .queuePurgeOK(let messages) = method { return Int(messages) }
                return nil
            }
        }
    }

    private func perform<Answer: Sendable>(
        _ request: @escaping @Sendable (Link, UInt16) throws(RabbitMQError) -> Answer
    ) async throws(RabbitMQError) -> Answer {
        let configuration = configuration
        let outcome = await withCheckedContinuation {
            (done: CheckedContinuation<Result<Answer, RabbitMQError>, Never>) in
            let started = OwnerThread.start(name: "amqp-admin") {
                let outcome: Result<Answer, RabbitMQError>
                do throws(RabbitMQError) {
                    let link = try Link(
                        configuration,
                        connectionName: "\(configuration.connectionName)-administration",
                        control: ConnectionControl(),
                        maximumBodySize: 0
                    )
                    try link.openChannel(1)
                    outcome = .success(try request(link, 1))
                    link.close(patience: .milliseconds(500))
                } catch {
                    outcome = .failure(error)
                }
                done.resume(returning: outcome)
            }
            if !started {
                done.resume(returning: .failure(RabbitMQError(.connectFailed, "the system has no thread left")))
            }
        }
        if case .failure(let error) = outcome {
            logger.debug("RabbitMQ request failed", metadata: ["error": "\(error)"])
        }
        return try outcome.get()
    }
}
