import GRDB
import Messaging

extension DeadLetterDesk {
    /// The most letters of one job.
    public static let maximumJobLetters = 100_000

    /// Starts a job that sends all held letters of a filter back. One job runs at a time.
    ///
    /// The letters are chosen now: what fails again later is a new letter and not part of the job. A ``DeadLetterJobRunner``
    /// carries it out.
    ///
    /// - Returns: the job.
    /// - Throws: a ``Failure`` of class permanent: `job-running` while another one runs, `nothing-chosen` when no letter
    ///   fits.
    public func startJob(
        _ filter: DeadLetterFilter,
        pace: DeadLetterPace = DeadLetterPace(),
        _ actor: DeadLetterActor
    ) async throws -> DeadLetterJob {
        var filter = filter
        filter.state = .held
        let chosen = filter
        return try await store.write { transaction in
            if let other = try DeadLetterJobTable.running(in: transaction.db) {
                throw Failure(.permanent, code: "job-running", "Job \(other.id) is running; wait for it or cancel it.")
            }
            let id = transaction.newID()
            let db = transaction.db
            try DeadLetterJobTable.insert(id, selection: chosen.description, actor, pace, at: transaction.now, in: db)
            let count = try DeadLetterJobTable.choose(id, chosen, limit: Self.maximumJobLetters, in: db)
            guard count > 0, let job = try DeadLetterJobTable.find(id, in: db) else {
                throw Failure(.permanent, code: "nothing-chosen", "There is no held letter of this kind.")
            }
            try DeadLetterActTable.add(
                .startJob,
                job: id,
                by: actor,
                outcome: String(count),
                detail: chosen.description,
                at: transaction.now,
                in: db
            )
            transaction.afterCommit { [wake] in wake.signal() }
            return job
        }
    }

    /// Ends a running job. What was sent stays sent; nothing is sent after the commit.
    ///
    /// - Returns: whether it was running.
    public func cancelJob(_ id: String, _ actor: DeadLetterActor) async throws -> Bool {
        try await store.write { transaction in
            let isEnded = try DeadLetterJobTable.end(
                id,
                .cancelled,
                detail: "cancelled by \(actor.name)" + (actor.reason.map { ": " + $0 } ?? ""),
                at: transaction.now,
                in: transaction.db
            )
            if isEnded {
                try DeadLetterActTable.add(
                    .cancelJob,
                    job: id,
                    by: actor,
                    outcome: DeadLetterJob.State.cancelled.rawValue,
                    at: transaction.now,
                    in: transaction.db
                )
            }
            return isEnded
        }
    }
}
