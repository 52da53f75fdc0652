import Commerce
import DurableStore
import Messaging
import OrderCore
import OrderService
import Testing

/// The saga against an inventory and a payment service that answer in any order, late, twice, or not for a while, with
/// customers that cancel, deadlines that pass and brokers that lose everything at any moment. At the end every order has ended and its stock and money
/// match its state (O2, O5).
@Suite struct OrderSagaPropertyTests {
    @Test(arguments: 1...24)
    func anyOrderOfEvents(seed: UInt64) async throws {
        let world = try await OrderWorld.stocked()
        var random = SplitMix(seed: seed)
        var others = Others(
            refuses: Int(random.next() % 8),
            declines: Int(random.next() % 8),
            fails: Int(random.next() % 8)
        )
        var orders: [OrderID] = []
        for _ in 0..<6 { orders.append(try await world.place()) }
        var read: Int64 = 0
        var commands: [OrderWorld.Sent] = []
        var replies: [Envelope] = []
        var steps = 0
        var isDraining: Bool { steps > 150 }

        while true {
            let new = try await world.sent(after: read)
            read = new.last?.seq ?? read
            commands += new.filter { $0.target == Channels.inventoryInbox || $0.target == Channels.paymentInbox }
            let open = try await openOrders(world, orders, others, seed)
            if open == 0 && commands.isEmpty && replies.isEmpty { break }
            steps += 1
            try #require(steps < 5_000, "the orders end")

            switch random.next() % 20 {
            case 0 where !isDraining:
                _ = try? await world.parts.cancelOrder(orders[Int(random.next() % UInt64(orders.count))])
            case 1 where !isDraining:
                try await world.pass(.seconds(Int64(random.next() % 40)))
            case 11 where !isDraining:
                // Whatever was under way is lost with the broker; sometimes an operator has it asked for again.
                commands = []
                replies = []
                if random.next() % 2 == 0 { _ = try await world.parts.republishCommands() }
            case 12 where !isDraining:
                _ = try await world.parts.republishCommands()
            case 2..<11 where !commands.isEmpty:
                let index = Int(random.next() % UInt64(commands.count))
                let command = commands[index]
                // Sometimes the command stays, to be delivered once more.
                if isDraining || random.next() % 4 != 0 { commands.remove(at: index) }
                replies.append(try others.answer(command, world, &random))
            case _ where !replies.isEmpty:
                let index = Int(random.next() % UInt64(replies.count))
                let reply = replies[index]
                if isDraining || random.next() % 4 != 0 { replies.remove(at: index) }
                #expect(try await world.deliver(reply) == .acknowledge)
            case _ where isDraining && commands.isEmpty && replies.isEmpty:
                try await world.pass(.seconds(60))
            default: break
            }
        }

        for id in orders {
            let order = try await world.order(id)
            let stock = others.stock[id.text] ?? .untouched
            let money = others.money[id.text] ?? .untouched
            switch order.state.status {
            case .completed:
                #expect(stock == .committed && money == .captured, "seed \(seed): \(order.state) \(stock) \(money)")
            case .cancelled, .rejected:
                #expect(stock != .held && stock != .committed, "seed \(seed): \(order.state) \(stock)")
                #expect(money != .authorized && money != .captured, "seed \(seed): \(order.state) \(money)")
            default:
                Issue.record("seed \(seed): \(order.state) is no end")
            }
        }
        #expect(others.violations.isEmpty, "seed \(seed): \(others.violations)")
        #expect(try await world.deadlines().isEmpty)
        try await world.checkInvariants()
    }

