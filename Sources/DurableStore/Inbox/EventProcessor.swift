import Failpoints
public import Messaging

/// Handles records of the event log: a whole batch in one unit, each record in a savepoint of its own, the offsets in the
/// same transaction.
///
/// The log has no acknowledgement per record, and its order counts only within a key. So a record that may succeed later is
/// parked: a row in `parked_records`, behind which later records of its key wait in order, while the partition goes on.
/// ```
/// record ─its key is parked, room─────────────────────► row behind the others of its key, offset moves on
///    │        └──no room──────────────────────────────► partition held: the rest of it is given back
///    ▼ tried
///    ├─handled, duplicate, refused────────────────────► offset moves on
///    ├─poison, unreadable, id reused──────────────────► row in `dead_letters`, offset moves on
///    ├─retryable, room──► first row of its key, tried again after a pause, offset moves on
///    │     └──no room───► partition held; no attempt counted, since those that are parked use theirs up
///    ├─interrupted──────► partition held, no attempt counted
///    └─fatal────────────► stop; what came before stays committed
///
/// parked ─due─► tried ─done with, one way or the other─► row removed, the next of its key tried
///                 ├─retryable────────────────────────► pause doubled; attempts used up: row in `dead_letters`, the next tried
///                 └─interrupted──────────────────────► tried again later, no attempt counted
/// ```
/// Rows, offsets and effects are one transaction, so nothing is skipped and nothing doubled, wherever the process is killed.
public struct EventProcessor: MessageProcessor {
    /// Bounds of the retries of records, and of how many may wait for one.
    public struct Limits: Sendable {
        /// Attempts before a record that keeps failing becomes a dead letter.
        public var maximumAttempts: Int
        /// The pause after the first failed attempt; it doubles with each.
        public var firstPause: Duration
        /// The longest pause.
        public var longestPause: Duration
        /// The most records that wait, over all keys; 0 parks nothing, so that a retryable failure holds its partition.
        public var maximumParked: Int
        /// The most records of one key that wait.
        public var maximumParkedOfKey: Int
        /// The most bytes that wait, headers and payloads, over all keys.
        public var maximumParkedBytes: Int

        /// Makes limits; see the properties. By default a record is tried for about eight minutes.
        public init(
            maximumAttempts: Int = 16,
            firstPause: Duration = .milliseconds(250),
            longestPause: Duration = .seconds(60),
            maximumParked: Int = 10_000,
            maximumParkedOfKey: Int = 1000,
            maximumParkedBytes: Int = 64 << 20
        ) {
            self.maximumAttempts = max(1, maximumAttempts)
            self.firstPause = firstPause
            self.longestPause = longestPause
            self.maximumParked = max(0, maximumParked)
            self.maximumParkedOfKey = max(0, maximumParkedOfKey)
            self.maximumParkedBytes = max(0, maximumParkedBytes)
        }
    }

    let store: DurableStore
    let trial: RecordTrial
    let limits: Limits
    /// Rung when a key was parked.
    let wake = WakeSignal()
    private let observer: @Sendable (ProcessingObservation) -> Void
    private let pause: StorePause
    private var consumer: String { trial.consumer }

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
        trial = RecordTrial(consumer: consumer, handler: handler, maximumAttempts: limits.maximumAttempts)
        self.limits = limits
        self.observer = observer
        pause = StorePause(store)
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

    /// What the guard against it is for: a crash between this and the effects loses the records.
    private func moveOffsetsAhead(_ records: [ReceivedMessage]) async {
        for record in records {
            guard let position = EventPass.position(of: record) else { continue }
            _ = try? await store.write {
                try OffsetTable.set(position.partition, next: position.offset + 1, consumer: consumer, in: $0.db)
            }
        }
    }

    /// Handles the batch in one unit, as the graph above says.
    public func process(_ batch: [ReceivedMessage]) async -> [Verdict] {
        Failpoints.reach("events.before-handling", about: batch.subjects)
        if Sabotage.isOn("offset-before-effects") { await moveOffsetsAhead(batch) }
        let pass: EventPass
        do {
            pass = try await store.write { [trial, limits] transaction in
                var pass = EventPass(trial, limits: limits)
                try pass.run(batch, in: transaction)
                return pass
            }
        } catch {
            let failure = Failure(classifyingStoreError: error)
            let isFatal = failure.failureClass == .fatal
            for message in batch { observe(message, isFatal ? .stopped : .givenBack, failure, .zero) }
            await pause.afterBatch(failure)
            return Array(repeating: isFatal ? .stop(failure) : .giveBack(failure), count: batch.count)
        }
        await pause.afterBatch(nil)
        Failpoints.reach("events.before-ack", about: batch.subjects)
        var verdicts: [Verdict?] = Array(repeating: nil, count: batch.count)
        for done in pass.done {
            observe(batch[done.index], done.outcome, done.failure, done.duration)
            verdicts[done.index] = .acknowledge
        }
        if pass.done.contains(where: { $0.outcome == .parked }) { wake.signal() }
        if let fatal = pass.fatal { return verdicts.map { $0 ?? .stop(fatal) } }
        return zip(batch, verdicts).map { message, verdict in
            if let verdict { return verdict }
            let failure = EventPass.position(of: message).flatMap { pass.held[$0.partition] } ?? .notReached
            observe(message, .givenBack, failure, .zero)
            return .giveBack(failure)
        }
    }

    func observe(
        _ message: ReceivedMessage,
        _ outcome: ProcessingObservation.Outcome,
        _ failure: Failure?,
        _ duration: Duration,
        attempt: Int = 1
    ) {
        observer(
            ProcessingObservation(
                message,
                consumer: consumer,
                attempt: attempt,
                outcome: outcome,
                failure: failure,
                duration: duration
            )
        )
    }
}

extension EventProcessor.Limits {
    /// The pause after a record's attempt number `attempt` failed.
    func pause(afterAttempt attempt: Int) -> Duration {
        min(longestPause, firstPause * (1 << min(max(attempt - 1, 0), 20)))
    }

    var parking: ParkingLot.Bounds {
        ParkingLot.Bounds(records: maximumParked, recordsOfKey: maximumParkedOfKey, bytes: maximumParkedBytes)
    }
}

extension Failure {
    static let notReached = Failure(.interrupted, code: "not-reached", "An earlier record of the partition holds it.")
}
