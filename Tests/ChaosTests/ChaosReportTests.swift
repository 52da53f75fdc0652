import Testing

@testable import Chaos

/// What a run comes to.
struct ChaosReportTests {
    private let plan = ChaosPlan(seed: 5, milliseconds: 60_000, targets: ChaosPlanTests.targets)

    private func record(_ kind: FaultKind, at: Int64, recovery: Int64?, isInjected: Bool = true) -> FaultRecord {
        let fault = PlannedFault(number: 1, kind: kind, target: "order", at: at, lasts: 0, seed: 1)
        var record = FaultRecord(fault: fault, isInjected: isInjected, note: "", injectedAt: at)
        record.recovery = recovery
        return record
    }

    private func check(at: Int64, isFinal: Bool = false, violated: [String: String] = [:]) -> CheckRecord {
        CheckRecord(at: at, isFinal: isFinal, examined: ["A1", "O1"], violated: violated)
    }

    private var calm: ChaosReport.Orders {
        var orders = ChaosReport.Orders()
        orders.convergence = 4000
        orders.accepted = 1
        return orders
    }

    @Test("Kinds are counted, what was not possible apart, with recoveries in between")
    func rows() throws {
        let report = ChaosReport(
            plan: plan,
            records: [
                record(.killActive, at: 10, recovery: 300), record(.killActive, at: 20, recovery: 100),
                record(.killActive, at: 30, recovery: 200),
                record(.killActive, at: 40, recovery: nil, isInjected: false),
                record(.latency, at: 50, recovery: nil),
            ],
            checks: [check(at: 15), check(at: 45), check(at: 60, isFinal: true)],
            orders: calm
        )
        #expect(report.isClean && report.faults == 4 && report.kinds == 2)
        let kill = try #require(report.rows.first { $0.kind == .killActive })
        #expect(kill.times == 3 && kill.skipped == 1 && kill.invariants == 6)
        #expect(kill.medianRecovery == 200 && kill.longestRecovery == 300 && kill.unrecovered == 0)
        let latency = try #require(report.rows.first { $0.kind == .latency })
        #expect(latency.invariants == 2 && latency.unrecovered == 1)
    }

    @Test(
        "A violated invariant, a violation seen by the injector, open orders and a missing verdict each make a run unclean"
    )
    func violations() {
        let final = check(at: 60, isFinal: true)
        func report(_ records: [FaultRecord], _ checks: [CheckRecord], _ orders: ChaosReport.Orders) -> ChaosReport {
            ChaosReport(plan: plan, records: records, checks: checks, orders: orders)
        }
        #expect(report([], [final], calm).isClean)
        #expect(
            report([], [check(at: 60, isFinal: true, violated: ["M1": "charged twice"])], calm).violations == [
                "M1: charged twice"
            ]
        )
        var forged = record(.forgedCallbacks, at: 1, recovery: 1)
        forged.violation = "taken"
        #expect(report([forged], [final], calm).violations == ["fault 1: taken"])
        #expect(report([], [final], ChaosReport.Orders()).violations.count == 1)
        #expect(report([], [check(at: 60)], calm).violations.count == 1)
    }

    /// The regression: `waybill load` had not come about, no order was placed, and the run was clean.
    @Test("A run without its load or without an order is not carried out, unless something is violated")
    func notCarriedOut() {
        let final = check(at: 60, isFinal: true)
        var unloaded = calm
        unloaded.loadFailure = LoadDriver.sentence(forCode: 2)
        var empty = calm
        empty.accepted = 0
        for orders in [unloaded, empty] {
            let report = ChaosReport(plan: plan, records: [], checks: [final], orders: orders)
            #expect(report.violations.isEmpty && report.failures.count == 1)
            #expect(!report.isClean && report.exitCode == 2)
            #expect(report.markdown.contains("could not be carried out") && !report.markdown.contains("No violation"))
            #expect(ChaosReport(plan: plan, records: [], checks: [], orders: orders).exitCode == 1)
        }
        #expect(ChaosReport(plan: plan, records: [], checks: [final], orders: calm).exitCode == 0)
    }

    @Test("The load may leave orders open; anything worse is a failure, also that it could not be started")
    func loadCodes() {
        #expect(LoadDriver.sentence(forCode: 0) == nil && LoadDriver.sentence(forCode: 1) == nil)
        #expect(LoadDriver.sentence(forCode: 2) == "waybill load ended with code 2; see history/main.log")
        #expect(LoadDriver.sentence(forCode: 137) != nil)
    }

    @Test("A fault whose heal found no effect is not counted, and one that is known at its end is told as it was")
    func outcomes() {
        func healed(_ outcome: FaultOutcome) -> FaultRecord {
            var record = self.record(.staleMessages, at: 10, recovery: nil)
            record.note = "order.inbox"
            record.heal(outcome, at: 30)
            return record
        }
        let records = [healed(.asNoted), healed(.done("7 messages")), healed(.nothing("0 messages"))]
        #expect(records.map(\.isInjected) == [true, true, false])
        #expect(records.map(\.note) == ["order.inbox", "7 messages", "0 messages"])
        #expect(records.allSatisfy { $0.healedAt == 30 })
        let report = ChaosReport(plan: plan, records: records, checks: [], orders: calm)
        #expect(report.rows.map(\.times) == [2] && report.rows.map(\.skipped) == [1])
    }

    @Test("What the last look could not examine is said with its reason, and is no violation")
    func unexamined() {
        var final = check(at: 60, isFinal: true)
        final.unexamined = ["X9": "nobody counted", "O6": "one reading only"]
        var live = check(at: 30)
        live.unexamined = ["D1": "not at rest"]
        let report = ChaosReport(plan: plan, records: [], checks: [live, final], orders: calm)
        #expect(report.unexamined == ["O6: one reading only", "X9: nobody counted"])
        #expect(report.isClean && report.markdown.contains("\n- X9: nobody counted"))
    }

    @Test("A violation that several looks find is told once, and counts against what happened before it")
    func once() throws {
        let report = ChaosReport(
            plan: plan,
            records: [record(.killActive, at: 10, recovery: 1), record(.latency, at: 50, recovery: 1)],
            checks: [
                check(at: 20, violated: ["S1": "oversold"]), check(at: 40, violated: ["S1": "oversold"]),
                check(at: 60, isFinal: true),
            ],
            orders: calm
        )
        #expect(report.violations == ["S1: oversold"])
        #expect(report.rows.map(\.violations) == [1, 0])
    }
}
