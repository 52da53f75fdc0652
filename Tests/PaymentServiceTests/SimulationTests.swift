import Commerce
import DurableStore
import KitTestSupport
import Messaging
import PaymentCore
import StrictJSON
import Testing

@testable import PaymentService

/// Random lives of several orders at once, from one seed: any card, commands twice and in any order, a gateway that comes and
/// goes, callbacks, and crashes. In the end the gateway's book and ours agree, and nobody paid for nothing.
@Suite struct SimulationTests {
    static let cards = [
        "tok_visa", "tok_declined", "tok_insufficient_funds", "tok_slow", "tok_timeout", "tok_flaky", "tok_late",
        "tok_garbage",
    ]

    @Test(arguments: 1...12) func moneyIsNeverLostOrDoubled(_ seed: UInt64) async throws {
        var random = Seeded(state: seed)
        let database = try TemporaryDatabase()
        let gateway = ScriptedGateway()
        var harness = try Harness(gateway: gateway, path: database.path)
        gateway.tick(harness.clock.now())
        let orders = (1...10).map(orderID)
        let cardOf = orders.map { _ in Self.cards.randomElement(using: &random) ?? "tok_visa" }

        for _ in 0..<120 {
            let index = Int.random(in: 0..<orders.count, using: &random)
            let order = orders[index]
            switch Int.random(in: 0..<12, using: &random) {
            case 0...2: try await harness.authorize(order, card: cardOf[index])
            case 3...4: if try await harness.phase(order) == "authorized" { try await harness.capture(order) }
            case 5: if Int.random(in: 0..<3, using: &random) == 0 { try await harness.cancel(order) }
            case 6: gateway.setDown(Bool.random(using: &random))
            case 7: gateway.setLosesAnswers(Bool.random(using: &random))
            case 8: try await callBack(harness, order)
            case 9 where Int.random(in: 0..<4, using: &random) == 0:
                await harness.store.close()
                harness = try Harness(gateway: gateway, path: database.path, clock: harness.clock.now())
                try await harness.runner.recover()
            default: break
            }
            try await harness.pass(
                .milliseconds(Int64.random(in: 100...3000, using: &random)),
                step: .milliseconds(700)
            )
            #expect(try await harness.violations() == [])
        }
        gateway.setDown(false)
        gateway.setLosesAnswers(false)
        for index in orders.indices {
            if try await harness.phase(orders[index]) == nil {
                try await harness.authorize(orders[index], card: cardOf[index])
            }
        }
        try await harness.pass(.seconds(300), step: .seconds(2))
        for order in orders {
            let phase = try await harness.phase(order)
            if phase == "authorized" || phase == "failed" { try await harness.cancel(order) }
        }
        try await harness.pass(.seconds(300), step: .seconds(2))

        #expect(try await harness.violations() == [])
        for order in orders {
            let phase = try #require(try await harness.phase(order))
            #expect(["captured", "declined", "cancelled"].contains(phase), "\(order) \(phase)")
            let net = gateway.captures(of: order.text) - gateway.refunds(of: order.text)
            #expect(net == (phase == "captured" ? 1 : 0), "\(order) \(phase)")
            #expect(gateway.count(.authorize, order.text) <= 1)
        }
        #expect(
            try await harness.integer("SELECT coalesce(sum(amount), 0) FROM ledger_entries WHERE account = 'suspense'")
                == 0
        )
        let clearing = try await harness.integer(
            "SELECT coalesce(sum(amount), 0) FROM ledger_entries WHERE account = 'card_clearing'"
        )
        let captured = orders.reduce(0) { $0 + gateway.captures(of: $1.text) - gateway.refunds(of: $1.text) }
        #expect(clearing == Int64(captured) * tenEuros.minorUnits)
        await harness.store.close()
    }

    /// Tells what the gateway did for an order, by callback.
    private func callBack(_ harness: Harness, _ order: OrderID) async throws {
        for kind in IntentKind.allCases {
            guard let (key, entry) = harness.gateway.entry(kind, order.text) else { continue }
            let document = GatewayDocument([
                "id": .string(entry.reference), "key": .string(key), "operation": .string(kind.rawValue),
                "result": .string(entry.isDone ? "succeeded" : "refused"), "reference": .string(order.text),
                "amount": .integer(tenEuros.minorUnits), "currency": "EUR", "reason": .string(entry.reason),
            ])
            guard let document else { continue }
            _ = try await harness.callbacks.take(document, webhookID: "cb_\(entry.reference)")
        }
    }
}

/// SplitMix64: the same seed, the same bits.
private struct Seeded: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}
