import OrderCore
import PaymentCore

/// G: a process that spans services is decided once, undone as far as it came, and never forgotten.
let sagaChecks = [
    Check("G2", "an order is decided once, and undone exactly as far as it came", .always) { evidence in
        guard let orders = evidence.orders else { return .notExamined("the order database was not read") }
        guard let journal = orders.journal else { return .notExamined("the orders' journal was not read") }
        let lives = journal.reduce(into: [String: OrderLife]()) { $0[$1.order, default: OrderLife()].add($1) }
        var decisions: [String: Int] = [:]
        for row in orders.history where ["completed", "rejected", "cancelling"].contains(row.to) {
            decisions[row.aggregate, default: 0] += 1
        }
        var violations = decisions.filter { $0.value > 1 }.map { "order \($0.key) was decided \($0.value) times" }
        for order in orders.orders {
            let life = lives[order.id] ?? OrderLife()
            violations += life.faults(status: order.status).map { "order \(order.id) is \(order.status) and \($0)" }
        }
        return .of(
            counted(orders.orders.count, "order") + ", " + counted(journal.count, "input"),
            violations: violations
        )
    },
    Check("G3", "a deadline decides once, and nothing is undone while a call is unclear", .always) { evidence in
        guard let journal = evidence.orders?.journal else { return .notExamined("the orders' journal was not read") }
        guard let payments = evidence.payments, let intents = payments.intents else {
            return .notExamined("payment's intents were not read")
        }
        var fired: [String: Int] = [:]
        for row in journal
        where row.disposition == "applied" && (row.input == "deadline-stock" || row.input == "deadline-payment") {
            fired["order \(row.order): \(row.input)", default: 0] += 1
        }
        var violations = fired.filter { $0.value > 1 }.map { "\($0.key) decided \($0.value) times" }
        for intent in intents where intent.kind == "authorize" || intent.kind == "capture" {
            guard let phase = payments.states[intent.order], ["voiding", "refunding", "cancelled"].contains(phase),
                IntentState(rawValue: intent.state)?.isAwaited == true
            else { continue }
            violations.append(
                "payment of order \(intent.order) is \(phase) while its \(intent.kind) is \(intent.state)"
            )
        }
        return .of(
            counted(journal.count, "input") + ", " + counted(intents.count, "intent"),
            violations: violations
        )
    },
    Check("G4", "whatever waits has a deadline", .always) { evidence in
        guard let orders = evidence.orders else { return .notExamined("the order database was not read") }
        guard let deadlines = orders.deadlines else { return .notExamined("the orders' deadlines were not read") }
        var violations = orders.orders.filter { !isTerminal($0.status) && !deadlines.contains($0.id) }.map {
            "order \($0.id) is \($0.status) and nothing will ever wake it"
        }
        if let inventory = evidence.inventory, let expiries = inventory.expiries {
            violations += inventory.reservations.filter { $0.value == "held" && !expiries.contains($0.key) }.map {
                "reservation \($0.key) is held and will never expire"
            }
        }
        return .of(
            counted(orders.orders.count, "order") + ", " + counted(deadlines.count, "deadline"),
            violations: violations
        )
    },
    Check("G6", "a payment under way is looked at again", .always) { evidence in
        guard let payments = evidence.payments else { return .notExamined("the payment database was not read") }
        guard let intents = payments.intents else { return .notExamined("payment's intents were not read") }
        let due = Set(intents.filter(\.isDue).map(\.order))
        let moving: Set<PaymentPhase> = [.authorizing, .capturing, .voiding, .refunding]
        var violations = payments.states.filter { order, phase in
            PaymentPhase(rawValue: phase).map(moving.contains) == true && !due.contains(order)
        }.map { "payment of order \($0.key) is \($0.value) and nothing is due for it" }
        violations += intents.filter { IntentState(rawValue: $0.state)?.isAwaited == true && !$0.isDue }.map {
            "\($0.kind) for order \($0.order) is \($0.state) and never due"
        }
        return .of(
            counted(payments.states.count, "payment") + ", " + counted(intents.count, "intent"),
            violations: violations
        )
    },
]

/// What happened to one order, and what was asked for it, as its journal tells.
private struct OrderLife {
    private var happened: Set<String> = []
    private var asked: Set<String> = []

    mutating func add(_ row: OrderEvidence.JournalRow) {
        if row.disposition == OrderDisposition.applied.rawValue { happened.insert(row.input) }
        asked.formUnion(row.sent.map(\.name))
    }

    /// What does not fit the status: a step that was not undone, or was undone without a decision.
    func faults(status: String) -> [String] {
        var faults: [String] = []
        func require(_ input: String, _ what: String) {
            if !happened.contains(input) { faults.append(what) }
        }
        switch status {
        case "completed":
            require("payment-captured", "its money was never taken")
            require("stock-committed", "its stock was never consumed")
        case "rejected":
            require("stock-refused", "inventory never refused it")
        case "cancelled":
            if asked.contains("reserve-stock"), !happened.contains("stock-commit-refused") {
                require("stock-released", "its stock was never let go")
            }
            let isDeclined = happened.contains("payment-declined") && !asked.contains("capture-payment")
            if asked.contains("authorize-payment"), !isDeclined {
                require("payment-cancelled", "its payment was never cancelled")
            }
        default: break
        }
        if !["cancelling", "cancelled", "needsOperator"].contains(status) {
            for undo in ["release-stock", "cancel-payment"] where asked.contains(undo) {
                faults.append("\(undo) was asked for")
            }
        }
        return faults
    }
}
