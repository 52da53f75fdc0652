import Testing

@testable import Chaos

/// The screen fits whatever terminal it is drawn on.
struct ScreenTests {
    private func record(
        _ number: Int,
        _ kind: FaultKind,
        recovery: Int64? = nil,
        isInjected: Bool = true
    ) -> FaultRecord {
        let fault = PlannedFault(number: number, kind: kind, target: "payment", at: 1000, lasts: 4000, seed: 1)
        let note =
            isInjected ? "payment→rabbitmq latency 120 ms, jitter 17 ms, and whatever else there is to say of it" : "no"
        var record = FaultRecord(fault: fault, isInjected: isInjected, note: note, injectedAt: 1000)
        record.recovery = recovery
        return record
    }

    private func screen(width: Int, height: Int, active: Int = 4, violated: [String] = []) -> [String] {
        let done = (1...40).map { record($0, .exhaustDescriptors, recovery: 1200, isInjected: $0 % 5 > 0) }
        let facts = Screen.Facts(
            seed: 123_456_789,
            phase: "healed; waiting until every order has ended",
            now: 3000,
            length: 180_000,
            planned: 88,
            done: done,
            active: (0..<active).map { record(41 + $0, .latency) },
            looks: 3,
            violated: violated,
            accepted: 12_345,
            refused: 0,
            unknown: 12,
            orders: ["completed": 10_000, "cancelled": 1200, "rejected": 900, "awaitingPayment": 41]
        )
        return Screen(facts, width: width, height: height).lines.map { $0.map(\.text).joined() }
    }

    @Test(
        "No line is wider than the terminal, and one row is left for the cursor",
        arguments: [(100, 30), (80, 24), (200, 60), (40, 12), (80, 5)]
    )
    func fits(width: Int, height: Int) {
        let lines = screen(width: width, height: height, active: 9)
        #expect(lines.allSatisfy { $0.count <= width }, "\(lines.filter { $0.count > width })")
        #expect(lines.count <= height - 1)
    }

    @Test("On a small terminal too it says what is on, how it stands and how the orders fare")
    func says() {
        let lines = screen(width: 80, height: 24)
        #expect(lines.count == 23)
        #expect(lines.contains { $0.contains("#44") && $0.contains("latency") && $0.hasSuffix("heals in 2.0 s") })
        #expect(lines.contains { $0.contains("12345 accepted") })
        #expect(lines.contains { $0.contains("41 open, 10000 completed, 1200 cancelled, 900 rejected") })
        #expect(lines.contains { $0.contains("#39") && $0.hasSuffix("ready after 1.2 s") })
        #expect(lines.contains { $0.contains("#40") && $0.contains("not done: no") })
        #expect(lines.contains { $0.hasSuffix("3 looks, no violation") })
        #expect(screen(width: 80, height: 24, violated: ["M1", "S2"]).contains { $0.hasSuffix("violated: M1 S2") })
    }
}
