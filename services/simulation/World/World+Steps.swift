import CardGateway
import DurableStore
import Messaging
import PaymentService
import Simulation
import Webhooks

/// What can happen next.
enum Step {
    case request
    case deliver(Node)
    case drain(Node)
    case flush(Node, Transport)
    case read(Node, Int)
    case timers(Node)
    case callback
    case land
    case restart(Node)
    case takeover(Node)
}

extension World {
    /// Lets one thing happen, or lets time pass until something can.
    ///
    /// - Returns: `false` when nothing is left to do and no time would change that.
    func step() async -> Bool {
        steps += 1
        time.advance(byMilliseconds: Int64(random.within(1...10)))
        endOutages()
        broker.release(at: time.now)
        if phase == .faults { await mishaps() }
        if await act() { return true }
        if phase == .healed || customers.areServed(limitedTo), isQuiet() { return false }
        guard let next = nextMoment() else { return false }
        time.advance(to: next)
        return true
    }

    /// Steps while something is being called.
    func overlap(_ count: Int) async {
        guard !isOverlapping else { return }
        isOverlapping = true
        for _ in 0..<count {
            time.advance(byMilliseconds: Int64(random.within(1...10)))
            broker.release(at: time.now)
            guard await act() else { break }
        }
        isOverlapping = false
    }

    /// Picks one of the steps that are possible now and runs it.
    private func act() async -> Bool {
        let possible = possibleSteps()
        guard let step = random.pick(possible) else { return false }
        switch step {
        case .request: await request()
        case .deliver(let node): await deliver(node)
        case .drain(let node): await drain(node)
        case .flush(let node, let transport): await flush(node, transport)
        case .read(let node, let index): await read(node, index)
        case .timers(let node): await fireTimers(node)
        case .callback: await sendCallback()
        case .land: land()
        case .restart(let node):
            reach(.takeoverAfterKill)
            await start(node)
        case .takeover(let node):
            // The supervisor kills what does not answer; the lock dies with the process and the standby takes it.
            kill(node)
            await clearAway(node)
            reach(.takeoverAfterFreeze)
            await start(node)
        }
        for node in nodes { await clearAway(node) }
        return true
    }

    private func possibleSteps() -> [Step] {
        let now = time.now
        var steps: [Step] = []
        if customers.isDue(at: now, limitedTo), node(.order).isRunning { steps.append(.request) }
        for node in nodes {
            if let until = node.frozenUntil, until <= now { steps.append(.takeover(node)) }
            if node.instance == nil, let until = node.downUntil, until <= now { steps.append(.restart(node)) }
            guard node.isRunning, let instance = node.instance else { continue }
            if let inbox = instance.inbox, brokerAwayUntil == nil {
                if broker.readyCount(inbox) + instance.prefetched.count > 0 { steps.append(.deliver(node)) }
                if broker.readyCount(inbox + ".dead") > 0 { steps.append(.drain(node)) }
            }
            for transport in Transport.allCases where instance.relays[transport] != nil {
                if node.mayHaveRows[transport] == true, (node.sendNotBefore[transport] ?? now) <= now {
                    steps.append(.flush(node, transport))
                }
            }
            if logAwayUntil == nil {
                for (index, reader) in instance.readers.enumerated()
                where reader.positions.contains(where: { $0.next < log.end(of: $0.lane) }) {
                    steps.append(.read(node, index))
                }
            }
            if !(isOverlapping && (node.name == .payment || node.name == .notification)), let due = timer(of: node),
                due <= now
            {
                steps.append(.timers(node))
            }
        }
        if gateway.nextCallback.map({ $0 <= now }) == true { steps.append(.callback) }
        if gateway.nextLanding.map({ $0 <= now }) == true { steps.append(.land) }
        return steps
    }

    /// When something becomes possible that is not possible now.
    private func nextMoment() -> Timestamp? {
        var moments: [Timestamp?] = [
            broker.nextRelease, brokerAwayUntil, logAwayUntil, gatewayAwayUntil, gateway.nextCallback,
            gateway.nextLanding,
            customers.nextMoment(limitedTo),
        ]
        for until in deletedQueues.values { moments.append(until) }
        for until in blockedUntil.values { moments.append(until) }
        for node in nodes {
            moments.append(node.downUntil)
            moments.append(node.frozenUntil)
            guard node.isRunning else { continue }
            for transport in Transport.allCases where node.mayHaveRows[transport] == true {
                moments.append(node.sendNotBefore[transport])
            }
            moments.append(timer(of: node))
        }
        let now = time.now
        return moments.compactMap { $0 }.map { max($0, now.advanced(byMilliseconds: 1)) }.min()
    }

