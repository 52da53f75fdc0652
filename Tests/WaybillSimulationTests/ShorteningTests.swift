import Messaging
import Testing
import WaybillSimulation

// A run that fails has to be made to fail: a guard is switched off, which only debug builds can.
@Suite("Simulation: a failing seed is made smaller", .enabled(if: Sabotage.isPossible))
struct ShorteningTests {
    @Test("every fault and every order that is not needed is left out, and the rest fails in the same way")
    func keepsWhatIsNeeded() async throws {
        // Whatever the seed, one order is enough to miss an event, and no fault is needed for it.
        let failed = try await SimulationReport.run(seed: 3, orders: 6, sabotage: "status-without-event")
        let id = try #require(failed.violations.first?.id)
        let short = try #require(try await Shortening(failed, sabotage: "status-without-event"))
        #expect(short.limitedTo.count == 1)
        #expect(short.report.faults.isEmpty)
        #expect(short.report.violations.contains { $0.id == id })
        #expect(!short.report.trace.isEmpty)
    }

    @Test("what it says to run again is the run that it found")
    func repeats() async throws {
        let failed = try await SimulationReport.run(seed: 4, orders: 5, sabotage: "status-without-event")
        let short = try #require(try await Shortening(failed, sabotage: "status-without-event"))
        let again = try await SimulationReport.run(
            seed: short.report.seed,
            orders: short.report.orders,
            without: short.without,
            limitedTo: short.limitedTo,
            sabotage: "status-without-event"
        )
        // Not the trace hash: in a test process sets and dictionaries are walked in another order each time.
        #expect(again.violations.first?.id == failed.violations.first?.id)
        #expect(short.arguments.hasPrefix("--seed 4 --orders 5"))
        #expect(short.arguments.hasSuffix("--sabotage status-without-event"))
        for kind in short.without { #expect(short.arguments.contains(kind.rawValue)) }
    }

    @Test("a run that did not fail cannot be shortened")
    func nothingToShorten() async throws {
        let calm = try await SimulationReport.run(seed: 1, orders: 3, without: Set(FaultKind.allCases))
        #expect(try await Shortening(calm) == nil)
    }
}
