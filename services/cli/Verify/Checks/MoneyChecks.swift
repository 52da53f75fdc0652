import Commerce
import PaymentCore

/// M: what the gateway's own ledger says about money. It belongs to another process and survives every kill.
let moneyChecks = [
    Check("M1", "at most one charge per order at the gateway", .always) { evidence in
        guard let gateway = evidence.gateway else { return .notExamined("the gateway's ledger was not read") }
        var charges: [String: [GatewayOperation]] = [:]
        var keys: [String: Int] = [:]
        for operation in gateway where operation.result == "succeeded" {
            keys[operation.key, default: 0] += 1
            if operation.operation == "capture" { charges[operation.reference, default: []].append(operation) }
        }
        var violations = charges.filter { $0.value.count > 1 }.map { order, captures in
            "order \(order) was charged \(captures.count) times: ledger lines "
                + captures.map { String($0.sequence) }.joined(separator: ", ")
        }
        violations += keys.filter { $0.value > 1 }.map { "the key \($0.key) succeeded \($0.value) times" }
        return .of(
            counted(gateway.count, "ledger line") + ", " + counted(charges.count, "charged order"),
            violations: violations
        )
    },
    Check("M2", "taken minus given back is the total of completed orders", .quiescent) { evidence in
        guard let gateway = evidence.gateway else { return .notExamined("the gateway's ledger was not read") }
        guard let orders = evidence.orders else { return .notExamined("the order database was not read") }
        let net = netByReference(gateway)
        var owed: [String: Int64] = [:]
        for order in orders.orders { owed[order.id] = order.status == "completed" ? order.total : 0 }
        let violations = Set(net.keys).union(owed.keys).compactMap { order -> String? in
            let taken = net[order] ?? 0
            let due = owed[order] ?? 0
            return taken == due ? nil : "order \(order): \(taken) taken in all, \(due) due"
        }
        return .of(
            counted(orders.orders.count, "order") + ", " + counted(gateway.count, "ledger line"),
            violations: violations
        )
    },
    Check("M3", "payment and gateway agree about every call", .quiescent) { evidence in
        guard let gateway = evidence.gateway else { return .notExamined("the gateway's ledger was not read") }
        guard let intents = evidence.payments?.intents else { return .notExamined("payment's intents were not read") }
        let lines = Dictionary(gateway.map { ($0.key, $0) }) { $0.result == "succeeded" ? $0 : $1 }
        var violations: [String] = []
        for intent in intents {
            let line = lines[intent.key]
            let what = "\(intent.kind) for order \(intent.order)"
            if let line, line.operation != intent.kind || line.reference != intent.order && !line.reference.isEmpty {
                violations.append("\(what): ledger line \(line.sequence) is \(line.operation) for \(line.reference)")
            }
            switch (IntentState(rawValue: intent.state), line?.result == "succeeded") {
            case (.prepared, _), (.calling, _), (.unknown, _):
                violations.append("\(what) is still \(intent.state)")
            case (.succeeded, false):
                violations.append("\(what) succeeded, says payment; the gateway has no such line")
            case (.refused, true), (.abandoned, true), (.withdrawn, true):
                violations.append("\(what) is \(intent.state), says payment; the gateway did it")
            case (.succeeded, true), (.refused, false), (.abandoned, false), (.withdrawn, false): break
            case (nil, _): violations.append("\(what) is \(intent.state), which nobody knows")
            }
        }
        return .of(
            counted(intents.count, "intent") + ", " + counted(gateway.count, "ledger line"),
            violations: violations
        )
    },
    Check("M4", "what was taken of an order that did not complete went back once, whole", .quiescent) { evidence in
        guard let gateway = evidence.gateway else { return .notExamined("the gateway's ledger was not read") }
        guard let orders = evidence.orders else { return .notExamined("the order database was not read") }
        let statuses = orders.statuses
        var taken: [String: Int64] = [:]
        var back: [String: [Int64]] = [:]
        for operation in gateway where operation.result == "succeeded" {
            switch operation.operation {
            case "capture": taken[operation.reference, default: 0] &+= operation.amount
            case "refund": back[operation.reference, default: []].append(operation.amount)
            default: break
            }
        }
        var violations: [String] = []
        for order in Set(taken.keys).union(back.keys) {
            let refunds = back[order] ?? []
            let status = statuses[order] ?? "missing"
            let wanted = status == "completed" ? [] : taken[order].map { [$0] } ?? []
            guard refunds != wanted else { continue }
            violations.append(
                "order \(order) is \(status): \(taken[order] ?? 0) taken, "
                    + (refunds.isEmpty
                        ? "nothing given back" : "given back \(refunds.map(String.init).joined(separator: " + "))")
            )
        }
        return .of(
            counted(taken.count, "charged order") + ", " + counted(back.count, "refunded order"),
            violations: violations
        )
    },
    Check("M5", "never more given back than taken", .always) { evidence in
        guard let gateway = evidence.gateway else { return .notExamined("the gateway's ledger was not read") }
        var taken: [String: Int64] = [:]
        var violations: [String] = []
        for operation in gateway where operation.result == "succeeded" {
            switch operation.operation {
            case "capture":
                taken[operation.reference, default: 0] &+= operation.amount
            case "refund":
                taken[operation.reference, default: 0] &-= operation.amount
                if let rest = taken[operation.reference], rest < 0 {
                    violations.append(
                        "order \(operation.reference): ledger line \(operation.sequence) gives back \(-rest) too much"
                    )
                }
            default:
                break
            }
        }
        return .of(counted(gateway.count, "ledger line"), violations: violations)
    },
    Check("M6", "the gateway moves what the order costs, in its currency", .always) { evidence in
        guard let gateway = evidence.gateway else { return .notExamined("the gateway's ledger was not read") }
        guard let orders = evidence.orders else { return .notExamined("the order database was not read") }
        let known = Dictionary(orders.orders.map { ($0.id, $0) }) { first, _ in first }
        let violations = gateway.filter { $0.result != "refused" }.compactMap { line -> String? in
            guard let order = known[line.reference] else {
                return "ledger line \(line.sequence): there is no order \(line.reference)"
            }
            guard order.total != line.amount || order.currency != line.currency else { return nil }
            return "order \(order.id) costs \(order.total) \(order.currency), ledger line \(line.sequence) is "
                + "\(line.amount) \(line.currency)"
        }
        return .of(
            counted(gateway.count, "ledger line") + ", " + counted(orders.orders.count, "order"),
            violations: violations
        )
    },
    Check("M7", "every key at the gateway was written down before the call", .always) { evidence in
        guard let gateway = evidence.gateway else { return .notExamined("the gateway's ledger was not read") }
        guard let payments = evidence.payments else { return .notExamined("the payment database was not read") }
        let violations = gateway.filter { !payments.intentKeys.contains($0.key) }.map {
            "ledger line \($0.sequence) (\($0.operation) for \($0.reference)) has the key \($0.key), which no intent has"
        }
        return .of(
            counted(gateway.count, "ledger line") + ", " + counted(payments.intentKeys.count, "intent"),
            violations: violations
        )
    },
    Check("M8", "the history of a payment is a path of its milestones", .always) { evidence in
        guard let payments = evidence.payments else { return .notExamined("the payment database was not read") }
        let violations = pathViolations("payment of order", payments.history) { from, to in
            guard let to = PaymentEvent.Kind(rawValue: to) else { return false }
            guard let from else { return PaymentMilestones.permits(to, after: nil) }
            guard let from = PaymentEvent.Kind(rawValue: from) else { return false }
            return PaymentMilestones.permits(to, after: from)
        }
        return .of(
            counted(payments.states.count, "payment") + ", " + counted(payments.history.count, "change"),
            violations: violations
        )
    },
]

/// Captured minus refunded, by the caller's reference.
func netByReference(_ gateway: [GatewayOperation]) -> [String: Int64] {
    var net: [String: Int64] = [:]
    for operation in gateway where operation.result == "succeeded" {
        switch operation.operation {
        case "capture": net[operation.reference, default: 0] &+= operation.amount
        case "refund": net[operation.reference, default: 0] &-= operation.amount
        default: break
        }
    }
    return net
}
