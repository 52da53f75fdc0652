/// The order of a complete stop: each process is asked to end once everything that depends on it has ended.
///
/// The whole stop has a budget. After a quarter of it nobody waits for dependents any longer; shortly before its end whatever is left
/// is killed, so that the supervisor itself is gone in time.
public struct ShutdownPlan: Sendable {
    /// The share of the budget kept for killing and reaping.
    private static let reserve: Duration = .milliseconds(500)

    private let dependents: [String: Set<String>]
    private let order: [String]
    private let startedAt: MonotonicTime
    private let budget: Duration
    private var asked: Set<String> = []

    /// Makes the plan for a table.
    public init(_ table: ProcessTable, at now: MonotonicTime) {
        dependents = table.dependents
        order = table.processes.map(\.id).reversed()
        startedAt = now
        budget = table.shutdownLimit
    }

    /// The processes to ask now, dependents first, each with the time it has; every id is returned once.
    ///
    /// - Parameters:
    ///   - alive: the ids that still have a child.
    ///   - limits: the process's own time between stop signal and SIGKILL.
    public mutating func due(
        at now: MonotonicTime,
        alive: Set<String>,
        limits: [String: Duration]
    ) -> [(id: String, within: Duration)] {
        let late = now - startedAt >= budget / 4
        let end = startedAt + (budget - Self.reserve)
        var due: [(id: String, within: Duration)] = []
        for id in order where alive.contains(id) && !asked.contains(id) {
            guard late || alive.isDisjoint(with: dependents[id] ?? []) else { continue }
            asked.insert(id)
            due.append((id, max(.zero, min(limits[id] ?? budget, end - now))))
        }
        return due
    }

    /// When ``due(at:alive:limits:)`` has something to do even if nothing ends.
    public var nextDeadline: MonotonicTime { startedAt + budget / 4 }
}
