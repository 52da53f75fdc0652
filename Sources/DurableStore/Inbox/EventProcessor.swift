public import Messaging

/// Handles records of the event log: a whole batch in one unit, each record in a savepoint of its own, the offsets in the
/// same transaction.
///
/// The log has no acknowledgement per record, so a record is either done with or holds its partition:
/// ```
/// record ─handled, duplicate, refused─────────────────► offset moves on
///    ├─poison, unreadable, id reused, attempts used up─► row in `dead_letters`, offset moves on
///    ├─retryable─► attempt counted in a row; tried again in place after a pause, then the rest of its partition is given back
///    ├─interrupted─► the rest of its partition is given back, no attempt counted
///    └─fatal─► stop; what came before stays committed
/// ```
public struct EventProcessor: MessageProcessor {
    /// Bounds of the retries of one record.
    public struct Limits: Sendable {
        /// Attempts before a record that keeps failing becomes a dead letter.
        public var maximumAttempts: Int
        /// Tries within one call, with pauses in between; then the partition is given back.
        public var triesInPlace: Int
        /// The first pause; it doubles with each attempt.
        public var firstPause: Duration
        /// The longest pause.
        public var longestPause: Duration

        /// Makes limits; see the properties. By default a record is tried for about half a minute.
        public init(
            maximumAttempts: Int = 20,
            triesInPlace: Int = 3,
            firstPause: Duration = .milliseconds(50),
            longestPause: Duration = .seconds(2)
        ) {
            self.maximumAttempts = max(1, maximumAttempts)
            self.triesInPlace = max(1, triesInPlace)
            self.firstPause = firstPause
            self.longestPause = longestPause
        }
    }

    private let store: DurableStore
    private let consumer: String
    private let handler: any MessageHandler
    private let limits: Limits
    private let observer: @Sendable (ProcessingObservation) -> Void
    private let pause = StorePause()

    /// Makes a processor.
    ///
    /// - Parameters:
    ///   - consumer: the name of inbox rows, offsets and dead letters; the same for ever.
    ///   - observer: told of each record after its commit; must not block.
    public init(
        store: DurableStore,
        consumer: String,
        handler: any MessageHandler,
        limits: Limits = Limits(),
        observer: @escaping @Sendable (ProcessingObservation) -> Void = { _ in }
    ) {
        self.store = store
        self.consumer = consumer
        self.handler = handler
        self.limits = limits
        self.observer = observer
    }

    /// Where each partition goes on, by the offsets that were committed together with the effects.
    ///
    /// - Returns: the offset of the next record to read; partitions never read are missing.
    public static func startOffsets(
        consumer: String,
        in store: DurableStore
    ) async throws -> [(topic: String, partition: Int32, offset: Int64)] {
        try await store.read { db in
            try OffsetTable.all(consumer: consumer, in: db).map { entry in
                (topic: entry.partition.topic, partition: entry.partition.partition, offset: entry.offset)
            }
        }
    }

    /// Handles the batch in one unit, as the graph above says; waits between tries in place.
    public func process(_ batch: [ReceivedMessage]) async -> [Verdict] {
        var verdicts: [Verdict?] = Array(repeating: nil, count: batch.count)
        var open = Array(batch.indices)
        for attempt in 1...limits.triesInPlace {
            let tried = open
            let pass: EventPass
            do {
                pass = try await store.write { transaction in
                    var pass = EventPass(consumer: consumer, handler: handler, limits: limits)
                    try pass.run(tried.map { (index: $0, message: batch[$0]) }, in: transaction)
                    return pass
                }
            } catch {
                let failure = Failure(classifyingStoreError: error)
                let isFatal = failure.failureClass == .fatal
                for index in tried {
                    observe(batch[index], isFatal ? .stopped : .givenBack, failure, .zero)
                    verdicts[index] = isFatal ? .stop(failure) : .giveBack(failure)
                }
                await pause.afterBatch(failure)
                break
            }
            await pause.afterBatch(nil)
            for done in pass.done {
                observe(batch[done.index], done.outcome, done.failure, done.duration)
                verdicts[done.index] = .acknowledge
            }
            if let fatal = pass.fatal {
                for index in tried where verdicts[index] == nil { verdicts[index] = .stop(fatal) }
                break
            }
            open = tried.filter { verdicts[$0] == nil }
            guard !open.isEmpty else { break }
            let interrupted = pass.held.values.contains { $0.failure.failureClass == .interrupted }
            if attempt == limits.triesInPlace || interrupted || Task.isCancelled {
                giveBack(open, of: batch, held: pass.held, &verdicts)
                break
            }
            do {
                try await Task.sleep(for: limits.pause(afterAttempt: pass.held.values.map(\.attempts).min() ?? 1))
            } catch {
                giveBack(open, of: batch, held: pass.held, &verdicts)
                break
            }
        }
        return verdicts.map { $0 ?? .giveBack(.notReached) }
    }

    private func giveBack(
        _ indices: [Int],
        of batch: [ReceivedMessage],
        held: [OffsetTable.Partition: EventPass.Held],
        _ verdicts: inout [Verdict?]
    ) {
        for index in indices {
            let failure = EventPass.position(of: batch[index]).flatMap { held[$0.partition]?.failure } ?? .notReached
            observe(batch[index], .givenBack, failure, .zero)
            verdicts[index] = .giveBack(failure)
        }
    }

    private func observe(
        _ message: ReceivedMessage,
        _ outcome: ProcessingObservation.Outcome,
        _ failure: Failure?,
        _ duration: Duration
    ) {
        observer(
            ProcessingObservation(message, consumer: consumer, outcome: outcome, failure: failure, duration: duration)
        )
    }
}

extension EventProcessor.Limits {
    /// The pause after a record's attempt number `attempt` failed.
    func pause(afterAttempt attempt: Int) -> Duration {
        min(longestPause, firstPause * (1 << min(max(attempt - 1, 0), 20)))
    }
}

extension Failure {
    static let notReached = Failure(.interrupted, code: "not-reached", "An earlier record of the partition holds it.")
}
