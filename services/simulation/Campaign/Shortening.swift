/// Makes a failing run smaller: leaves out kinds of faults and orders one after the other while it still fails in the same way.
public struct Shortening: Sendable {
    /// Kinds of faults that are not needed.
    public private(set) var without: Set<FaultKind> = []
    /// The orders that are needed.
    public private(set) var limitedTo: Set<Int>
    /// The shortest failing run.
    public private(set) var report: SimulationReport
    private let sabotage: String?

    /// Shortens the run of a seed.
    ///
    /// - Parameters:
    ///   - failed: the report of the whole run.
    ///   - sabotage: the guard that was switched off in it.
    ///   - attempts: the most runs that are tried.
    /// - Returns: `nil` when the run did not fail.
    /// - Throws: ``SimulationFault`` when a world cannot be made.
    public init?(_ failed: SimulationReport, sabotage: String? = nil, attempts: Int = 150) async throws {
        guard let id = failed.violations.first?.id else { return nil }
        self.sabotage = sabotage
        limitedTo = Set(0..<failed.orders)
        report = failed
        var left = attempts
        // Also what has not struck: without other faults and orders it might.
        for kind in failed.planned where left > 0 {
            left -= 1
            _ = try await keep(id, without: without.union([kind]), limitedTo: limitedTo)
        }
        var chunk = failed.orders / 2
        while chunk >= 1, left > 0 {
            var needed = limitedTo.sorted()
            while !needed.isEmpty, left > 0 {
                let dropped = needed.suffix(chunk)
                needed.removeLast(dropped.count)
                let rest = limitedTo.subtracting(dropped)
                guard !rest.isEmpty else { continue }
                left -= 1
                _ = try await keep(id, without: without, limitedTo: rest)
            }
            chunk /= 2
        }
        if let last = try await run(keepsTrace: true), last.violations.contains(where: { $0.id == id }) {
            report = last
        }
    }

    /// Takes a smaller run if it fails in the same way.
    private mutating func keep(_ id: String, without: Set<FaultKind>, limitedTo: Set<Int>) async throws {
        let tried = try await SimulationReport.run(
            seed: report.seed,
            orders: report.orders,
            without: without,
            limitedTo: limitedTo,
            sabotage: sabotage
        )
        guard tried.violations.contains(where: { $0.id == id }) else { return }
        self.without = without
        self.limitedTo = limitedTo
        report = tried
    }

    private func run(keepsTrace: Bool) async throws -> SimulationReport? {
        try await SimulationReport.run(
            seed: report.seed,
            orders: report.orders,
            without: without,
            limitedTo: limitedTo,
            keepsTrace: keepsTrace,
            sabotage: sabotage
        )
    }

    /// The arguments of the command that runs the shortest failing run again.
    public var arguments: String {
        var words = ["--seed \(report.seed)", "--orders \(report.orders)"]
        if !without.isEmpty { words.append("--without " + without.map(\.rawValue).sorted().joined(separator: ",")) }
        if limitedTo.count < report.orders {
            words.append("--only " + limitedTo.sorted().map(String.init).joined(separator: ","))
        }
        if let sabotage { words.append("--sabotage " + sabotage) }
        return words.joined(separator: " ")
    }
}
