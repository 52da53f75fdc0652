import AnalyticsCore
import Commerce
import Messaging

/// R: a read model is the fold of the log, no more and no less.
let readModelChecks = [
    Check("R1", "every read model is the fold of the event log up to its offsets", .always) { evidence in
        guard let log = evidence.log else { return .notExamined("the event log was not read") }
        guard let models = evidence.readModels else { return .notExamined("the analytics database was not read") }
        var fold = MemoryFold()
        var folded = 0
        for record in log {
            guard let end = models.offsets[record.partitionName], record.offset < end,
                !models.parked.contains(record.place)
            else { continue }
            folded += 1
            fold.apply(record)
        }
        let expected = fold.tables
        var violations: [String] = []
        for table in Set(models.tables.keys).union(expected.keys) {
            let wanted = Set(expected[table] ?? [])
            let present = Set(models.tables[table] ?? [])
            violations += present.subtracting(wanted).map { "\(table) has the row \($0), which the log does not give" }
            violations += wanted.subtracting(present).map { "\(table) lacks the row \($0), which the log gives" }
        }
        let rows = models.tables.values.reduce(0) { $0 + $1.count }
        return .of(counted(folded, "event") + ", " + counted(rows, "row"), violations: violations)
    },
    Check("R3", "the totals of analytics are those of orders and gateway", .quiescent) { evidence in
        guard let models = evidence.readModels else { return .notExamined("the analytics database was not read") }
        guard let orders = evidence.orders else { return .notExamined("the order database was not read") }
        guard let gateway = evidence.gateway else { return .notExamined("the gateway's ledger was not read") }
        let totals = Totals(models)
        let wanted = Totals(orders, gateway)
        let violations = Set(totals.values.keys).union(wanted.values.keys).compactMap { name -> String? in
            let (shown, counted) = (totals.values[name] ?? 0, wanted.values[name] ?? 0)
            return shown == counted ? nil : "\(name): analytics shows \(shown), it is \(counted)"
        }
        return .of(
            counted(wanted.values.count, "total") + ", " + counted(orders.orders.count, "order"),
            violations: violations
        )
    },
    Check("R4", "no consumer goes back, passes over an event, is ahead of the log, or at rest behind it", .always) {
        evidence in
        guard let log = evidence.log else { return .notExamined("the event log was not read") }
        guard let offsets = evidence.messaging?.offsets else {
            return .notExamined("the consumers' offsets were not read")
        }
        var ends: [String: Int64] = [:]
        for record in log {
            let partition = record.partitionName
            ends[partition] = max(ends[partition] ?? 0, record.offset + 1)
        }
        var violations: [String] = []
        var present: [String: Int64] = [:]
        for offset in offsets {
            let name = "\(offset.service): \(offset.consumer) on \(offset.partition)"
            present[name] = offset.next
            let end = ends[offset.partition] ?? 0
            if offset.next > end { violations.append("\(name) is at \(offset.next), the log ends at \(end)") }
            if evidence.isQuiescent, offset.next < end {
                violations.append("\(name) is at \(offset.next) and has not read up to \(end)")
            }
        }
        if evidence.isQuiescent {
            // Where a consumer never was it has no row.
            for reader in EventReader.all where evidence.holds(reader.service) {
                for (partition, end) in ends where end > 0 && reader.reads(partition) {
                    let name = "\(reader.service): \(reader.consumer) on \(partition)"
                    if present[name] == nil { violations.append("\(name) has not read anything of \(end)") }
                }
            }
        }
        for offset in evidence.earlier?.offsets ?? [] where evidence.holds(offset.service) {
            let name = "\(offset.service): \(offset.consumer) on \(offset.partition)"
            // Without its row it would begin anew.
            let now = present[name] ?? 0
            if now < offset.next { violations.append("\(name) went back from \(offset.next) to \(now)") }
        }
        violations += passedOver(evidence, log, present)
        return .of(counted(offsets.count, "offset") + ", " + counted(ends.count, "partition"), violations: violations)
    },
]

/// Events before a consumer's offset that it neither handled, nor parked, nor gave up. What analytics has read is R1's affair:
/// its rows say more than its inbox.
private func passedOver(_ evidence: Evidence, _ log: [LogRecord], _ offsets: [String: Int64]) -> [String] {
    guard let messaging = evidence.messaging else { return [] }
    var violations: [String] = []
    for reader in EventReader.all where reader != .readModels && evidence.holds(reader.service) {
        var known = Set(messaging.inbox.lazy.filter { $0.consumer == reader.consumer }.map(\.messageID))
        known.formUnion(
            (evidence.deadLetters ?? []).lazy.filter { $0.consumer == reader.consumer }.compactMap(\.messageID)
        )
        var nexts: [String: Int64] = [:]
        for record in log where reader.topics.contains(record.topic) {
            let partition = record.partitionName
            let next = nexts[partition] ?? offsets["\(reader.service): \(reader.consumer) on \(partition)"] ?? 0
            nexts[partition] = next
            // What carries no id is a letter without one; and an inbox forgets in the end.
            guard record.offset < next, let id = record.eventID, !known.contains(id),
                record.timeMilliseconds >= messaging.remembersSince[reader.service] ?? .min,
                !messaging.parked.contains("\(reader.consumer) \(record.place)")
            else { continue }
            violations.append("\(reader.service): \(reader.consumer) has passed over \(record.place)")
        }
    }
    return violations
}

/// Sums that analytics shows and that others know too.
private struct Totals {
    private(set) var values: [String: Int64] = [:]

