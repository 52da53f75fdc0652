import Commerce
import InventoryCore
import Testing

@Suite struct ReservationDecisionTests {
    private let order = OrderID("0198f1c2-3d4e-7f00-8000-000000000001")
    private let mug = SKU("MUG-1")

    private func items(_ count: Int) throws -> [OrderedItem] {
        [OrderedItem(sku: try #require(mug), quantity: try #require(Quantity(count)))]
    }

    private func reservation(_ status: Reservation.Status?) throws -> Reservation? {
        guard let status else { return nil }
        return Reservation(orderID: try #require(order), status: status, version: 1, items: try items(2))
    }

    private func inputs(available: Int) throws -> [ReservationInput] {
        [
            .reserve(try items(2), stock: [try #require(mug): StockLevel(onHand: available, reserved: 0)]), .commit,
            .release(reason: "customer"), .expire,
        ]
    }

    @Test func everyStateAnswersEveryInputAlongTheGraph() throws {
        let states: [Reservation.Status?] = [nil] + Reservation.Status.allCases
        var taken: Set<Reservation.Status.Transition> = []
        for status in states {
            for input in try inputs(available: 5) + inputs(available: 1) {
                let current = try reservation(status)
                let decision = Reservation.decide(current, orderID: try #require(order), input)
                if let changed = decision.changed {
                    let transition = Reservation.Status.Transition(status, changed.status)
                    #expect(Reservation.Status.allowedTransitions.contains(transition))
                    #expect(changed.version == (current?.version ?? 0) + 1)
                    #expect(decision.event != nil)
                    taken.insert(transition)
                } else {
                    #expect(decision.stock.isEmpty)
                    #expect(decision.event == nil)
                }
                if input != .expire { #expect(decision.reply != nil) }
            }
        }
        #expect(taken == Reservation.Status.allowedTransitions, "every edge of the graph is taken")
    }

    @Test func aTombstoneRefusesALaterReservation() throws {
        let orderID = try #require(order)
        let tombstone = Reservation.decide(nil, orderID: orderID, .release(reason: "customer"))
        #expect(tombstone.changed?.status == .released)
        #expect(tombstone.stock.isEmpty)
        let late = Reservation.decide(tombstone.changed, orderID: orderID, try inputs(available: 5)[0])
        #expect(late.changed == nil)
        #expect(late.reply == .refused(reason: "order-cancelled", sku: nil))
    }

    @Test func aShortageNamesTheArticleAndHoldsNothing() throws {
        let decision = Reservation.decide(nil, orderID: try #require(order), try inputs(available: 1)[0])
        #expect(decision.reply == .refused(reason: "out-of-stock", sku: mug))
        #expect(decision.stock.isEmpty)
        let unknown = Reservation.decide(nil, orderID: try #require(order), .reserve(try items(1), stock: [:]))
        #expect(unknown.reply == .refused(reason: "unknown-sku", sku: mug))
    }

    /// Any sequence of inputs leaves the level within `0 ≤ reserved ≤ onHand`, and what is held plus what was sold adds up.
    @Test(arguments: 0..<200)
    func randomSequencesConserveStock(seed: Int) throws {
        var random = SplitMix(state: UInt64(seed))
        let sku = try #require(mug)
        var level = StockLevel(onHand: 10, reserved: 0)
        var reservations: [OrderID: Reservation] = [:]
        let orders = try (0..<6).map { try #require(OrderID("0198f1c2-3d4e-7f00-8000-00000000000\($0)")) }
        for _ in 0..<60 {
            let orderID = orders[Int(random.next() % 6)]
            let wanted = [OrderedItem(sku: sku, quantity: try #require(Quantity(Int(random.next() % 4) + 1)))]
            let input: ReservationInput =
                switch random.next() % 4 {
                case 0: .reserve(wanted, stock: [sku: level])
                case 1: .commit
                case 2: .release(reason: "customer")
                default: .expire
                }
            let decision = Reservation.decide(reservations[orderID], orderID: orderID, input)
            if let changed = decision.changed { reservations[orderID] = changed }
            for change in decision.stock {
                level.onHand += change.onHand
                level.reserved += change.reserved
            }
            #expect(level.reserved >= 0 && level.reserved <= level.onHand)
            let held = reservations.values.filter { $0.status == .held }.flatMap(\.items).reduce(0) {
                $0 + $1.quantity.count
            }
            let sold = reservations.values.filter { $0.status == .committed }.flatMap(\.items).reduce(0) {
                $0 + $1.quantity.count
            }
            #expect(level.reserved == held)
            #expect(level.onHand == 10 - sold)
        }
    }
}

/// A small seeded generator (SplitMix64), so that a failing sequence can be repeated.
struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}
