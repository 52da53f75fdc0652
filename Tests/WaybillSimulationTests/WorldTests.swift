import Messaging
import Testing
import WaybillSimulation

// One after the other: a guard that is switched off is off for the whole process.
@Suite("Simulation: the whole system from one seed", .serialized)
struct WorldTests {
    @Test("without faults every order ends, and nothing is violated")
    func calmWorld() async throws {
        let report = try await SimulationReport.run(seed: 1, orders: 12, without: Set(FaultKind.allCases))
        #expect(report.violations.isEmpty)
        #expect(report.faults.isEmpty)
        #expect((report.situations[.completed] ?? 0) > 0)
    }

    @Test("the same seed does the same things in the same order")
    func sameSeedSameTrace() async throws {
        let first = try await SimulationReport.run(seed: 4, orders: 8)
        let second = try await SimulationReport.run(seed: 4, orders: 8, keepsTrace: true)
        let other = try await SimulationReport.run(seed: 5, orders: 8)
        #expect(first.traceHash == second.traceHash)
        #expect(first.steps == second.steps)
        #expect(first.traceHash != other.traceHash)
        #expect(!second.trace.isEmpty && first.trace.isEmpty)
    }

    @Test("faults strike and nothing is violated", arguments: [UInt64(3), 4, 8, 27])
    func hostileWorld(seed: UInt64) async throws {
        let report = try await SimulationReport.run(seed: seed, orders: 8)
        #expect(report.violations.isEmpty)
        #expect(!report.faults.isEmpty)
    }

    @Test("a campaign runs every seed once and knows which situations it missed")
    func campaignCountsItsSeeds() async throws {
        let summary = try await Campaign(seeds: 1...4, orders: 4, workers: 2).run()
        #expect(summary.seeds == 4 && summary.orders == 16)
        #expect(summary.hashes.count == 4)
        #expect(summary.failures.isEmpty)
        #expect(Set(summary.missed).isDisjoint(with: summary.situations.keys))
    }

    #if DEBUG
    @Test("a relay that marks before it publishes is caught, and the failing run gets smaller")
    func markBeforePublish() async throws {
        Sabotage.active = "mark-before-publish"
        defer { Sabotage.active = nil }
        let summary = try await Campaign(seeds: 1...20, orders: 8, workers: 1, maximumFailures: 1).run()
        let failed = try #require(summary.failures.first)
        let short = try #require(try await Shortening(failed, attempts: 30))
        #expect(short.report.violations.contains { $0.id == failed.violations.first?.id })
        #expect(short.limitedTo.count <= failed.orders)
        #expect(short.arguments.hasPrefix("--seed \(failed.seed) --orders 8"))
    }
    #endif
}
