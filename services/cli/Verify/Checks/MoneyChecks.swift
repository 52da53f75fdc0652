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
        var violations = Set(net.keys).union(owed.keys).compactMap { order -> String? in
            let taken = net[order] ?? 0
            let due = owed[order] ?? 0
            return taken == due ? nil : "order \(order): \(taken) taken in all, \(due) due"
        }
        let currencies = Dictionary(orders.orders.map { ($0.id, $0.currency) }) { first, _ in first }
        for operation in gateway where operation.result == "succeeded" {
            guard let currency = currencies[operation.reference], currency != operation.currency else { continue }
            violations.append(
                "order \(operation.reference) is in \(currency), ledger line \(operation.sequence) in \(operation.currency)"
            )
        }
        return .of(
            counted(orders.orders.count, "order") + ", " + counted(gateway.count, "ledger line"),
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
