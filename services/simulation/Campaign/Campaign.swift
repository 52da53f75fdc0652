/// Many seeds, on several cores.
public struct Campaign: Sendable {
    /// What all seeds together came to.
    public struct Summary: Sendable {
        /// Seeds that were run.
        public internal(set) var seeds = 0
        /// Orders that were asked for.
        public internal(set) var orders = 0
        /// Steps.
        public internal(set) var steps = 0
        /// Faults that struck, by kind.
        public internal(set) var faults: [FaultKind: Int] = [:]
        /// Situations that came up: in how many seeds.
        public internal(set) var situations: [Situation: Int] = [:]
        /// Seeds in which something went wrong.
        public internal(set) var failures: [SimulationReport] = []
        /// The longest simulated time from the end of the faults to rest, in milliseconds.
        public internal(set) var longestHealing: Int64 = 0
        /// The trace hash of each seed.
        public internal(set) var hashes: [UInt64: String] = [:]

        /// Makes a summary of nothing.
        public init() {}

        /// Situations that no seed has met.
        public var missed: [Situation] { Situation.allCases.filter { situations[$0] == nil } }

        mutating func add(_ report: SimulationReport) {
            seeds += 1
            orders += report.orders
            steps += report.steps
            for (kind, count) in report.faults { faults[kind, default: 0] += count }
            for situation in report.situations.keys { situations[situation, default: 0] += 1 }
            if !report.violations.isEmpty { failures.append(report) }
            longestHealing = max(longestHealing, report.healingMilliseconds)
            hashes[report.seed] = report.traceHash
        }
    }

    /// The seeds.
    public let seeds: ClosedRange<UInt64>
    /// Orders in each.
    public let orders: Int
    /// Kinds of faults that are left out.
    public let without: Set<FaultKind>
    /// The guard that is switched off in all of them, if one is.
    public let sabotage: String?
    /// Worlds at the same time.
    public let workers: Int
    /// Failing seeds after which no new seed is begun.
    public let maximumFailures: Int

    /// Makes a campaign; see the properties.
    public init(
        seeds: ClosedRange<UInt64>,
        orders: Int,
        without: Set<FaultKind> = [],
        sabotage: String? = nil,
        workers: Int = 2,
        maximumFailures: Int = 5
    ) {
        self.seeds = seeds
        self.orders = orders
        self.without = without
        self.sabotage = sabotage
        self.workers = max(1, workers)
        self.maximumFailures = max(1, maximumFailures)
    }

    /// Runs all seeds; each is one task from beginning to end.
    ///
    /// - Parameter progress: told after each seed.
    /// - Throws: ``SimulationFault`` when a world cannot be made.
    public func run(progress: (Summary) -> Void = { _ in }) async throws -> Summary {
        try await withThrowingTaskGroup(of: SimulationReport.self) { group in
            var summary = Summary()
            var next: UInt64? = seeds.lowerBound
            func begin() {
                guard let seed = next, summary.failures.count < maximumFailures else { return }
                next = seed < seeds.upperBound ? seed + 1 : nil
                group.addTask { [orders, without, sabotage] in
                    try await SimulationReport.run(seed: seed, orders: orders, without: without, sabotage: sabotage)
                }
            }
            for _ in 0..<workers { begin() }
            while let report = try await group.next() {
                summary.add(report)
                progress(summary)
                begin()
            }
            return summary
        }
    }
}