    /// How many orders have not ended. One that has ended must have its stock and money right at that very moment, not
    /// only after whatever is still under way has arrived.
    private func openOrders(
        _ world: OrderWorld,
        _ orders: [OrderID],
        _ others: Others,
        _ seed: UInt64
    ) async throws -> Int {
        var open = 0
        for id in orders {
            let status = try await world.status(id)
            let (stock, money) = (others.stock[id.text], others.money[id.text])
            switch status {
            case .completed:
                #expect(stock == .committed && money == .captured, "seed \(seed): completed too early")
            case .cancelled, .rejected:
                #expect(stock != .held && stock != .committed, "seed \(seed): \(status) and the stock is held")
                #expect(money != .authorized && money != .captured, "seed \(seed): \(status) and the money is held")
            default:
                open += 1
            }
        }
        return open
    }
}

/// Inventory and payment as the saga sees them: idempotent by order, with tombstones.
private struct Others {
    enum Stock { case untouched, held, refused, committed, released, expired }
    enum Money { case untouched, authorized, declined, failed, captured, cancelled }

    /// Chances in 16.
    let refuses: Int
    let declines: Int
    let fails: Int
    var stock: [String: Stock] = [:]
    var money: [String: Money] = [:]
    var captures: [String: Int] = [:]
    var violations: [String] = []

    mutating func answer(_ command: OrderWorld.Sent, _ world: OrderWorld, _ random: inout SplitMix) throws -> Envelope {
        let id = try OrderWorld.some(OrderID(command.subject))
        switch command.type {
        case ReserveStock.messageType:
            if stock[id.text] == nil { stock[id.text] = random.chance(refuses) ? .refused : .held }
            switch stock[id.text] {
            case .held, .committed: return try reply(StockReserved(orderID: id), id, world)
            case .released: return try reply(StockRefused(orderID: id, reason: "order-cancelled"), id, world)
            default: return try reply(StockRefused(orderID: id, reason: "out-of-stock"), id, world)
            }
        case CommitStock.messageType:
            if stock[id.text] == .held { stock[id.text] = random.chance(fails) ? .expired : .committed }
            if stock[id.text] == .committed { return try reply(StockCommitted(orderID: id), id, world) }
            return try reply(StockCommitRefused(orderID: id, reason: "expired"), id, world)
        case ReleaseStock.messageType:
            if stock[id.text] == .committed { violations.append("release of consumed stock") }
            stock[id.text] = .released
            return try reply(StockReleased(orderID: id), id, world)
        case AuthorizePayment.messageType:
            if money[id.text] == nil {
                money[id.text] = random.chance(declines) ? .declined : random.chance(fails) ? .failed : .authorized
            }
            switch money[id.text] {
            case .authorized, .captured:
                let payment = try OrderWorld.some(PaymentID(id.text))
                return try reply(PaymentAuthorized(orderID: id, paymentID: payment), id, world)
            case .declined: return try reply(PaymentDeclined(orderID: id, reason: "card-declined"), id, world)
            default: return try reply(PaymentFailed(orderID: id, reason: "cancelled"), id, world)
            }
        case CapturePayment.messageType:
            if money[id.text] == .authorized {
                money[id.text] = random.chance(fails) ? .failed : .captured
                if money[id.text] == .captured { captures[id.text, default: 0] += 1 }
                if captures[id.text, default: 0] > 1 { violations.append("captured twice") }
            }
            if money[id.text] == .captured {
                let amount = Commerce.Money(minorUnits: 2500, currency: .eur)
                return try reply(PaymentCaptured(orderID: id, amount: amount), id, world)
            }
            return try reply(PaymentFailed(orderID: id, reason: "capture-refused"), id, world)
        case CancelPayment.messageType:
            money[id.text] = .cancelled
            return try reply(PaymentCancelled(orderID: id), id, world)
        default:
            throw OrderWorld.Missing()
        }
    }

    private func reply<Payload: CommerceMessage>(
        _ payload: Payload,
        _ id: OrderID,
        _ world: OrderWorld
    ) throws -> Envelope {
        try world.envelope(payload, type: Payload.messageType, subject: id.text)
    }
}

/// SplitMix64.
struct SplitMix: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }

    mutating func chance(_ inSixteen: Int) -> Bool {
        Int(next() % 16) < inSixteen
    }
}
