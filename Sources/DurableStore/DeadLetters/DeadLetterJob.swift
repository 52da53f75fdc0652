import GRDB
public import Messaging

/// How a job sends letters back.
public struct DeadLetterPace: Sendable, Hashable {
    /// The most letters per minute; `nil` for no limit but the batches'.
    public var ratePerMinute: Int?
    /// The share of a batch, in percent, that may fail again or not end in time; beyond it the job stops itself.
    public var failurePercent: Int
    /// How long after the last letter of a batch its outcomes are waited for.
    public var settle: Duration

    /// Makes a pace; values outside their ranges are moved into them.
    public init(ratePerMinute: Int? = nil, failurePercent: Int = 25, settle: Duration = .seconds(30)) {
        self.ratePerMinute = ratePerMinute.map { min(max($0, 1), 600_000) }
        self.failurePercent = min(max(failurePercent, 0), 100)
        self.settle = max(.zero, min(settle, .seconds(86_400)))
    }
}

/// A job that sends many letters back, in growing batches.
///
/// ```
/// running ──all sent──► finished
///    │ └──too many of a batch failed again──► stopped
///    └──cancelled by an operator──► cancelled
/// ```
public struct DeadLetterJob: Sendable, Identifiable {
    /// Where the job stands.
    public enum State: String, Sendable, CaseIterable {
        case running, finished, stopped, cancelled
    }

    /// The job's id.
    public let id: String
    /// Which letters were chosen, in words.
    public let selection: String
    /// Who started it, and why.
    public let actor: DeadLetterActor
    /// How it goes about it.
    public let pace: DeadLetterPace
    /// Where it stands.
    public let state: State
    /// Why it ended, where there is more to say than the state.
    public let detail: String?
    /// How many letters were chosen when it started.
    public let total: Int
    /// The present batch, from 1.
    public let batch: Int
    /// How many letters came to which result; `sent` are those whose outcome is not known yet.
    public let outcomes: [DeadLetterResult.Kind: Int]
    /// When it started.
    public let startedAt: Timestamp
    /// When it ended.
    public let endedAt: Timestamp?

    /// Letters that were not sent.
    public var waiting: Int { max(0, total - outcomes.values.reduce(0, +)) }

    static let columns = """
        id, selection, actor, reason, rate_per_minute, failure_percent, settle_ms, state, detail, total, batch, started_at,
        last_sent_at, ended_at
        """

    let lastSentAt: Timestamp?

    init(_ row: Row, outcomes: [DeadLetterResult.Kind: Int]) {
        id = row[0]
        selection = row[1]
        actor = DeadLetterActor(row[2], reason: row[3])
        pace = DeadLetterPace(
            ratePerMinute: row[4],
            failurePercent: row[5],
            settle: .milliseconds(row[6] as Int64)
        )
        state = State(rawValue: row[7]) ?? .stopped
        detail = row[8]
        total = row[9]
        batch = row[10]
        startedAt = Timestamp(millisecondsSinceEpoch: row[11])
        lastSentAt = (row[12] as Int64?).map(Timestamp.init(millisecondsSinceEpoch:))
        endedAt = (row[13] as Int64?).map(Timestamp.init(millisecondsSinceEpoch:))
        self.outcomes = outcomes
    }

    /// How many letters a batch has: 1, 2, 5, 10, 20, 50, then 100 each.
    static func size(ofBatch number: Int) -> Int {
        let sizes = [1, 2, 5, 10, 20, 50]
        return number <= sizes.count ? sizes[max(0, number - 1)] : 100
    }
}

/// One letter of a job.
public struct DeadLetterJobItem: Sendable, Hashable {
    /// Its place in the job, from 1.
    public let position: Int
    /// The letter.
    public let letterID: String
    /// What came of it; `nil` while it waits.
    public let outcome: DeadLetterResult.Kind?
    /// The code of a failure or refusal.
    public let code: String?
}

extension DurableStore {
    /// A job; `nil` when there is none of this id.
    public func deadLetterJob(_ id: String) async throws -> DeadLetterJob? {
        try await read { try DeadLetterJobTable.find(id, in: $0) }
    }

    /// Jobs, the newest first.
    ///
    /// - Parameter limit: the most jobs, 1…1,000.
    public func deadLetterJobs(limit: Int = 100) async throws -> [DeadLetterJob] {
        try await read { try DeadLetterJobTable.list(limit: min(max(limit, 1), 1000), in: $0) }
    }

    /// Letters of a job in their order.
    ///
    /// - Parameters:
    ///   - position: list letters after this place; 0 for the first page.
    ///   - limit: the most letters, 1…1,000.
    public func deadLetterJobItems(
        _ id: String,
        after position: Int = 0,
        limit: Int = 100
    ) async throws -> [DeadLetterJobItem] {
        try await read { db in
            try Row.fetchAll(
                db,
                sql: """
                    SELECT position, letter_id, outcome, code FROM dead_letter_job_items
                    WHERE job_id = ? AND position > ? ORDER BY position LIMIT ?
                    """,
                arguments: [id, position, min(max(limit, 1), 1000)]
            ).map { row in
                DeadLetterJobItem(
                    position: row[0],
                    letterID: row[1],
                    outcome: (row[2] as String?).flatMap(DeadLetterResult.Kind.init(rawValue:)),
                    code: row[3]
                )
            }
        }
    }
}
