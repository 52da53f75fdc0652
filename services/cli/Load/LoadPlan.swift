import StrictJSON

/// What a load run offers: cards and articles in a fixed, seeded mix, arrivals by schedule.
struct LoadPlan: Sendable {
    let rate: Double
    let orders: Int
    let skus: [String]
    let cards: [(card: String, weight: Int)]
    let run: String

    /// When the n-th order is due after the start. Open loop: arrivals never wait for answers, so a slow system is seen as slow.
    func offset(of index: Int) -> Duration {
        .nanoseconds(Int64(Double(index) / rate * 1_000_000_000))
    }

    /// The idempotency key of the n-th order.
    func key(of index: Int) -> String { "load-\(run)-\(index)" }

    /// The body of the n-th order; the same for the same n.
    func body(of index: Int) -> [UInt8] {
        var random = SplitMix64(state: UInt64(index) &* 0x9E37_79B9 &+ 7)
        let first = Int(random.next() % UInt64(skus.count))
        let second = Int(random.next() % UInt64(skus.count))
        var lines = [line(skus[first], &random)]
        if second != first && random.next() % 3 == 0 { lines.append(line(skus[second], &random)) }
        return StrictJSON.encode(
            .object([
                "customer": .string("load-\(random.next() % 1000)"), "card": .string(card(&random)),
                "lines": .array(lines),
            ])
        )
    }

    private func line(_ sku: String, _ random: inout SplitMix64) -> JSONValue {
        .object(["sku": .string(sku), "quantity": .integer(Int64(random.next() % 3) + 1)])
    }

    private func card(_ random: inout SplitMix64) -> String {
        var draw = Int(random.next() % UInt64(max(1, cards.reduce(0) { $0 + $1.weight })))
        for (card, weight) in cards {
            if draw < weight { return card }
            draw -= weight
        }
        return "tok_visa"
    }

    /// Mixes by name, or `card=weight,card=weight`; `nil` for anything else.
    static func cards(_ text: String) -> [(card: String, weight: Int)]? {
        switch text {
        case "visa": return [("tok_visa", 1)]
        case "all":
            return [
                ("tok_visa", 60), ("tok_declined", 8), ("tok_insufficient_funds", 6), ("tok_slow", 6),
                ("tok_timeout", 5),
                ("tok_flaky", 6), ("tok_late", 3), ("tok_garbage", 6),
            ]
        default:
            var cards: [(card: String, weight: Int)] = []
            for part in text.split(separator: ",") {
                let pair = part.split(separator: "=", maxSplits: 1)
                guard pair.count == 2, let weight = Int(pair[1]), (0...1_000_000).contains(weight) else { return nil }
                cards.append((String(pair[0]), weight))
            }
            return cards.contains { $0.weight > 0 } ? cards : nil
        }
    }
}

/// A small seeded generator (Steele, Lea, Flood: SplitMix64).
struct SplitMix64: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}
