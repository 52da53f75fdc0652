import Messaging

/// Tries parked keys again when their pause is over.
///
/// One key in one unit: its first record, and while those end, the ones behind it. The units run between the passes over new
/// records, never at the same time, so a key's order holds: as long as a row of it is there, new records join at the end.
public struct ParkedRecordRunner: Sendable {
    private let processor: EventProcessor
    /// The most records of one unit.
    private static let chunk = 100
    /// The longest sleep while nothing is due; a newly parked key wakes the runner at once.
    private static let idle: Duration = .seconds(1)

    /// Makes a runner; one per processor.
    public init(_ processor: EventProcessor) { self.processor = processor }

    /// Runs until the task is cancelled or the store is closed.
    ///
    /// - Throws: a ``Failure`` of class fatal, from a handler or the store.
    public func run() async throws {
        while !Task.isCancelled {
            do {
                if try await retryNext() { continue }
                let next = try await processor.store.read { [consumer = processor.trial.consumer] db in
                    try ParkedTable.nextAttempt(consumer: consumer, in: db)
                }
                let pause = next.map {
                    Duration.milliseconds(max(1, $0.milliseconds(since: processor.store.clock.now())))
                }
                await processor.wake.wait(atMost: min(pause ?? Self.idle, Self.idle))
            } catch is CancellationError {
                return
            } catch {
                let failure = Failure(classifyingStoreError: error)
                if failure.failureClass == .fatal { throw failure }
                if failure.code == Failure.storeClosed.code { return }
                try? await Task.sleep(for: Self.idle)
            }
        }
    }

    /// Tries the key that is due for the longest time.
    ///
    /// - Returns: whether one was due.
    /// - Throws: what the store threw, or the fatal failure of a handler.
    @discardableResult
    public func retryNext() async throws -> Bool {
        let step = try await processor.store.write { [processor] in try Self.retry(processor, in: $0) }
        for ended in step.ended {
            processor.observe(ended.message, ended.outcome, ended.failure, ended.duration, attempt: ended.attempt)
        }
        if let fatal = step.fatal { throw fatal }
        return step.wasDue
    }

    private struct Ended: Sendable {
        let message: ReceivedMessage
        let attempt: Int
        let outcome: ProcessingObservation.Outcome
        let failure: Failure?
        let duration: Duration
    }

    private struct Step: Sendable {
        var wasDue = false
        var ended: [Ended] = []
        var fatal: Failure?
    }

    private static func retry(_ processor: EventProcessor, in transaction: Transaction) throws -> Step {
        let (trial, limits, db) = (processor.trial, processor.limits, transaction.db)
        var step = Step()
        guard let key = try ParkedTable.due(at: transaction.now, consumer: trial.consumer, in: db) else { return step }
        step.wasDue = true
        while let record = try ParkedTable.first(of: key, consumer: trial.consumer, in: db) {
            guard step.ended.count < chunk else {
                try postpone(record, until: transaction.now, counting: nil)
                break
            }
            let start = ContinuousClock.now
            let attempt = record.attempts + 1
            let result = try trial.run(
                record.message,
                failedAttempts: record.attempts,
                firstFailedAt: record.firstFailedAt,
                in: transaction
            )
            func end(_ outcome: ProcessingObservation.Outcome, _ failure: Failure?) {
                step.ended.append(
                    Ended(
                        message: record.message,
                        attempt: attempt,
                        outcome: outcome,
                        failure: failure,
                        duration: ContinuousClock.now - start
                    )
                )
            }
            switch result {
            case .done(let outcome, let failure):
                try ParkedTable.remove(record, consumer: trial.consumer, in: db)
                end(outcome, failure)
                continue
            case .again(let failure):
                try postpone(
                    record,
                    until: transaction.now.advanced(by: limits.pause(afterAttempt: attempt)),
                    counting: failure
                )
                end(.parked, failure)
            case .interrupted:
                try postpone(record, until: transaction.now.advanced(by: limits.firstPause), counting: nil)
            case .fatal(let failure):
                // What came before it stays; it is due at once in the next life.
                try postpone(record, until: transaction.now, counting: nil)
                step.fatal = failure
            }
            break
        }
        return step

        func postpone(_ record: ParkedRecord, until time: Timestamp, counting failure: Failure?) throws {
            try ParkedTable.postpone(
                record,
                until: time,
                counting: failure,
                consumer: trial.consumer,
                at: transaction.now,
                in: db
            )
        }
    }
}
