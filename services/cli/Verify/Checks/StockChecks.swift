import Commerce
import InventoryCore

/// S: stock is never oversold and nothing of it is forgotten.
let stockChecks = [
    Check("S1", "0 ≤ reserved ≤ on hand", .always) { evidence in
        guard let inventory = evidence.inventory else { return .notExamined("the inventory database was not read") }
        let violations = inventory.levels.filter { $0.reserved < 0 || $0.onHand < 0 || $0.reserved > $0.onHand }.map {
            "\($0.sku): \($0.reserved) reserved of \($0.onHand) on hand"
        }
        return .of(counted(inventory.levels.count, "article"), violations: violations)
    },
    Check("S2", "set minus sold is on hand, and what is reserved is held by someone", .always) { evidence in
        guard let inventory = evidence.inventory else { return .notExamined("the inventory database was not read") }
        var moved: [String: Int64] = [:]
        for movement in inventory.movements { moved[movement.sku, default: 0] &+= movement.change }
        var held: [String: Int64] = [:]
        for line in inventory.lines where inventory.reservations[line.order] == "held" {
            held[line.sku, default: 0] &+= line.quantity
        }
        var violations: [String] = []
        for level in inventory.levels {
            let sum = moved.removeValue(forKey: level.sku) ?? 0
            let open = held.removeValue(forKey: level.sku) ?? 0
            if sum != level.onHand {
                violations.append("\(level.sku): movements sum to \(sum), on hand are \(level.onHand)")
            }
            if open != level.reserved {
                violations.append("\(level.sku): \(level.reserved) reserved, open reservations hold \(open)")
            }
        }
        violations += Set(moved.keys).union(held.keys).map { "\($0): has movements or holds, but no level" }
        return .of(
            counted(inventory.levels.count, "article") + ", " + counted(inventory.movements.count, "movement"),
            violations: violations
        )
    },
    Check("S3", "the history of a reservation is a path of its machine", .always) { evidence in
        guard let inventory = evidence.inventory else { return .notExamined("the inventory database was not read") }
        var violations = pathViolations("reservation", inventory.history) { from, to in
            guard let to = Reservation.Status(rawValue: to) else { return false }
            if let from, Reservation.Status(rawValue: from) == nil { return false }
            let before = from.flatMap(Reservation.Status.init)
            return Reservation.Status.allowedTransitions.contains(Reservation.Status.Transition(before, to))
        }
        let ends = lastRows(inventory.history)
        for order in Set(inventory.reservations.keys).union(ends.keys)
        where inventory.reservations[order] != ends[order]?.to {
            violations.append(
                "reservation \(order) is \(inventory.reservations[order] ?? "missing"), its history ends with "
                    + "\(ends[order]?.to ?? "nothing")"
            )
        }
        return .of(
            counted(inventory.reservations.count, "reservation") + ", " + counted(inventory.history.count, "change"),
            violations: violations
        )
    },
    Check("S4", "never oversold, at any moment", .always) { evidence in
        guard let inventory = evidence.inventory else { return .notExamined("the inventory database was not read") }
        var running: [String: Int64] = [:]
        var violations: [String] = []
        for (index, movement) in inventory.movements.enumerated() {
            running[movement.sku, default: 0] &+= movement.change
            let level = running[movement.sku] ?? 0
            if level < 0 { violations.append("movement \(index + 1): \(movement.sku) fell to \(level)") }
            if level != movement.onHand {
                violations.append("movement \(index + 1): \(movement.sku) says \(movement.onHand), the sum is \(level)")
            }
        }
        // What left the house for an order is what its reservation held.
        struct Key: Hashable {
            let order: String
            let sku: String
        }
        var sold: [Key: Int64] = [:]
        for movement in inventory.movements {
            guard let order = movement.order else { continue }
            sold[Key(order: order, sku: movement.sku), default: 0] &-= movement.change
        }
        for line in inventory.lines {
            let expected = inventory.reservations[line.order] == "committed" ? line.quantity : 0
            let actual = sold.removeValue(forKey: Key(order: line.order, sku: line.sku)) ?? 0
            if expected != actual {
                violations.append(
                    "order \(line.order): \(actual) of \(line.sku) left the house, \(expected) should have"
                )
            }
        }
        violations += sold.filter { $0.value != 0 }.map {
            "order \($0.key.order): \($0.value) of \($0.key.sku) left the house without a reservation"
        }
        return .of(
            counted(inventory.movements.count, "movement") + ", " + counted(inventory.lines.count, "reservation line"),
            violations: violations
        )
    },
    Check("S5", "a cancelled order holds and takes nothing any more", .always) { evidence in
        guard let inventory = evidence.inventory else { return .notExamined("the inventory database was not read") }
        var violations: [String] = []
        var ended: [String: String] = [:]
        var tombstones: Set<String> = []
        for row in inventory.history.sorted(by: { ($0.aggregate, $0.version) < ($1.aggregate, $1.version) }) {
            if let end = ended[row.aggregate], row.to == "held" || row.to == "committed" {
                violations.append("reservation \(row.aggregate) was \(end) and then \(row.to)")
            }
            if row.to == "released" || row.to == "expired" { ended[row.aggregate] = row.to }
            if row.to == "released", row.from == nil { tombstones.insert(row.aggregate) }
        }
        for line in inventory.lines where tombstones.contains(line.order) {
            violations.append(
                "order \(line.order) was cancelled before it asked and has \(line.quantity) of \(line.sku)"
            )
        }
        var returned: Set<String> = []
        for movement in inventory.movements {
            guard let order = movement.order else { continue }
            if movement.kind == "returned" { returned.insert(order + " " + movement.sku) }
            if movement.kind == "sold", returned.contains(order + " " + movement.sku) {
                violations.append("order \(order): \(movement.sku) was sold after it had been returned")
            }
        }
        return .of(
            counted(ended.count, "ended reservation") + ", " + counted(inventory.movements.count, "movement"),
            violations: violations
        )
    },
    Check("S6", "the movements of stock are the fold of the announced events", .quiescent) { evidence in
        guard let inventory = evidence.inventory else { return .notExamined("the inventory database was not read") }
        guard let log = evidence.log else { return .notExamined("the event log was not read") }
        var fold = StockFold()
        for record in log where record.topic == Channels.inventoryTopic { fold.apply(record) }
        var recorded: [String: Int64] = [:]
        for movement in inventory.movements {
            recorded["\(movement.sku) \(movement.kind)", default: 0] &+= movement.change
        }
        let violations = Set(fold.changes.keys).union(recorded.keys).compactMap { place -> String? in
            let (announced, moved) = (fold.changes[place] ?? 0, recorded[place] ?? 0)
            return announced == moved ? nil : "\(place): \(announced) announced, \(moved) moved"
        }
        return .of(
            counted(fold.count, "event") + ", " + counted(inventory.movements.count, "movement"),
            violations: violations
        )
    },
]

/// Pieces that moved, by article and kind of movement, as the events tell it.
private struct StockFold {
    private(set) var changes: [String: Int64] = [:]
    private(set) var count = 0
    private var seen: Set<String> = []
    private var committed: Set<OrderID> = []

    mutating func apply(_ record: LogRecord) {
        guard record.sequence > 0, let id = record.eventID, seen.insert(id).inserted else { return }
        switch record.event {
        case .stockAdjusted(let event):
            count += 1
            changes["\(event.sku.text) adjusted", default: 0] &+= Int64(event.change)
        case .reservation(let event):
            count += 1
            apply(event)
        case .order, .payment, .article, nil: break
        }
    }

    private mutating func apply(_ event: ReservationEvent) {
        switch event.kind {
        case .committed:
            committed.insert(event.orderID)
            for item in event.items { changes["\(item.sku.text) sold", default: 0] &-= Int64(item.quantity.count) }
        case .released where committed.remove(event.orderID) != nil:
            for item in event.items { changes["\(item.sku.text) returned", default: 0] &+= Int64(item.quantity.count) }
        case .released, .reserved, .refused, .expired: break
        }
    }
}