    /// As the read models show them.
    init(_ models: ReadModelEvidence) {
        for row in fields(models, "order_facts", count: 7) { add("orders \(row[2])", 1) }
        for row in fields(models, "revenue_by_minute", count: 4) {
            add("revenue in \(row[1])", Int64(row[2]))
            add("orders with revenue", Int64(row[3]))
        }
        for row in fields(models, "units_by_sku", count: 2) { add("pieces of \(row[0])", Int64(row[1])) }
        for row in fields(models, "completion_times", count: 2) { add("orders with a time", Int64(row[1])) }
        for row in fields(models, "payment_totals", count: 4) where row[0] == "captured" || row[0] == "refunded" {
            add("\(row[0]) in \(row[1])", Int64(row[2]))
            add("payments \(row[0])", Int64(row[3]))
        }
    }

    /// As the order service and the gateway know them.
    init(_ orders: OrderEvidence, _ gateway: [GatewayOperation]) {
        for order in orders.orders {
            add("orders \(order.status)", 1)
            guard order.status == "completed" else { continue }
            add("revenue in \(order.currency)", order.total)
            add("orders with revenue", 1)
            add("orders with a time", 1)
            for (sku, units) in order.units { add("pieces of \(sku)", units) }
        }
        for line in gateway where line.result == "succeeded" {
            switch line.operation {
            case "capture":
                add("captured in \(line.currency)", line.amount)
                add("payments captured", 1)
            case "refund":
                add("refunded in \(line.currency)", line.amount)
                add("payments refunded", 1)
            default: break
            }
        }
    }

    private func fields(_ models: ReadModelEvidence, _ table: String, count: Int) -> [[String]] {
        (models.tables[table] ?? []).map { $0.split(separator: "|", omittingEmptySubsequences: false).map(String.init) }
            .filter { $0.count == count }
    }

    private mutating func add(_ name: String, _ amount: Int64?) {
        values[name, default: 0] &+= amount ?? 0
    }
}

/// The fold of analytics over plain dictionaries: the same decisions, another memory.
private struct MemoryFold {
    private struct MinuteKey: Hashable {
        let minute: Int64
        let currency: String
    }
    private struct KindKey: Hashable {
        let kind: String
        let currency: String
    }
    private struct Sum {
        var amount: Int64 = 0
        var count: Int64 = 0
    }

    private var seen: Set<String> = []
    private var orders: [String: OrderFact] = [:]
    private var revenue: [MinuteKey: Sum] = [:]
    private var units: [String: Int64] = [:]
    private var times: [Int64: Int64] = [:]
    private var payments: [KindKey: Sum] = [:]
    private var names: [String: String] = [:]

    mutating func apply(_ record: LogRecord) {
        guard let id = record.eventID, seen.insert(id).inserted else { return }
        for change in changes(of: record) { apply(change) }
    }

    private func changes(of record: LogRecord) -> [ReadModelChange] {
        switch record.event {
        case .order(let event):
            guard let placedAt = Timestamp(event.placedAt), record.sequence > 0 else { return [] }
            return ReadModelFold.changes(
                for: event,
                sequence: record.sequence,
                known: orders[event.orderID.text]?.version ?? 0,
                placedAt: placedAt,
                at: Timestamp(millisecondsSinceEpoch: record.timeMilliseconds)
            )
        case .article(let item): return ReadModelFold.changes(for: item)
        case .payment(let event): return ReadModelFold.changes(for: event)
        case .reservation, .stockAdjusted, nil: return []
        }
    }

    private mutating func apply(_ change: ReadModelChange) {
        switch change {
        case .setOrder(let fact):
            // As the table does: what was ordered stays as it was first told.
            let first = orders[fact.orderID.text] ?? fact
            orders[fact.orderID.text] = OrderFact(
                orderID: fact.orderID,
                version: fact.version,
                status: fact.status,
                total: first.total,
                placedAt: first.placedAt,
                at: fact.at
            )
        case .addRevenue(let minute, let amount):
            let key = MinuteKey(minute: minute.millisecondsSinceEpoch, currency: amount.currency.rawValue)
            revenue[key, default: Sum()].amount &+= amount.minorUnits
            revenue[key, default: Sum()].count += 1
        case .addUnits(let sku, let count):
            units[sku.text, default: 0] &+= Int64(count)
        case .addCompletionTime(let milliseconds):
            times[CompletionTimeClass.bound(forMilliseconds: milliseconds), default: 0] += 1
        case .addPayment(let kind, let amount):
            let key = KindKey(kind: kind.rawValue, currency: amount.currency.rawValue)
            payments[key, default: Sum()].amount &+= amount.minorUnits
            payments[key, default: Sum()].count += 1
        case .nameArticle(let sku, let name):
            names[sku.text] = name
        }
    }

    /// The rows as the tables have them, columns in the tables' order.
    var tables: [String: [String]] {
        [
            "order_facts": orders.values.map { fact in
                [
                    fact.orderID.text, String(fact.version), fact.status.rawValue, String(fact.total.minorUnits),
                    fact.total.currency.rawValue, String(fact.placedAt.millisecondsSinceEpoch),
                    String(fact.at.millisecondsSinceEpoch),
                ].joined(separator: "|")
            },
            "revenue_by_minute": revenue.map { "\($0.minute)|\($0.currency)|\($1.amount)|\($1.count)" },
            "units_by_sku": units.map { "\($0)|\($1)" },
            "completion_times": times.map { "\($0)|\($1)" },
            "payment_totals": payments.map { "\($0.kind)|\($0.currency)|\($1.amount)|\($1.count)" },
            "article_names": names.map { "\($0)|\($1)" },
        ]
    }
}
