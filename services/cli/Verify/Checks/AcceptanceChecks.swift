/// A: what was accepted exists, once.
let acceptanceChecks = [
    Check("A1", "one order per idempotency key, one key per order", .always) { evidence in
        guard let orders = evidence.orders else { return .notExamined("the order database was not read") }
        var byKey: [String: Set<String>] = [:]
        for (key, order) in orders.keys { byKey[key, default: []].insert(order) }
        for entry in evidence.load ?? [] { byKey[entry.key, default: []].formUnion(entry.orders) }
        var violations = byKey.filter { $0.value.count > 1 }.map { key, made in
            "key \(key) made the orders \(made.sorted().joined(separator: ", "))"
        }
        var byOrder: [String: Set<String>] = [:]
        for (key, made) in byKey {
            for order in made { byOrder[order, default: []].insert(key) }
        }
        violations += byOrder.filter { $0.value.count > 1 }.map { order, keys in
            "order \(order) was made by the keys \(keys.sorted().joined(separator: ", "))"
        }
        return .of(counted(byKey.count, "key"), violations: violations)
    },
    Check("A2", "an acknowledged order exists; a refused one does not", .always) { evidence in
        guard let orders = evidence.orders else { return .notExamined("the order database was not read") }
        guard let load = evidence.load else { return .notExamined("no load history was given (--history)") }
        let known = Set(orders.orders.map(\.id))
        let keys = Set(orders.keys.map(\.key))
        var violations: [String] = []
        for entry in load {
            switch entry.outcome {
            case .ok:
                if entry.orders.isEmpty { violations.append("key \(entry.key) was acknowledged without an order") }
                for order in entry.orders where !known.contains(order) {
                    violations.append("order \(order) was acknowledged (key \(entry.key)) and is not there")
                }
            case .fail:
                if keys.contains(entry.key) { violations.append("key \(entry.key) was refused and made an order") }
            case .info:
                // Unknown to the client: it may exist once or not at all, and A1 sees to "once".
                break
            }
        }
        return .of(counted(load.count, "request") + ", " + counted(known.count, "order"), violations: violations)
    },
    Check("A3", "a repeated request gets the first answer", .always) { evidence in
        guard let orders = evidence.orders else { return .notExamined("the order database was not read") }
        guard let load = evidence.load else { return .notExamined("no load history was given (--history)") }
        let made = Dictionary(orders.keys.map { ($0.key, $0.order) }) { first, _ in first }
        var violations: [String] = []
        for entry in load where entry.outcome == .ok {
            if entry.answers.count > 1 {
                violations.append("key \(entry.key) got \(entry.answers.count) different answers")
            }
            // Keys are forgotten in the end; those that are remembered name the order that was acknowledged.
            if let order = made[entry.key], !entry.orders.contains(order) {
                violations.append("key \(entry.key) stands for order \(order), which was not the answer")
            }
        }
        return .of(counted(load.count, "request") + ", " + counted(made.count, "key"), violations: violations)
    },
    Check("A4", "an acknowledged order can be read", .always) { evidence in
        guard let load = evidence.load else { return .notExamined("no load history was given (--history)") }
        let violations = load.filter { $0.reads.contains(404) }.map {
            "order \($0.orders.first ?? "of key " + $0.key) was acknowledged and then not found"
        }
        return .of(
            counted(load.count, "request") + ", " + counted(load.reduce(0) { $0 + $1.reads.count }, "read"),
            violations: violations
        )
    },
]
