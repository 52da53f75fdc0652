/// What a run came to. Pure: made from the records.
public struct ChaosReport: Sendable, Hashable {
    /// One kind of fault.
    public struct Row: Sendable, Hashable {
        /// The kind.
        public var kind: FaultKind
        /// How often it was done.
        public var times: Int
        /// How often it was planned and could not be done, or had nothing to work on.
        public var skipped: Int
        /// The invariants that were examined after it, in looks of the verifier.
        public var invariants: Int
        /// Violations that were found for the first time after it: an upper bound, since faults overlap.
        public var violations: Int
        /// Recoveries in milliseconds, sorted.
        public var recoveries: [Int64]
        /// How often its target was not ready again in the time given.
        public var unrecovered: Int

        /// The recovery that half of them stayed below.
        public var medianRecovery: Int64? { recoveries.isEmpty ? nil : recoveries[recoveries.count / 2] }
        /// The longest recovery.
        public var longestRecovery: Int64? { recoveries.last }
    }

    /// How the orders fared.
    public struct Orders: Sendable, Hashable {
        /// Placements that were offered.
        public var offered = 0
        /// Those that were accepted.
        public var accepted = 0
        /// Those that were refused for good.
        public var refused = 0
        /// Those whose answer never came.
        public var unknown = 0
        /// Orders by status at the end.
        public var byStatus: [String: Int] = [:]
        /// From the last heal until no order was open, in milliseconds; `nil` when that did not happen in the time given.
        public var convergence: Int64?
        /// The time given.
        public var convergenceLimit: Int64 = 0
        /// Why the load of the whole run was not carried out, in a sentence; `nil` when it was.
        public var loadFailure: String?

        /// Nothing yet.
        public init() {}
    }

    /// The seed.
    public var seed: UInt64
    /// How long faults were done, in milliseconds.
    public var length: Int64
    /// By kind, in the order of the catalogue; kinds that were never planned are left out.
    public var rows: [Row]
    /// How the orders fared.
    public var orders: Orders
    /// Everything that a promise forbids, in sentences.
    public var violations: [String]
    /// Why the run proves nothing, in sentences: it was not what it was to be.
    public var failures: [String]
    /// The invariants at which the last look could not look, with the reasons.
    public var unexamined: [String]

    /// Folds records into a report.
    public init(plan: ChaosPlan, records: [FaultRecord], checks: [CheckRecord], orders: Orders) {
        seed = plan.seed
        length = plan.length
        self.orders = orders
        var violations: [String] = []
        for record in records {
            if let violation = record.violation { violations.append("fault \(record.fault.number): \(violation)") }
        }
        var known: Set<String> = []
        for check in checks {
            for (id, example) in check.violated.sorted(by: { $0.key < $1.key }) where known.insert(id).inserted {
                violations.append("\(id): \(example)")
            }
        }
        if orders.convergence == nil {
            violations.append("orders were still open \(orders.convergenceLimit / 1000) s after the last heal")
        }
        if !checks.contains(where: \.isFinal) { violations.append("the run ended without a final verification") }
        self.violations = violations
        failures = [orders.loadFailure, orders.accepted == 0 ? "no order was accepted" : nil].compactMap(\.self)
        let last = checks.last { $0.isFinal }?.unexamined ?? [:]
        unexamined = last.sorted { $0.key < $1.key }.map { "\($0.key): \($0.value)" }
        rows = FaultKind.allCases.compactMap { kind in
            let all = records.filter { $0.fault.kind == kind }
            guard !all.isEmpty else { return nil }
            let done = all.filter(\.isInjected)
            let first = done.map(\.injectedAt).min() ?? .max
            let looks = checks.filter { $0.at >= first }
            return Row(
                kind: kind,
                times: done.count,
                skipped: all.count - done.count,
                invariants: looks.reduce(0) { $0 + $1.examined.count },
                violations: Set(looks.flatMap(\.violated.keys)).count + done.count { $0.violation != nil },
                recoveries: done.compactMap(\.recovery).sorted(),
                unrecovered: done.count { $0.recovery == nil }
            )
        }
    }

    /// Faults that were done.
    public var faults: Int { rows.reduce(0) { $0 + $1.times } }
    /// Kinds of which at least one was done.
    public var kinds: Int { rows.count { $0.times > 0 } }
    /// Whether nothing was violated in a run that was carried out.
    public var isClean: Bool { violations.isEmpty && failures.isEmpty }
    /// The exit code: 0 nothing is violated, 1 something is, 2 the run could not be carried out. What is violated counts
    /// also in a run that could not.
    public var exitCode: Int32 { violations.isEmpty ? (failures.isEmpty ? 0 : 2) : 1 }
}
