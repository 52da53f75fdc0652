public import Logging

/// Publishes messages with confirms, on a connection of its own.
///
/// Every message is `mandatory`: one that no queue takes comes back as ``RabbitMQPublishResult/returned(code:text:)`` instead of
/// being confirmed and lost. Concurrent calls share one window of messages in flight.
///
/// ```swift
/// let publisher = RabbitMQPublisher(configuration: configuration, logger: logger)
/// async let lifetime: Void = publisher.run()
/// let results = await publisher.publish(messages)
/// ```
public final class RabbitMQPublisher: Sendable {
    /// Bounds and timeouts of a publisher.
    public struct Options: Sendable {
        /// How many messages may be under way at once (1 or more).
        public var maximumInFlightMessages = 1_024
        /// How many bytes may be under way at once.
        public var maximumInFlightBytes = 16 * 1_024 * 1_024
        /// The largest body; larger ones are ``RabbitMQPublishResult/tooLarge(limit:)``. The broker's own limit must not be lower.
        public var maximumMessageSize = 1_024 * 1_024
        /// How long one `publish(_:)` may take: waiting for room, for the connection, while the broker blocks, and for the
        /// confirm.
        public var publishTimeout: Duration = .seconds(10)
        /// A connection is given up, and made anew, when messages are in flight and for so long not one was confirmed. What was in
        /// flight is ``RabbitMQPublishResult/unknown`` then. The same when others are confirmed, but one is so much later than its
        /// `publishTimeout`.
        public var confirmStallTimeout: Duration = .seconds(5)
        /// How long a `publish(_:)` whose task was cancelled still waits for confirms; they come within milliseconds where the broker
        /// is well, and save its messages from being sent twice.
        public var cancellationGrace: Duration = .seconds(1)
        /// Declared at every (re)connect.
        public var topology = RabbitMQTopology.empty

        /// The defaults.
        public init() {}
    }

    private let configuration: RabbitMQConfiguration
    private let options: Options
    private let logger: Logger
    private let observer: (any RabbitMQObserver)?
    private let random: @Sendable () -> Double
    private let control: ConnectionControl
    private let mailbox: Mailbox<PublishCommand>
    private let window: PublishWindow

    /// Makes a publisher; nothing is started.
    ///
    /// - Parameters:
    ///   - configuration: where the broker is; `-publisher` is added to the connection's name.
    ///   - options: bounds, timeouts and topology.
    ///   - logger: receives the connection's changes.
    ///   - observer: receives counts and states.
    ///   - random: numbers from 0 up to 1, for the jitter of the backoff. May be called from any thread.
    public init(
        configuration: RabbitMQConfiguration,
        options: Options = Options(),
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
        window = PublishWindow(
            maximumCount: options.maximumInFlightMessages,
            maximumBytes: options.maximumInFlightBytes
        )
        // Each command holds at least one message of the window.
        mailbox = Mailbox(capacity: window.maximumCount, wake: control.wake)
    }

    /// The lifetime: connects, reconnects for ever, and returns after ``stop()`` or when the task is cancelled. To be called once.
    ///
    /// Cancellation ends at once: what has no confirm is ``RabbitMQPublishResult/unknown``. While a connection attempt is under
    /// way, the end can take up to twice the connect timeout.
    public func run() async {
        guard control.begin() else {
            logger.error("RabbitMQ publisher was started twice")
            return
        }
        let loop = ConnectionLoop(
            configuration: configuration,
            connectionName: connectionName,
            control: control,
            maximumBodySize: max(options.maximumMessageSize, 0),
            logger: logger,
            observer: observer,
            random: random
        )
        await withTaskCancellationHandler {
            await withCheckedContinuation { (done: CheckedContinuation<Void, Never>) in
                let context = PublisherRole.Context(
                    options: options,
                    connectionName: connectionName,
                    control: control,
                    mailbox: mailbox,
                    window: window,
                    observer: observer
                )
                let started = OwnerThread.start(name: "amqp-publisher") {
                    loop.run(PublisherRole(context))
                    done.resume()
                }
                guard !started else { return }
                logger.critical("RabbitMQ publisher: the system has no thread left")
                PublisherRole(context).finish()
                control.publish(.stopped)
                done.resume()
            }
        } onCancel: {
            window.close()
            control.end(.immediate)
        }
    }

    /// Publishes messages and waits for their outcome, at most about `publishTimeout`.
    ///
    /// Messages of one call, and those of calls that follow one another, are sent in order. `run()` must be under way or come.
    ///
    /// When the task is cancelled, it returns after `cancellationGrace` at the latest: what had no room yet is
    /// ``RabbitMQPublishResult/notConnected``, what has no confirm then is ``RabbitMQPublishResult/unknown``.
    ///
    /// - Returns: one result per message, in the same order.
    public func publish(_ messages: [RabbitMQMessage]) async -> [RabbitMQPublishResult] {
        guard !messages.isEmpty else { return [] }
        let deadline = ContinuousClock.now + options.publishTimeout
        let call = PublishCall(count: messages.count)
        let largestCount = max(window.maximumCount / 4, 1)
        let largestBytes = max(window.maximumBytes / 4, 1)
        var entries: [(index: Int, message: RabbitMQMessage)] = []
        var bytes = 0
        for (index, message) in messages.enumerated() {
            if let problem = message.problem(maximumSize: options.maximumMessageSize) {
                call.complete(index, problem)
                continue
            }
            if entries.count >= largestCount || (!entries.isEmpty && bytes + message.windowCost > largestBytes) {
                await submit(entries, bytes, call, deadline)
                entries = []
                bytes = 0
            }
            entries.append((index, message))
            bytes += message.windowCost
        }
        await submit(entries, bytes, call, deadline)
        return await withTaskCancellationHandler {
            await call.results()
        } onCancel: {
            call.abandon(after: options.cancellationGrace)
        }
    }

    private func submit(
        _ entries: [(index: Int, message: RabbitMQMessage)],
        _ bytes: Int,
        _ call: PublishCall,
        _ deadline: ContinuousClock.Instant
    ) async {
        guard !entries.isEmpty else { return }
        if await window.acquire(count: entries.count, bytes: bytes, deadline: deadline) {
            if mailbox.send(PublishCommand(call: call, entries: entries, deadline: deadline)) { return }
            window.release(count: entries.count, bytes: bytes)
        }
        for entry in entries { call.complete(entry.index, .notConnected) }
    }

    /// Ends gracefully: takes no more messages, waits for the confirms of those under way, closes. `run()` returns then.
    public func stop() {
        window.close()
        control.end(.graceful)
    }

    /// What the connection is doing.
    public var state: RabbitMQConnectionState { control.connectionState }

    /// The state now and every later one. Of states that nobody reads, the newest 16 are kept; ends after `stopped`.
    public func states() -> AsyncStream<RabbitMQConnectionState> { control.states() }

    /// Returns as soon as the connection is up.
    ///
    /// - Throws: `CancellationError`, or ``RabbitMQError`` with code `stopped`.
    public func waitUntilReady() async throws { try await control.waitUntilReady() }

    private var connectionName: String { "\(configuration.connectionName)-publisher" }
}
