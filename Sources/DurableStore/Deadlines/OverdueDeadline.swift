public import Messaging

/// A deadline that has come due and has not fired.
public struct OverdueDeadline: Sendable, Hashable {
    /// The kind of deadline.
    public let name: String
    /// What it is about.
    public let subject: String
    /// When it was due.
    public let dueAt: Timestamp
    /// How often its handler failed.
    public let failures: Int
    /// When it is tried next.
    public let retryAt: Timestamp
    /// Why the handler failed last; `nil` when it was not tried.
    public let lastError: String?
}

extension DurableStore {
    /// Deadlines that were due some time ago and have not fired, the oldest first.
    ///
    /// - Parameters:
    ///   - lateness: how long ago, at least.
    ///   - limit: the most deadlines, 1…1,000.
    public func overdueDeadlines(by lateness: Duration, limit: Int = 100) async throws -> [OverdueDeadline] {
        let time = clock.now().advanced(by: .zero - lateness)
        return try await read { try DeadlineTable.overdue(at: time, limit: min(max(limit, 1), 1000), in: $0) }
    }
}
