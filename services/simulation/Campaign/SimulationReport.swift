import CardGateway
import Messaging
import Simulation

/// What one seed came to.
public struct SimulationReport: Sendable {
    /// Something that must not be.
    public struct Violation: Sendable, Hashable {
        /// The invariant's id.
        public let id: String
        /// What was seen.
        public let what: String
    }

    /// The seed.
    public let seed: UInt64
    /// Orders that customers asked for.
    public let orders: Int
    /// What went wrong; empty when nothing did.
    public let violations: [Violation]
    /// The hash of everything that happened: the same for the same seed, in every process.
    public let traceHash: String
    /// Steps that were taken.
    public let steps: Int
    /// Faults that struck, by kind.
    public let faults: [FaultKind: Int]
    /// Kinds of faults in its plan, whether they struck or not.
    let planned: [FaultKind]
    /// Situations that came up, with how often.
    public let situations: [Situation: Int]
    /// Checks of `waybill verify` that had no evidence to look at when everything was at rest.
    public let unexamined: [String]
    /// Simulated milliseconds from the end of the faults to rest.
    public let healingMilliseconds: Int64
    /// The last lines of what happened; empty unless they were asked for.
    public let trace: [String]
}

extension SimulationReport {
    /// Runs one seed to its end.
    ///
    /// - Parameters:
    ///   - orders: how many orders are asked for.
    ///   - without: kinds of faults to leave out.
    ///   - limitedTo: the orders that are asked for; `nil` for all.
    ///   - keepsTrace: whether lines are kept, which costs time.
    ///   - sabotage: the guard that is switched off; has no effect in a release build.
    /// - Throws: ``SimulationFault`` when the world cannot be made.
    public static func run(
        seed: UInt64,
        orders: Int,
        without: Set<FaultKind> = [],
        limitedTo: Set<Int>? = nil,
        keepsTrace: Bool = false,
        sabotage: String? = nil
    ) async throws -> SimulationReport {
        let world = try World(
            seed: seed,
            orders: orders,
            without: without,
            limitedTo: limitedTo,
            keepsTrace: keepsTrace
        )
        return try await Sabotage.without(sabotage) { try await world.live() }
    }
}

extension World {
    /// The most simulated time that may pass between the last fault and rest.
    static let patience: Int64 = 30 * 60_000

    /// From the first step to the last.
    func live() async throws -> SimulationReport {
        let planned = phase
        phase = .healed
        for node in nodes { await start(node) }
        try await stockUp()
        try await subscribe()
        phase = planned
        let faultSteps = orderCount * random.within(15...40) + 100
        while steps < faultSteps, violations.isEmpty {
            if await !step() { break }
        }
        heal()
        for node in nodes where node.instance == nil { node.downUntil = time.now }
        verify(isQuiescent: false)
        let limit = steps + 400 * max(10, orderCount) + 4000
        var isAtRest = false
        while violations.isEmpty, !isAtRest {
            isAtRest = await !step()
            let waited = time.now.milliseconds(since: healedAt ?? time.now)
            if steps > limit || waited > Self.patience {
                violate("LV1", "no rest \(waited / 1000) s and \(steps) steps after the faults had ended: \(unrest())")
            }
        }
        let healing = time.now.milliseconds(since: healedAt ?? time.now)
        if violations.isEmpty { verify(isQuiescent: true) }
        recognizeSituations()
        return report(healing)
    }

    /// What keeps the world from resting, in words.
    private func unrest() -> String {
        var parts: [String] = []
        if let open = attempt({
            try node(.order).disk.rows(
                "SELECT id, status FROM orders WHERE status NOT IN ('completed', 'rejected', 'cancelled', 'needsOperator')"
            )
        }), let first = open.first {
            parts.append("\(open.count) open orders, \(first[0]) is \(first[1])")
        }
        if let open = attempt({
            try node(.payment).disk.rows(
                "SELECT order_id, kind, state FROM intents WHERE state IN ('prepared', 'calling', 'unknown')"
            )
        }), let first = open.first {
            parts.append("\(open.count) open intents, the \(first[1]) of \(first[0]) is \(first[2])")
        }
        if let open = attempt({
            try node(.notification).disk.rows(
                "SELECT id, state FROM webhook_deliveries WHERE state IN ('pending', 'sending', 'waiting')"
            )
        }), let first = open.first {
            parts.append("\(open.count) open webhooks, \(first[0]) is \(first[1])")
        }
        for node in nodes {
            if let count = attempt({
                try node.disk.number("SELECT count(*) FROM outbox WHERE published_at IS NULL AND parked_at IS NULL")
            }) ?? nil, count > 0 {
                parts.append("\(count) rows wait in the outbox of \(node.name)")
            }
        }
        for queue in broker.queueNames where broker.readyCount(queue) + broker.unacknowledgedCount(queue) > 0 {
            parts.append(
                "\(queue) holds \(broker.readyCount(queue)) and \(broker.unacknowledgedCount(queue)) with its consumer"
            )
        }
        return parts.isEmpty ? "only time passes" : parts.joined(separator: "; ")
    }

    private func report(_ healing: Int64) -> SimulationReport {
        for entry in gateway.book.entries {
            hash.add("\(entry.operation.rawValue) \(entry.result.rawValue) \(entry.reference)")
        }
        for row in attempt({ try node(.order).disk.rows("SELECT id, status, version FROM orders ORDER BY id") }) ?? [] {
            hash.add(row.joined(separator: " "))
        }
        return SimulationReport(
            seed: seed,
            orders: orderCount,
            violations: violations.map { .init(id: $0.id, what: $0.what) },
            traceHash: hash.text,
            steps: steps,
            faults: faults,
            planned: plan.kinds,
            situations: reached,
            unexamined: unexamined,
            healingMilliseconds: healing,
            trace: trace
        )
    }
}