    /// When the node's next timer is due by the world's time.
    private func timer(of node: Node) -> Timestamp? {
        if node.hasFreshRows {
            node.hasFreshRows = false
            let sql =
                switch node.name {
                case .inventory: "SELECT min(retry_at) FROM deadlines"
                case .order:
                    """
                    SELECT min(due) FROM (SELECT min(retry_at) AS due FROM deadlines
                        UNION ALL SELECT min(next_attempt_at) FROM parked_records)
                    """
                case .payment: "SELECT min(due_at) FROM intents"
                case .notification:
                    """
                    SELECT min(due) FROM (
                        SELECT max(d.next, coalesce(e.hold_until, 0), coalesce(e.breaker_until, 0)) AS due
                        FROM webhook_endpoints e JOIN (
                            SELECT endpoint_id, min(next_attempt_at) AS next FROM webhook_deliveries
                            WHERE state = 'pending' GROUP BY endpoint_id) d ON d.endpoint_id = e.id
                        WHERE e.state = 'enabled'
                        UNION ALL SELECT min(next_attempt_at) FROM parked_records)
                    """
                case .analytics: "SELECT min(next_attempt_at) FROM parked_records"
                }
            let due = attempt { try node.disk.number(sql) } ?? nil
            node.nextTimer = due.map(Timestamp.init(millisecondsSinceEpoch:))
        }
        guard let due = node.nextTimer?.advanced(byMilliseconds: -node.clock.skewMilliseconds) else { return nil }
        return max(due, node.timersNotBefore ?? due)
    }

    private func fireTimers(_ node: Node) async {
        guard let instance = node.instance else { return }
        note("timers of \(node.name)")
        arm(node)
        node.timersNotBefore = time.now.advanced(byMilliseconds: Int64(random.within(1...100)))
        node.hasFreshRows = true
        do {
            if let deadlines = instance.deadlines { try await deadlines.fireDue() }
            if let intents = instance.intents { try await intents.performDue() }
            if let webhooks = instance.webhooks { try await webhooks.performDue() }
            for reader in instance.readers {
                while try await reader.parked.retryNext() {}
            }
        } catch {
            storeFailed(node, error)
        }
        if let gate = instance.gate, gate.level > 0 { reach(.breakerOpened) }
        node.armed = nil
    }

    /// Lays out at which step of the next commit a node dies or finds no room, if at all: the last one that strikes.
    func arm(_ node: Node) {
        if strikes(.crashBeforeBegin) { node.armed = (.crashBeforeBegin, .beforeBegin, .simulatedDeath) }
        if strikes(.crashAfterUnit) { node.armed = (.crashAfterUnit, .afterUnit, .simulatedDeath) }
        if strikes(.crashBeforeCommit) { node.armed = (.crashBeforeCommit, .beforeCommit, .simulatedDeath) }
        if strikes(.crashAfterCommit) { node.armed = (.crashAfterCommit, .afterCommit, .simulatedDeath) }
        if strikes(.diskFull) { node.armed = (.diskFull, .beforeCommit, .simulatedFullDisk) }
    }

    /// What a service does about an error of its store: nothing if the disk was full, its end otherwise.
    func storeFailed(_ node: Node, _ error: any Error) {
        let failure = Failure(classifyingStoreError: error)
        note("\(node.name): \(failure.code)")
        switch failure.failureClass {
        case .fatal:
            // Of a process that was replaced meanwhile nothing more is said.
            if node.instance?.store.failure != nil { node.isDead = true }
            if failure.code != Failure.simulatedDeath.code {
                violate("SIM", "\(node.name) stopped: \(failure.code): \(failure.description)")
            }
        case .retryable, .interrupted: break
        case .permanent, .poison: violate("SIM", "\(node.name) threw \(failure.code): \(failure.description)")
        }
    }

    /// The value of something that must not fail; a failure is a violation.
    func attempt<T>(_ body: () throws -> T) -> T? {
        do {
            return try body()
        } catch {
            violate("SIM", "reading failed: \(error)")
            return nil
        }
    }

    /// Whether nothing is left to do but to wait for what may never come.
    func isQuiet() -> Bool {
        guard nodes.allSatisfy({ $0.isRunning }), broker.isEmpty, gateway.nextLanding == nil,
            gateway.nextCallback == nil, customers.areServed(limitedTo)
        else { return false }
        let counts: [(ServiceName, String)] = [
            (
                .order,
                "SELECT count(*) FROM orders WHERE status NOT IN ('completed', 'rejected', 'cancelled', 'needsOperator')"
            ),
            (.payment, "SELECT count(*) FROM intents WHERE state IN ('prepared', 'calling', 'unknown')"),
            (
                .notification,
                """
                SELECT count(*) FROM webhook_deliveries d JOIN webhook_endpoints e ON e.id = d.endpoint_id
                WHERE e.state = 'enabled' AND d.state IN ('pending', 'sending', 'waiting')
                """
            ),
        ]
        for name in [ServiceName.order, .notification, .analytics] {
            if attempt({ try node(name).disk.number("SELECT count(*) FROM parked_records") }).flatMap({ $0 }) != 0 {
                return false
            }
        }
        for (name, sql) in counts {
            if attempt({ try node(name).disk.number(sql) }).flatMap({ $0 }) != 0 { return false }
        }
        for name in [ServiceName.order, .payment, .inventory] {
            let waiting = attempt {
                try node(name).disk.number(
                    "SELECT count(*) FROM outbox WHERE published_at IS NULL AND parked_at IS NULL"
                )
            }
            if waiting.flatMap({ $0 }) != 0 { return false }
        }
        return !hasUnseenCharges()
    }

    /// Whether the gateway did something that payment gave up and has not found yet: it looks again within a minute.
    private func hasUnseenCharges() -> Bool {
        let rows = attempt { try node(.payment).disk.rows("SELECT key FROM intents WHERE state = 'abandoned'") } ?? []
        return rows.contains { row in row.first.flatMap { gateway.book.entry(forKey: $0) } != nil }
    }
}
