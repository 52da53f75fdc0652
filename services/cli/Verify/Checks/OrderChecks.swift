import Commerce
import OrderCore

/// O: each order's life is a path of the machine, and its end is true in stock and money.
let orderChecks = [
    Check("O1", "the history of an order is a path of its machine", .always) { evidence in
        guard let orders = evidence.orders else { return .notExamined("the order database was not read") }
        var violations = pathViolations("order", orders.history) { from, to in
            guard let to = OrderStatus(rawValue: to) else { return false }
            guard let from else { return OrderStatus.isAllowed(from: nil, to: to) }
            guard let from = OrderStatus(rawValue: from) else { return false }
            return OrderStatus.isAllowed(from: from, to: to)
        }
        var last = lastRows(orders.history)
        for order in orders.orders {
            let row = last.removeValue(forKey: order.id)
            if row?.to != order.status || row?.version != order.version {
                violations.append(
                    "order \(order.id) is \(order.status) v\(order.version), its history ends with "
                        + "\(row?.to ?? "nothing") v\(row?.version ?? 0)"
                )
            }
        }
        violations += last.keys.map { "order \($0) has a history and is not there" }
        return .of(
            counted(orders.orders.count, "order") + ", " + counted(orders.history.count, "change"),
            violations: violations
        )
    },
    Check("O2", "every order has ended", .quiescent) { evidence in
        guard let orders = evidence.orders else { return .notExamined("the order database was not read") }
        var violations = orders.orders.filter { !isTerminal($0.status) }.map { "order \($0.id) is still \($0.status)" }
        // A person is asked only after the compensations went unanswered in every round.
        for order in orders.orders where order.status == OrderStatus.needsOperator.rawValue && order.openRounds == nil {
            violations.append("order \(order.id) asks for an operator and has nothing left to undo")
        }
        return .of(counted(orders.orders.count, "order"), violations: violations)
    },
    Check("O3", "nothing follows a terminal status", .always) { evidence in
        guard let orders = evidence.orders else { return .notExamined("the order database was not read") }
        let violations = orders.history.filter { $0.from.map(isTerminal) ?? false }.map {
            "order \($0.aggregate) went from \($0.from ?? "") to \($0.to)"
        }
        return .of(counted(orders.history.count, "change"), violations: violations)
    },
    Check("O4", "the total of an order is the sum of its lines", .always) { evidence in
        guard let orders = evidence.orders else { return .notExamined("the order database was not read") }
        let violations = orders.orders.filter { $0.linesTotal != $0.total }.map {
            "order \($0.id) totals \($0.total) \($0.currency), its lines \($0.linesTotal.map(String.init) ?? "overflow")"
        }
        return .of(counted(orders.orders.count, "order"), violations: violations)
    },
    Check("O5", "the end of an order is true in stock and money", .quiescent) { evidence in
        guard let orders = evidence.orders else { return .notExamined("the order database was not read") }
        guard let gateway = evidence.gateway else { return .notExamined("the gateway's ledger was not read") }
        guard let inventory = evidence.inventory else { return .notExamined("the inventory database was not read") }
        let net = netByReference(gateway)
        var violations: [String] = []
        for order in orders.orders {
            let taken = net[order.id] ?? 0
            let reservation = inventory.reservations[order.id]
            switch order.status {
            case "completed":
                if taken != order.total {
                    violations.append("order \(order.id) is completed and \(taken) of \(order.total) was taken")
                }
                if reservation != "committed" {
                    violations.append("order \(order.id) is completed and its reservation \(reservation ?? "missing")")
                }
            case "cancelled", "rejected":
                if taken != 0 { violations.append("order \(order.id) is \(order.status) and \(taken) was kept") }
                if reservation == "held" || reservation == "committed" {
                    violations.append("order \(order.id) is \(order.status) and its reservation \(reservation ?? "")")
                }
            default:
                break
            }
        }
        return .of(counted(orders.orders.count, "order"), violations: violations)
    },
    Check("O6", "no order goes back between two readings", .always) { evidence in
        guard let orders = evidence.orders else { return .notExamined("the order database was not read") }
        guard let earlier = evidence.earlier else { return .notExamined("there was no earlier reading (--watch)") }
        let now = Dictionary(orders.orders.map { ($0.id, $0.version) }, uniquingKeysWith: max)
        let violations = earlier.orderVersions.compactMap { id, version -> String? in
            guard let present = now[id] else { return "order \(id) was there and is gone" }
            return present < version ? "order \(id) was at v\(version) and is at v\(present)" : nil
        }
        return .of(counted(earlier.orderVersions.count, "order"), violations: violations)
    },
]

extension OrderEvidence {
    /// The statuses of all orders.
    var statuses: [String: String] { Dictionary(orders.map { ($0.id, $0.status) }) { first, _ in first } }
}

func isTerminal(_ status: String) -> Bool {
    OrderStatus(rawValue: status)?.isTerminal ?? false
}

/// The last row of each aggregate.
func lastRows(_ history: [HistoryRow]) -> [String: HistoryRow] {
    Dictionary(history.map { ($0.aggregate, $0) }) { $0.version >= $1.version ? $0 : $1 }
}

/// Rows that are no step of a machine, and versions that do not follow one another.
func pathViolations(
    _ noun: String,
    _ history: [HistoryRow],
    isAllowed: (_ from: String?, _ to: String) -> Bool
) -> [String] {
    var violations: [String] = []
    var previous: [String: HistoryRow] = [:]
    for row in history.sorted(by: { ($0.aggregate, $0.version) < ($1.aggregate, $1.version) }) {
        let before = previous.updateValue(row, forKey: row.aggregate)
        if row.version != (before?.version ?? 0) + 1 {
            violations.append(
                "\(noun) \(row.aggregate) has no version \((before?.version ?? 0) + 1) before \(row.version)"
            )
        }
        if row.from != before?.to {
            violations.append(
                "\(noun) \(row.aggregate) v\(row.version) leaves \(row.from ?? "nothing"), "
                    + "but was \(before?.to ?? "nothing")"
            )
        }
        if !isAllowed(row.from, row.to) {
            violations.append("\(noun) \(row.aggregate) went from \(row.from ?? "nothing") to \(row.to)")
        }
    }
    return violations
}
