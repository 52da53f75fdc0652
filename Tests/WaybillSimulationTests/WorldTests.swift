import Messaging
import Testing
import WaybillSimulation

// That a seed does the same in every process is shown by scripts/e2e/simulation.sh: within a test process sets and dictionaries are
// walked in an order of their own.
@Suite("Simulation: the whole system from one seed")
struct WorldTests {
    @Test("without faults every order ends, and nothing is violated")
    func calmWorld() async throws {
        let report = try await SimulationReport.run(seed: 1, orders: 12, without: Set(FaultKind.allCases))
        #expect(report.violations.isEmpty)
        #expect(report.faults.isEmpty)
        #expect((report.situations[.completed] ?? 0) > 0)
        // O6 compares two readings and X9 counts kills; every other check has evidence, webhooks and dead letters included.
        #expect(report.unexamined == ["O6", "X9"])
    }

    @Test("faults strike and nothing is violated", arguments: [UInt64(3), 4, 8, 27])
    func hostileWorld(seed: UInt64) async throws {
        let report = try await SimulationReport.run(seed: seed, orders: 8)
        #expect(report.violations.isEmpty)
        #expect(!report.faults.isEmpty)
    }

    @Test(
        "a kind that alone is left is the only one that strikes",
        arguments: [FaultKind.publishRefused, .callbackLost, .answerLost]
    )
    func oneKind(kind: FaultKind) async throws {
        let others = Set(FaultKind.allCases).subtracting([kind])
        var struck: Set<FaultKind> = []
        for seed in UInt64(1)...12 {
            let report = try await SimulationReport.run(seed: seed, orders: 6, without: others)
            #expect(report.violations.isEmpty)
            struck.formUnion(report.faults.keys)
        }
        #expect(struck == [kind])
    }

    @Test("a campaign runs every seed once and knows which situations it missed")
    func campaignCountsItsSeeds() async throws {
        let summary = try await Campaign(seeds: 1...4, orders: 4, workers: 2).run()
        #expect(summary.seeds == 4 && summary.orders == 16)
        #expect(summary.hashes.count == 4)
        #expect(summary.failures.isEmpty)
        #expect(Set(summary.missed).isDisjoint(with: summary.situations.keys))
    }

    @Test("a guard that is off in one world is on in the world beside it", .enabled(if: Sabotage.isPossible))
    func sabotageStaysInItsWorld() async throws {
        async let spoilt = SimulationReport.run(seed: 1, orders: 6, sabotage: "status-without-event")
        async let sound = SimulationReport.run(seed: 1, orders: 6)
        #expect(try await spoilt.violations.first?.id == "X1")
        #expect(try await sound.violations.isEmpty)
    }
}
