/// A fault that is going to happen.
public struct PlannedFault: Sendable, Hashable {
    /// 1, 2, 3 … in the order of their beginnings.
    public var number: Int
    /// What is done.
    public var kind: FaultKind
    /// To whom: a service, a part, a link, an inbox.
    public var target: String
    /// When, in milliseconds after the beginning of the run.
    public var at: Int64
    /// How long until it is healed, in milliseconds; 0 where there is nothing to heal.
    public var lasts: Int64
    /// Decides what is left to chance within it.
    public var seed: UInt64

    /// Makes a fault.
    public init(number: Int, kind: FaultKind, target: String, at: Int64, lasts: Int64, seed: UInt64) {
        self.number = number
        self.kind = kind
        self.target = target
        self.at = at
        self.lasts = lasts
        self.seed = seed
    }

    /// When it is healed, in milliseconds after the beginning of the run.
    public var healedAt: Int64 { at + lasts }
}

/// What a run does to the system, and when. The same seed, length, rate and targets give the same plan.
public struct ChaosPlan: Sendable, Hashable {
    /// How dense a run is.
    public struct Density: Sendable, Hashable {
        /// Faults a minute, about: less where targets are too busy being broken already.
        public var perMinute: Int
        /// The most faults that are on at the same time.
        public var atOnce: Int

        /// Makes a density.
        public init(perMinute: Int = 42, atOnce: Int = 4) {
            self.perMinute = max(1, perMinute)
            self.atOnce = max(1, atOnce)
        }
    }

    /// The seed.
    public let seed: UInt64
    /// How long faults are done, in milliseconds. All are healed by then.
    public let length: Int64
    /// The faults by their time.
    public let faults: [PlannedFault]

    /// Draws a plan. Kinds come from a shuffled deck that holds each by its weight, so that a round leaves none out; one whose
    /// target is still busy waits in the deck for its turn.
    public init(seed: UInt64, milliseconds length: Int64, density: Density = Density(), targets: ChaosTargets) {
        self.seed = seed
        self.length = length
        var random = ChaosRandom(seed: seed)
        var deck: [FaultKind] = []
        var faults: [PlannedFault] = []
        var busy: [String: Int64] = [:]
        let step = max(1, 60_000 / Int64(density.perMinute))
        var now: Int64 = 0
        while true {
            // Half a step to one and a half.
            now += step / 2 + random.below(step)
            guard now < length else { break }
            guard faults.count(where: { $0.at <= now && $0.healedAt > now }) < density.atOnce else { continue }
            if deck.isEmpty { deck = Self.round(targets, &random) }
            for (index, kind) in deck.enumerated() {
                let lasts = kind.lasts.lowerBound + random.below(kind.lasts.upperBound - kind.lasts.lowerBound + 1)
                guard now + lasts <= length else { continue }
                let free = targets.names(for: kind).filter { name in
                    targets.claims(kind, name).allSatisfy { busy[$0, default: 0] <= now }
                }
                guard !free.isEmpty else { continue }
                let target = free[Int(random.below(Int64(free.count)))]
                for claim in targets.claims(kind, target) { busy[claim] = now + lasts + kind.settles }
                deck.remove(at: index)
                faults.append(
                    PlannedFault(
                        number: faults.count + 1,
                        kind: kind,
                        target: target,
                        at: now,
                        lasts: lasts,
                        seed: random.next()
                    )
                )
                break
            }
        }
        self.faults = faults
    }

    /// When the last fault is over, in milliseconds after the beginning.
    public var lastHeal: Int64 { faults.map(\.healedAt).max() ?? 0 }

    private static func round(_ targets: ChaosTargets, _ random: inout ChaosRandom) -> [FaultKind] {
        var deck = FaultKind.allCases.filter { !targets.names(for: $0).isEmpty }
            .flatMap { Array(repeating: $0, count: $0.weight) }
        for index in deck.indices.dropFirst().reversed() {
            deck.swapAt(index, Int(random.below(Int64(index + 1))))
        }
        return deck
    }
}

/// SplitMix64 (Steele, Lea, Flood 2014): the same seed, the same numbers.
public struct ChaosRandom: RandomNumberGenerator, Sendable {
    private var state: UInt64

    /// Begins at a seed.
    public init(seed: UInt64) { state = seed }

    /// 64 bits.
    public mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }

    /// 0 to below `bound`; 0 when the bound is not positive.
    public mutating func below(_ bound: Int64) -> Int64 {
        bound > 0 ? Int64(next() % UInt64(bound)) : 0
    }

    /// One of the elements; `nil` when there is none.
    public mutating func pick<Element>(_ elements: [Element]) -> Element? {
        elements.isEmpty ? nil : elements[Int(below(Int64(elements.count)))]
    }
}
