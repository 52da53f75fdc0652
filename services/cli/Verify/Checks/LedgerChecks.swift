import Commerce

/// L: payment's double-entry ledger.
let ledgerChecks = [
    Check("L1", "every ledger transaction sums to zero", .always) { evidence in
        guard let payments = evidence.payments else { return .notExamined("the payment database was not read") }
        struct Key: Hashable {
            let transaction: String
            let currency: String
        }
        var sums: [Key: Int64] = [:]
        for entry in payments.entries {
            sums[Key(transaction: entry.transaction, currency: entry.currency), default: 0] &+= entry.amount
        }
        let violations = sums.filter { $0.value != 0 }.map {
            "transaction \($0.key.transaction) sums to \($0.value) \($0.key.currency)"
        }
        return .of(
            counted(payments.chain.count, "transaction") + ", "
                + counted(payments.entries.count, "entry", plural: "entries"),
            violations: violations
        )
    },
    Check("L2", "all accounts together are zero", .always) { evidence in
        guard let payments = evidence.payments else { return .notExamined("the payment database was not read") }
        var sums: [String: Int64] = [:]
        for entry in payments.entries { sums[entry.currency, default: 0] &+= entry.amount }
        let violations = sums.filter { $0.value != 0 }.map { "all entries in \($0.key) sum to \($0.value)" }
        return .of(counted(payments.entries.count, "entry", plural: "entries"), violations: violations)
    },
    Check("L3", "the ledger is whole: no gap, no broken link", .always) { evidence in
        guard let payments = evidence.payments else { return .notExamined("the payment database was not read") }
        var violations: [String] = []
        for (index, link) in payments.chain.enumerated() where link.transaction != String(index + 1) {
            violations.append("transaction \(index + 1) is missing; \(link.transaction) stands in its place")
            break
        }
        for link in payments.chain where link.storedHash != link.computedHash {
            violations.append("the hash of transaction \(link.transaction) does not follow from what stands before it")
        }
        // An entry that no transaction covers is in no hash.
        let covered = Set(payments.chain.map(\.transaction))
        let orphans = Set(payments.entries.map(\.transaction)).subtracting(covered)
        violations += orphans.map { "transaction \($0) has entries and no link" }
        if let earlier = evidence.earlier?.ledger, earlier.count > 0,
            Milestones.ledger(payments.chain, limit: earlier.count) != earlier
        {
            violations.append("the first \(earlier.count) transactions are not what they were in the reading before")
        }
        return .of(counted(payments.chain.count, "link"), violations: violations)
    },
    Check("L4", "the ledger's cash is what the gateway took and gave back", .quiescent) { evidence in
        guard let payments = evidence.payments else { return .notExamined("the payment database was not read") }
        guard let gateway = evidence.gateway else { return .notExamined("the gateway's ledger was not read") }
        var cash: [String: Int64] = [:]
        for entry in payments.entries where entry.account == LedgerAccounts.cash {
            cash[entry.currency, default: 0] &+= entry.amount
        }
        var taken: [String: Int64] = [:]
        for operation in gateway where operation.result == "succeeded" {
            switch operation.operation {
            case "capture": taken[operation.currency, default: 0] &+= operation.amount
            case "refund": taken[operation.currency, default: 0] &-= operation.amount
            default: break
            }
        }
        var suspense: [String: Int64] = [:]
        for entry in payments.entries where entry.account == LedgerAccounts.suspense {
            suspense[entry.currency, default: 0] &+= entry.amount
        }
        var violations = Set(cash.keys).union(taken.keys).filter { cash[$0] ?? 0 != taken[$0] ?? 0 }.map {
            "cash in \($0) is \(cash[$0] ?? 0), the gateway's sum \(taken[$0] ?? 0)"
        }
        violations += suspense.filter { $0.value != 0 }.map { "\($0.value) \($0.key) of nobody's is left in suspense" }
        return .of(
            counted(payments.entries.count, "entry", plural: "entries") + ", "
                + counted(gateway.count, "ledger line"),
            violations: violations
        )
    },
    Check("L5", "each move of money is booked once", .always) { evidence in
        guard let payments = evidence.payments else { return .notExamined("the payment database was not read") }
        var sources: Set<String> = []
        var violations: [String] = []
        for link in payments.chain where !sources.insert(link.source).inserted {
            violations.append("the event \(link.source) is booked twice")
        }
        violations += sources.subtracting(payments.intentKeys).map {
            "the event \($0) is booked and was never intended"
        }
        for intent in payments.intents ?? []
        where intent.state == "succeeded" && (intent.kind == "capture" || intent.kind == "refund")
            && !sources.contains(intent.key)
        {
            violations.append("the \(intent.kind) for order \(intent.order) succeeded and is not booked")
        }
        return .of(
            counted(payments.chain.count, "transaction") + ", " + counted(payments.intentKeys.count, "intent"),
            violations: violations
        )
    },
    Check("L6", "no database is behind what it announced", .always) { evidence in
        guard let log = evidence.log else { return .notExamined("the event log was not read") }
        guard evidence.orders != nil || evidence.payments != nil || evidence.inventory != nil else {
            return .notExamined("no producer's database was read")
        }
        var versions: [String: [String: Int64]] = [:]
        for (topic, history) in histories(evidence) { versions[topic] = lastRows(history).mapValues(\.version) }
        for article in evidence.inventory?.articles ?? [] {
            versions[Channels.catalogTopic, default: [:]][article.sku] = article.catalogVersion
            versions[Channels.inventoryTopic, default: [:]][article.sku] = article.stockVersion
        }
        let isKnown = evidence.inventory?.articles != nil
        var announced: [EventSubject: Int64] = [:]
        for record in log where record.sequence > 0 && evidence.isKnownToDatabases(record) {
            guard versions[record.topic] != nil else { continue }
            // Articles share the inventory topic with reservations.
            if !isKnown, OrderID(record.subject) == nil { continue }
            let subject = EventSubject(record.topic, record.subject)
            announced[subject] = max(announced[subject] ?? 0, record.sequence)
        }
        let violations = announced.compactMap { subject, sequence -> String? in
            let present = versions[subject.topic]?[subject.subject] ?? 0
            return present < sequence
                ? "\(subject.topic): \(subject.subject) was announced as v\(sequence), its database has v\(present)"
                : nil
        }
        return .of(
            counted(announced.count, "aggregate") + ", " + counted(log.count, "record"),
            violations: violations
        )
    },
]

/// Accounts of payment's ledger that the checks know.
public enum LedgerAccounts {
    /// Money that the card gateway holds for us.
    public static let cash = "card_clearing"
    /// Money that landed after its order was over, until it has gone back.
    public static let suspense = "suspense"
}
