public import Logging

/// Consumes one or more queues with manual acknowledgements, on a connection of its own. Readers pull.
///
/// ```swift
/// async let lifetime: Void = consumer.run()
/// while true {
///     let batch = try await consumer.nextBatch(max: 100)
///     if batch.isEmpty { break }                          // stopped
///     // … handle the batch in one transaction …
///     await consumer.settle(batch.map { .ack($0) })
/// }
/// ```
///
/// A lost connection, a closed channel and a cancelled consumer (its queue was deleted) are all answered alike: reconnect with
/// backoff, declare the topology again, subscribe again. Deliveries of the old connection are void then: the broker delivers them
/// again, and settling them is ``RabbitMQSettleOutcome/stale``.
public final class RabbitMQConsumer: Sendable {
    /// One queue to consume.
    public struct Subscription: Sendable, Hashable {
        /// The queue.
        public var queue: String
        /// How many unsettled deliveries the broker may have out (1 or more).
        public var prefetch: UInt16

        /// Makes a subscription.
        public init(queue: String, prefetch: UInt16 = 64) {
            self.queue = queue
            self.prefetch = max(prefetch, 1)
        }
    }

    /// What to consume, and bounds.
    public struct Options: Sendable {
        /// The queues, each on a channel of its own.
        public var subscriptions: [Subscription]
        /// Declared at every (re)connect, before subscribing.
        public var topology: RabbitMQTopology
        /// Larger bodies are thrown away on arrival and marked (``RabbitMQDelivery/isOversized``).
        public var maximumBodySize = 16 * 1_024 * 1_024
        /// How long ``RabbitMQConsumer/stop()`` waits for pulled deliveries to be settled.
        public var drainTimeout: Duration = .seconds(5)

        /// Makes options.
        public init(subscriptions: [Subscription], topology: RabbitMQTopology = .empty) {
            self.subscriptions = subscriptions
            self.topology = topology
        }
    }

    private let configuration: RabbitMQConfiguration
    private let options: Options
    private let logger: Logger
    private let observer: (any RabbitMQObserver)?
    private let random: @Sendable () -> Double
    private let control: ConnectionControl
    private let buffer = DeliveryBuffer()
    private let mailbox: Mailbox<SettleCommand>

    /// Makes a consumer; nothing is started.
    ///
    /// - Parameters:
    ///   - configuration: where the broker is; `-consumer` is added to the connection's name.
    ///   - options: queues, topology and bounds.
    ///   - logger: receives the connection's changes.
    ///   - observer: receives counts and states.
    ///   - random: numbers from 0 up to 1, for the jitter of the backoff. May be called from any thread.
    public init(
        configuration: RabbitMQConfiguration,
        options: Options,
        logger: Logger,
        observer: (any RabbitMQObserver)? = nil,
        random: @escaping @Sendable () -> Double = { Double.random(in: 0..<1) }
    ) {
        self.configuration = configuration
        self.options = options
        self.logger = logger
        self.observer = observer
        self.random = random
        control = ConnectionControl()
        mailbox = Mailbox(capacity: 65_536, wake: control.wake)
    }

    /// The lifetime: connects, reconnects for ever, and returns after ``stop()`` or when the task is cancelled. To be called once.
    ///
    /// Cancellation closes the connection at once: what is not settled goes back to its queue.
    public func run() async {
        guard control.begin() else {
            logger.error("RabbitMQ consumer was started twice")
            return
        }
        let loop = ConnectionLoop(
            configuration: configuration,
            connectionName: connectionName,
            control: control,
            maximumBodySize: max(options.maximumBodySize, 0),
            logger: logger,
            observer: observer,
            random: random
        )
        await withTaskCancellationHandler {
            await withCheckedContinuation { (done: CheckedContinuation<Void, Never>) in
                let context = ConsumerRole.Context(
                    options: options,
                    connectionName: connectionName,
                    control: control,
                    mailbox: mailbox,
                    buffer: buffer,
                    observer: observer
                )
                let started = OwnerThread.start(name: "amqp-consumer") {
                    loop.run(ConsumerRole(context))
                    done.resume()
                }
                guard !started else { return }
                logger.critical("RabbitMQ consumer: the system has no thread left")
                ConsumerRole(context).finish()
                control.publish(.stopped)
                done.resume()
            }
        } onCancel: {
            buffer.close()
            control.end(.immediate)
        }
    }

    /// Waits for deliveries and returns those that are there: at least one, at most `max` (and never more than the prefetches
    /// together). Empty exactly when the consumer has been stopped. Several tasks may pull; each delivery goes to one.
    ///
    /// - Throws: `CancellationError` only.
    public func nextBatch(max maximum: Int) async throws -> [RabbitMQDelivery] {
        try await buffer.next(max(maximum, 1))
    }

    /// Settles deliveries, with as few frames as possible: a batch that was pulled whole and is acknowledged whole costs one.
    ///
    /// - Returns: one outcome per settlement, in the same order, once they are on their way to the broker.
    @discardableResult
    public func settle(_ settlements: [RabbitMQSettlement]) async -> [RabbitMQSettleOutcome] {
        guard !settlements.isEmpty else { return [] }
        let epoch = buffer.currentEpoch
        guard settlements.contains(where: { $0.handle.epoch == epoch }) else {
            return settlements.map { _ in .stale }
        }
        return await withCheckedContinuation { continuation in
            let command = SettleCommand(settlements: settlements, continuation: continuation)
            if !mailbox.send(command) { continuation.resume(returning: settlements.map { _ in .stale }) }
        }
    }

    /// Lets ``nextBatch(max:)`` wait, for a circuit breaker. The connection stays; up to the prefetch, messages are held here, and
    /// the broker takes them back if they are held longer than its `consumer_timeout` (30 minutes by default).
    public func pause() { buffer.isPaused = true }

    /// Ends a pause.
    public func resume() { buffer.isPaused = false }

    /// Whether pulling is paused.
    public var isPaused: Bool { buffer.isPaused }

    /// Ends gracefully: no more deliveries are handed out (``nextBatch(max:)`` returns an empty array), those that were not pulled
    /// go back to the broker, those that were pulled can be settled until `drainTimeout`; then `run()` closes and returns.
    public func stop() {
        buffer.close()
        control.end(.graceful)
    }

    /// What the connection is doing.
    public var state: RabbitMQConnectionState { control.connectionState }

    /// The state now and every later one. Of states that nobody reads, the newest 16 are kept; ends after `stopped`.
    public func states() -> AsyncStream<RabbitMQConnectionState> { control.states() }

    /// Returns as soon as all queues are subscribed.
    ///
    /// - Throws: `CancellationError`, or ``RabbitMQError`` with code `stopped`.
    public func waitUntilReady() async throws { try await control.waitUntilReady() }

    private var connectionName: String { "\(configuration.connectionName)-consumer" }
}
