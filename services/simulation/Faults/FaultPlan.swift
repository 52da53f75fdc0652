import Simulation

/// Which faults a run may meet, and how often.
public struct FaultPlan: Sendable {
    /// Occurrences per 10,000 occasions, by ``FaultKind/index``; `nil` for a kind that is not in the plan.
    private var rates = [Int?](repeating: nil, count: FaultKind.allCases.count)

    /// Draws a plan: nothing at all in one seed of twenty, otherwise each kind with the same odds, which the seed draws too.
    init(random: inout SeededRandom) {
        let odds = random.chance(50) ? 0 : random.within(150...700)
        for kind in FaultKind.allCases {
            let isIn = random.chance(odds)
            let range = kind.rates
            // Most rates low, a few high: the square of an even draw.
            let share = random.below(1000) * random.below(1000) / 1000
            let rate = range.lowerBound + (range.upperBound - range.lowerBound) * share / 1000
            if isIn { rates[kind.index] = rate }
        }
    }

    /// Lays a plan down: these kinds, each with its occurrences per 10,000 occasions.
    init(rates: [FaultKind: Int]) {
        for kind in FaultKind.allCases { self.rates[kind.index] = rates[kind] }
    }

    /// The same plan without some kinds.
    func without(_ kinds: Set<FaultKind>) -> FaultPlan {
        var plan = self
        for kind in kinds { plan.rates[kind.index] = nil }
        return plan
    }

    /// The kinds in it.
    public var kinds: [FaultKind] { FaultKind.allCases.filter { rate(of: $0) != nil } }

    /// How often a kind happens per 10,000 occasions; `nil` when it is not in the plan.
    func rate(of kind: FaultKind) -> Int? { rates[kind.index] }
}
