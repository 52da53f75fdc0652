import Verification

extension Damages {
    static let outbox: [Damage] = [
        Damage("X1", "a change that was not announced", names: order(3)) {
            try $0.removeRecord("inventory", order(3), 1)
            try $0.removeOutboxRow("inventory", order(3), 1)
        },
        Damage("X1", "a change that was announced twice", names: order(3)) {
            $0.messaging?.outbox.append(
                .init(
                    service: "inventory",
                    messageID: "another",
                    topic: "inventory",
                    subject: order(3),
                    sequence: 1,
                    published: false,
                    parked: "poison"
                )
            )
        },
        Damage("X1", "a phantom in the log: an event without a change", names: order(3)) { evidence in
            let last = try evidence.record("inventory", order(3), 1)
            evidence.append(like: last) {
                $0.sequence = 2
                $0.eventID = "phantom"
            }
        },
        Damage("X1", "a phantom about an order that is not there", names: order(88)) { evidence in
            let last = try evidence.record("inventory", order(3), 1)
            evidence.append(like: last) {
                $0.subject = order(88)
                $0.key = order(88)
                $0.eventID = "phantom"
            }
        },
        Damage("X2", "a command that waits", names: "command-waiting") {
            $0.messaging?.outbox.append(
                .init(
                    service: "order",
                    messageID: "command-waiting",
                    topic: nil,
                    subject: order(1),
                    sequence: nil,
                    published: false
                )
            )
        },
        Damage("X3", "called published, and the log does not have it", names: "inventory-\(order(1))-2") {
            try $0.removeRecord("inventory", order(1), 2)
        },
    ]

    static let eventLog: [Damage] = [
        Damage("E1", "a hole in an aggregate's events", names: "v1 is missing", also: ["X3"]) {
            try $0.removeRecord("inventory", order(1), 1)
        },
        Damage("E2", "two records at one offset", names: "payments/") { evidence in
            let record = try evidence.record("payments", order(2), 4)
            evidence.append(like: record) { _ in }
            let last = (evidence.log?.count ?? 0) - 1
            evidence.log?[last].offset -= 1
        },
        Damage("E2", "an offset that was read too late", names: "inventory/") { evidence in
            let record = try evidence.record("inventory", order(2), 2)
            evidence.append(like: record) { _ in }
            evidence.append(like: record) { _ in }
            let last = (evidence.log?.count ?? 0) - 1
            evidence.log?.swapAt(last, last - 1)
        },
        Damage("E3", "a record that nobody can read", names: "inventory/") { evidence in
            let record = try evidence.record("inventory", order(3), 1)
            evidence.append(like: record) {
                $0.eventID = nil
                $0.type = ""
                $0.subject = ""
                $0.sequence = 0
                $0.body = [0xFF]
            }
        },
        Damage("E4", "a duplicate with another body", names: "inventory-\(order(1))-2") { evidence in
            let record = try evidence.record("inventory", order(1), 2)
            evidence.append(like: record) { $0.body.append(0x20) }
        },
        Damage("E4", "a duplicate of another type", names: "inventory-\(order(1))-2") { evidence in
            let record = try evidence.record("inventory", order(1), 2)
            evidence.append(like: record) { $0.type = "waybill.stock.released.v1" }
        },
        Damage("E4", "a duplicate about something else", names: "inventory-\(order(1))-2", also: ["X1"]) { evidence in
            let record = try evidence.record("inventory", order(1), 2)
            evidence.append(like: record) {
                $0.subject = order(89)
                $0.key = order(89)
                $0.sequence = 1
            }
        },
        Damage("E4", "a duplicate in another place of the order", names: "inventory-\(order(1))-2", also: ["X1"]) {
            let record = try $0.record("inventory", order(1), 2)
            $0.append(like: record) { $0.sequence = 3 }
        },
        Damage("E5", "two events in the wrong order", names: order(1)) { evidence in
            let first = try evidence.index("inventory", order(1), 1)
            let second = try evidence.index("inventory", order(1), 2)
            let earlier = try evidence.record("inventory", order(1), 1).offset
            let later = try evidence.record("inventory", order(1), 2).offset
            // Each place then has the other one's event.
            evidence.log?.swapAt(first, second)
            evidence.log?[first].offset = earlier
            evidence.log?[second].offset = later
        },
        Damage("E5", "an aggregate in two partitions", names: order(1)) {
            let record = try $0.record("inventory", order(1), 2)
            try $0.removeRecord("inventory", order(1), 2)
            $0.append(like: record) { $0.partition = ($0.partition + 1) % 6 }
        },
        Damage("E5", "a duplicate in another partition", names: order(1)) {
            let record = try $0.record("inventory", order(1), 2)
            $0.append(like: record) { $0.partition = ($0.partition + 1) % 6 }
        },
        Damage("E5", "a key that is not the subject", names: "the key other") {
            try $0.change("inventory", order(1), 2) { $0.key = "other" }
        },
        Damage("E5", "a record without a key", names: "the key nothing") {
            try $0.change("inventory", order(1), 2) { $0.key = nil }
        },
    ]

    static let readModels: [Damage] = [
        Damage("R1", "a row too many", names: "TEE") { $0.readModels?.tables["units_by_sku"]?.append("TEE|1") },
        Damage("R1", "a row too few", names: order(2)) { evidence in
            evidence.readModels?.tables["order_facts"]?.removeAll { $0.hasPrefix(order(2)) }
        },
        Damage("R1", "an order counted twice", names: "revenue_by_minute") {
            $0.changeRows("revenue_by_minute") {
                $0.replacing("|2500|1", with: "|5000|2")
            }
        },
        Damage("R1", "an order in an older status", names: order(1)) {
            $0.changeRows("order_facts") {
                $0.replacing("|5|completed|", with: "|4|confirming|")
            }
        },
        Damage("R1", "a table that is empty", names: "payment_totals") { $0.readModels?.tables["payment_totals"] = [] },
        Damage("R1", "a table that was not read", names: "article_names") {
            $0.readModels?.tables["article_names"] = nil
        },
        Damage("R1", "offsets behind the rows", names: "has the row") { evidence in
            let record = try evidence.record("orders", order(1), 5)
            evidence.readModels?.offsets["orders/\(record.partition)"] = record.offset
        },
        Damage("R1", "offsets before the rows", names: "lacks the row") { evidence in
            // An event that was passed over without being folded.
            let record = try evidence.record("payments", order(1), 2)
            evidence.readModels?.tables["payment_totals"]?.removeAll { $0.hasPrefix("captured|") }
            evidence.readModels?.offsets["payments/\(record.partition)"] = record.offset + 1
        },
    ]
}
