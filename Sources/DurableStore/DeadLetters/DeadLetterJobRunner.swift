import Failpoints
import Messaging

/// Carries out jobs that send letters back.
///
/// ```
///         ┌──────────── batch not full ◄─┐
///         ▼                              │
/// idle ─► sending (1, 2, 5, 10 … letters) ─full─► settling ─all ended or time over─► judged ─well─► next batch
///                                                                                     └─too many failed─► stopped
/// ```
/// Where a job stands is in its rows: each letter is sent in one unit with the note that it was. After a crash the runner
/// goes on with the same batch, and no letter is sent twice.
public struct DeadLetterJobRunner: Sendable {
    private let desk: DeadLetterDesk
    private let poll: Duration
    /// The longest time that the runner sleeps while there is no job; a new one wakes it at once.
    private static let idle: Duration = .seconds(5)
    /// The most letters of one commit.
    private static let chunk = 50

    /// Makes a runner.
    ///
    /// - Parameter poll: how often outcomes are looked for.
    public init(desk: DeadLetterDesk, poll: Duration = .milliseconds(200)) {
        self.desk = desk
        self.poll = poll
    }

    /// Runs until the task is cancelled or the store is closed.
    ///
    /// - Throws: a ``Failure`` of class fatal from the store.
    public func run() async throws {
        while !Task.isCancelled {
            do {
                switch try await step() {
                case .idle: await desk.wake.wait(atMost: Self.idle)
                case .wait(let duration): try await Task.sleep(for: duration)
                case .again: break
                }
            } catch is CancellationError {
                return
            } catch {
                let failure = Failure(classifyingStoreError: error)
                if failure.failureClass == .fatal { throw failure }
                if failure.code == Failure.storeClosed.code { return }
                try? await Task.sleep(for: .seconds(1))
            }
        }
    }

    /// What to do after a step.
    enum Next: Sendable, Equatable {
        case idle
        case again
        case wait(Duration)
    }

    /// One step of the running job.
    func step() async throws -> Next {
        let look = try await desk.store.read { db -> (job: DeadLetterJob, inBatch: Int, waiting: [(Int, String)])? in
            guard let job = try DeadLetterJobTable.running(in: db) else { return nil }
            let inBatch = try DeadLetterJobTable.outcomes(job.id, batch: job.batch, in: db).values.reduce(0, +)
            let room = DeadLetterJob.size(ofBatch: job.batch) - inBatch
            guard room > 0 else { return (job, inBatch, []) }
            let limit = job.pace.ratePerMinute == nil ? min(room, Self.chunk) : 1
            return (job, inBatch, try DeadLetterJobTable.waiting(job.id, limit: limit, in: db))
        }
        guard let look else { return .idle }
        guard look.waiting.isEmpty else {
            try await send(look.waiting, of: look.job)
            return look.job.pace.ratePerMinute.map { .wait(.milliseconds(60_000 / Int64($0))) } ?? .again
        }
        return try await judge(look.job)
    }

    private func send(_ letters: [(position: Int, letter: String)], of job: DeadLetterJob) async throws {
        let units = letters.map { position, letter in
            { @Sendable (transaction: Transaction) throws -> Void in
                guard try DeadLetterJobTable.isRunning(job.id, in: transaction.db),
                    try DeadLetterJobTable.isWaiting(job.id, position: position, in: transaction.db)
                else { return }
                let result = try desk.requeue(letter, job.actor, job: job.id, in: transaction)
                try DeadLetterJobTable.record(
                    job.id,
                    position: position,
                    batch: job.batch,
                    result,
                    at: transaction.now,
                    in: transaction.db
                )
            }
        }
        Failpoints.reach("requeue-job.before-send", about: letters.map(\.letter))
        for result in await desk.store.writeEach(units) { try result.get() }
        Failpoints.reach("requeue-job.after-send", about: letters.map(\.letter))
    }

    /// Looks at the batch; goes on, waits for it, or ends the job.
    private func judge(_ job: DeadLetterJob) async throws -> Next {
        let names = desk.handlers.mapValues(\.consumer)
        return try await desk.store.write { [poll] transaction in
            let db = transaction.db
            guard try DeadLetterJobTable.isRunning(job.id, in: db) else { return .again }
            try DeadLetterJobTable.settle(job.id, names: names, in: db)
            let outcomes = try DeadLetterJobTable.outcomes(job.id, batch: job.batch, in: db)
            let open = outcomes[.sent] ?? 0
            let isOver = (job.lastSentAt ?? job.startedAt).advanced(by: job.pace.settle) <= transaction.now
            if open > 0, !isOver { return .wait(poll) }
            let failed = outcomes[.failed] ?? 0
            let counted = outcomes.filter { $0.key != .impossible && $0.key != .unknown }.values.reduce(0, +)
            if counted > 0, (failed + open) * 100 > counted * job.pace.failurePercent {
                let detail =
                    "batch \(job.batch): of \(counted) \(counted == 1 ? "letter" : "letters"), \(failed) failed again "
                    + "and \(open) did not end in time"
                try end(job, .stopped, .stopJob, detail, in: transaction)
                return .again
            }
            if try DeadLetterJobTable.waiting(job.id, limit: 1, in: db).isEmpty {
                try end(job, .finished, .finishJob, nil, in: transaction)
            } else {
                try DeadLetterJobTable.beginBatch(job.batch + 1, of: job.id, in: db)
            }
            return .again
        }
    }

    private func end(
        _ job: DeadLetterJob,
        _ state: DeadLetterJob.State,
        _ verb: DeadLetterAct.Verb,
        _ detail: String?,
        in transaction: Transaction
    ) throws {
        _ = try DeadLetterJobTable.end(job.id, state, detail: detail, at: transaction.now, in: transaction.db)
        try DeadLetterActTable.add(
            verb,
            job: job.id,
            by: job.actor,
            outcome: state.rawValue,
            detail: detail,
            at: transaction.now,
            in: transaction.db
        )
    }
}
