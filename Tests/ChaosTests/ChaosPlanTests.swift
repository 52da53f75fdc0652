import Testing

@testable import Chaos

/// The plan of a chaos run: pure, seeded, complete.
struct ChaosPlanTests {
    static let targets = ChaosTargets(
        services: Installation.services,
        inboxes: ["order.inbox", "payment.inbox", "inventory.inbox"],
        topics: ["orders", "payments", "inventory"],
        links: Routes.all.map(\.name),
        disks: Installation.services + ["gateway", "event-log"]
    )

    static func plan(_ seed: UInt64, minutes: Int64 = 12) -> ChaosPlan {
        ChaosPlan(seed: seed, milliseconds: minutes * 60_000, targets: targets)
    }

    @Test("The same seed gives the same plan, another seed another one")
    func seeded() {
        #expect(Self.plan(7) == Self.plan(7))
        #expect(Self.plan(7).faults != Self.plan(8).faults)
    }

    @Test("Twelve minutes hold 400 faults of every kind, fifteen blows at RabbitMQ among them", arguments: 1...20)
    func isDense(seed: UInt64) {
        let faults = Self.plan(seed).faults
        #expect(faults.count >= 400)
        #expect(Set(faults.map(\.kind)) == Set(FaultKind.allCases))
        let broker: Set<FaultKind> = [.killRabbitMQ, .restartRabbitMQ, .freezeRabbitMQ]
        #expect(faults.count { broker.contains($0.kind) } >= 15)
    }

    @Test("Three minutes hold 60 faults of 25 kinds", arguments: 1...20)
    func shortIsDense(seed: UInt64) {
        let faults = Self.plan(seed, minutes: 3).faults
        #expect(faults.count >= 75)
        #expect(Set(faults.map(\.kind)).count >= 25)
    }

    @Test(
        "Two faults with a claim in common are never on at once, and one has settled before the next begins",
        arguments: 1...20
    )
    func keepsApart(seed: UInt64) {
        let faults = Self.plan(seed).faults
        var busy: [String: Int64] = [:]
        for fault in faults {
            for claim in Self.targets.claims(fault.kind, fault.target) {
                #expect(busy[claim, default: 0] <= fault.at)
                busy[claim] = fault.healedAt + fault.kind.settles
            }
        }
    }

    @Test("All is healed when the run is over, and no more is on at once than allowed", arguments: 1...20)
    func ends(seed: UInt64) {
        let plan = Self.plan(seed, minutes: 3)
        #expect(plan.lastHeal <= plan.length)
        for fault in plan.faults {
            #expect(plan.faults.count { $0.at <= fault.at && $0.healedAt > fault.at } <= ChaosPlan.Density().atOnce)
            #expect(fault.kind.lasts.contains(fault.lasts))
        }
        #expect(plan.faults.map(\.number) == Array(1...plan.faults.count))
    }

    @Test("Each disk is filled by the kind that is meant for it, and never beside another blow at its owner")
    func disks() {
        #expect(Self.targets.names(for: .fillDisk) == Installation.services)
        #expect(Self.targets.names(for: .fillGatewayDisk) == ["gateway"])
        #expect(Self.targets.names(for: .fillEventLogDisk) == ["event-log"])
        #expect(Self.targets.claims(.fillGatewayDisk, "gateway") == Self.targets.claims(.killGateway, "gateway"))
        #expect(Self.targets.claims(.fillEventLogDisk, "event-log") == Self.targets.claims(.killEventLog, "event-log"))
    }

    @Test("What cannot be done here is not planned")
    func withoutDisks() {
        var targets = Self.targets
        targets.disks = []
        let plan = ChaosPlan(seed: 1, milliseconds: 12 * 60_000, targets: targets)
        let fills: Set<FaultKind> = [.fillDisk, .fillGatewayDisk, .fillEventLogDisk]
        #expect(!plan.faults.contains { fills.contains($0.kind) })
        #expect(plan.faults.count >= 400)
    }
}
