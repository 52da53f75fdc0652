import Commerce
import KitTestSupport
import Messaging
import Testing

@testable import InventoryService

/// A generator whose run can be repeated (SplitMix64).
struct SplitMix64: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}

@Suite struct RandomRunTests {
    /// Anything in any order, repeated messages included: no piece is lost, made or promised twice.
    @Test(arguments: 1...12 as ClosedRange<UInt64>) func stockIsConserved(_ seed: UInt64) async throws {
        var random = SplitMix64(state: seed)
        let skus = ["MUG", "TEE", "CAP"]
        let world = try await InventoryWorld.stocked(skus.map { ($0, 12) })
        var old: [@Sendable () async throws -> Void] = []
        for step in 0..<250 {
            let order = try orderID(Int.random(in: 1...25, using: &random))
            let id = "message-\(step)"
            let action: @Sendable () async throws -> Void
            switch Int.random(in: 0..<100, using: &random) {
            case 0..<35:
                let chosen = skus.shuffled(using: &random).prefix(Int.random(in: 1...3, using: &random))
                let items = try chosen.map { try item($0, Int.random(in: 1...5, using: &random)) }
                let holding = Duration.seconds(Int.random(in: 1...120, using: &random))
                action = { try await world.reserve(order, items, holding: holding, messageID: id) }
            case 35..<60: action = { try await world.commit(order, messageID: id) }
            case 60..<75: action = { try await world.release(order, messageID: id) }
            case 75..<85:
                let pass = Duration.seconds(Int.random(in: 1...40, using: &random))
                action = { try await world.pass(pass) }
            case 85..<92:
                let sku = try some(skus.randomElement(using: &random))
                let onHand = Int.random(in: 0...20, using: &random)
                action = { try await world.setStock(sku, onHand) }
            default:
                // A message that was handled before is delivered again.
                action = old.randomElement(using: &random) ?? {}
            }
            try await action()
            if step % 5 == 0 { old.append(action) }
            if step % 50 == 49 {
                let violations = try await world.violations()
                #expect(violations.isEmpty, "seed \(seed), step \(step)")
            }
        }
        try await world.pass(.seconds(7200))
        #expect(try await world.count("SELECT count(*) FROM reservations WHERE status = 'held'") == 0)
        #expect(try await world.count("SELECT coalesce(sum(reserved), 0) FROM stock") == 0)
        #expect(
            try await world.count("SELECT count(DISTINCT to_status) FROM reservation_history") >= 4,
            "the run reached something"
        )
        #expect(try await world.count("SELECT count(*) FROM dead_letters") == 0)
        #expect(try await world.violations().isEmpty)
    }
}
