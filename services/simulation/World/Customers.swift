import Commerce
import Messaging
import OrderService
import Simulation
import Verification

/// The customers: what they order, when, and what they were told.
struct Customers {
    /// One request for an order, from the customer's side.
    struct Purchase {
        let index: Int
        let key: String
        let request: PlacementRequest
        let at: Int64
        /// Asked at least once.
        var attempts = 0
        /// Not before, after an answer was lost.
        var notBefore: Timestamp?
        var outcome: LoadEntry.Outcome?
        var orders: [String] = []
        var body: [UInt8]?
    }

    private(set) var purchases: [Purchase]
    private let start = Timestamp(millisecondsSinceEpoch: 1_767_225_600_000)

    static let articles = ["MUG", "LAMP", "CHAIR", "SPOON", "CLOCK", "RARE"]
    private static let cards: [(token: String, share: Int)] = [
        ("tok_visa", 560), ("tok_declined", 70), ("tok_insufficient_funds", 40), ("tok_slow", 60), ("tok_timeout", 70),
        ("tok_flaky", 70), ("tok_late", 60), ("tok_garbage", 70),
    ]

    init(random: SeededRandom, count: Int) {
        var random = random
        var at: Int64 = 500
        purchases = (0..<count).compactMap { index in
            var own = random.fork()
            at += Int64(own.within(0...400))
            let lines = (0..<own.within(1...3)).map { _ in own.below(Self.articles.count) }
            var items: [OrderedItem] = []
            for article in Set(lines).sorted() {
                let name = own.chance(15) ? "UNKNOWN" : Self.articles[article]
                guard let sku = SKU(name), let quantity = Quantity(own.within(1...3)) else { continue }
                if !items.contains(where: { $0.sku == sku }) { items.append(OrderedItem(sku: sku, quantity: quantity)) }
            }
            guard let customer = CustomerID("customer-\(index)"), let card = CardToken(Self.card(&own)) else {
                return nil
            }
            return Purchase(
                index: index,
                key: "key-\(index)",
                request: PlacementRequest(customer: customer, card: card, lines: items),
                at: at
            )
        }
    }

    private static func card(_ random: inout SeededRandom) -> String {
        var left = random.below(1000)
        for (token, share) in cards {
            if left < share { return token }
            left -= share
        }
        return "tok_visa"
    }

    // By number, not by value: a copy of a purchase costs more than the look at it, and each step looks at all of them.
    private func isOpen(_ index: Int, _ limit: Set<Int>?) -> Bool {
        let outcome = purchases[index].outcome
        return (outcome == nil || outcome == .info) && limit?.contains(index) != false
    }

    private func moment(of index: Int) -> Timestamp {
        max(start.advanced(byMilliseconds: purchases[index].at), purchases[index].notBefore ?? start)
    }

    /// Whether somebody wants to ask for something now.
    func isDue(at now: Timestamp, _ limit: Set<Int>?) -> Bool { next(at: now, limit) != nil }

    /// The first purchase that is due.
    func next(at now: Timestamp, _ limit: Set<Int>?) -> Int? {
        purchases.indices.first { isOpen($0, limit) && moment(of: $0) <= now }
    }

    /// When somebody wants to ask next.
    func nextMoment(_ limit: Set<Int>?) -> Timestamp? {
        purchases.indices.lazy.filter { isOpen($0, limit) }.map(moment).min()
    }

    /// Whether everybody was told something definite.
    func areServed(_ limit: Set<Int>?) -> Bool { !purchases.indices.contains { isOpen($0, limit) } }

    mutating func change(_ index: Int, _ change: (inout Purchase) -> Void) { change(&purchases[index]) }

    /// The history, in the form in which a load run has it.
    var history: [LoadEntry] {
        purchases.compactMap { purchase in
            purchase.outcome.map { LoadEntry(key: purchase.key, outcome: $0, orders: purchase.orders) }
        }
    }
}
