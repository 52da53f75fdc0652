/// Pulls deliveries, has them processed, settles them. The same loop for every service and transport.
///
/// ```
/// pulling ──batch──► processing ──verdicts──► settling ──► pulling
///    │                   │ stop
///    └─ended─► finished  └──► failed, when the others of the batch are settled
/// ```
public struct ConsumerLoop<Source: Subscription, Processor: MessageProcessor>: Sendable {
    private let subscription: Source
    private let processor: Processor
    private let batchLimit: Int
    private let observe: @Sendable (ConsumerObservation) -> Void

    /// Makes a loop.
    ///
    /// - Parameters:
    ///   - batchLimit: the most messages handled in one transaction, 1…1,000.
    ///   - observe: told of each settled batch, for metrics and logs; must not block.
    public init(
        subscription: Source,
        processor: Processor,
        batchLimit: Int = 128,
        observe: @escaping @Sendable (ConsumerObservation) -> Void = { _ in }
    ) {
        self.subscription = subscription
        self.processor = processor
        self.batchLimit = min(max(batchLimit, 1), 1000)
        self.observe = observe
    }

    /// Runs until the subscription ends or the task is cancelled.
    ///
    /// - Throws: the ``Failure`` of class `fatal` that a handler met.
    public func run() async throws {
        let isEnding: @Sendable () -> Bool = { [subscription] in subscription.isEnding }
        while !Task.isCancelled {
            let batch: [(receipt: Source.Receipt, message: ReceivedMessage)]
            do {
                batch = try await subscription.next(limit: batchLimit)
            } catch is CancellationError {
                return
            }
            guard !batch.isEmpty else { return }
            if Sabotage.isOn("acknowledge-before-commit") {
                await subscription.settle(batch.map { ($0.receipt, .acknowledge) })
            }
            let verdicts = await processor.process(batch.map { $0.message }, until: isEnding)
            var settlements: [(receipt: Source.Receipt, settlement: Settlement)] = []
            settlements.reserveCapacity(batch.count)
            var fatal: Failure?
            for (delivery, verdict) in zip(batch, verdicts) {
                switch verdict {
                case .acknowledge: settlements.append((delivery.receipt, .acknowledge))
                case .giveBack: settlements.append((delivery.receipt, .giveBack))
                case .stop(let failure): fatal = fatal ?? failure
                }
            }
            await subscription.settle(settlements)
            observe(ConsumerObservation(verdicts: verdicts))
            if let fatal { throw fatal }
        }
    }
}

/// One batch as the loop saw it.
public struct ConsumerObservation: Sendable {
    /// What was decided, in the order of arrival.
    public let verdicts: [Verdict]

    /// Makes an observation.
    public init(verdicts: [Verdict]) {
        self.verdicts = verdicts
    }
}
