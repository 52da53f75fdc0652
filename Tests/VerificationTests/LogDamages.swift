import Verification

extension Damages {
    static let outbox: [Damage] = [
        Damage("X1", "a change that was not announced", names: order(3), also: ["E1", "E2", "R4"]) {
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
        Damage("X1", "a phantom in the log: an event without a change", names: order(3), also: ["L6", "R4"]) {
            evidence in
            let last = try evidence.record("inventory", order(3), 1)
            evidence.append(like: last) {
                $0.sequence = 2
                $0.eventID = "phantom"
            }
        },
        Damage("X1", "a phantom about an order that is not there", names: order(88), also: ["E8", "L6", "R4"]) {
            evidence in
            let last = try evidence.record("inventory", order(3), 1)
            evidence.append(like: last) {
                $0.subject = order(88)
                $0.key = order(88)
                $0.eventID = "phantom"
            }
        },
        Damage("X1", "a change that was announced as another one", names: "announced as", also: ["E2", "I4"]) {
            let other = try $0.record("orders", order(1), 4)
            try $0.change("orders", order(1), 3) { record in
                record.type = other.type
                record.body = other.body
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
        Damage(
            "X3",
            "called published, and the log does not have it",
            names: "inventory-\(order(1))-2",
            also: ["E1", "E2", "R4", "S6"]
        ) {
            try $0.removeRecord("inventory", order(1), 2)
        },
    ]

    static let eventLog: [Damage] = [
        Damage("E1", "a hole in an aggregate's events", names: "v1 is missing", also: ["E2", "X3"]) {
            try $0.removeRecord("inventory", order(1), 1)
        },
        Damage("E1", "a consumer has read what is gone", names: "late-event") { evidence in
            evidence.messaging?.inbox.append(
                .init(service: "analytics", consumer: "analytics", messageID: "late-event", outcome: "handled")
            )
        },
        Damage("E2", "the beginning of a partition changed since the reading before", names: "not what they were") {
            try $0.change("inventory", order(1), 1) { $0.timeMilliseconds += 1 }
            try $0.changeEarlier("inventory", order(1), 1) { $0.body.append(0x20) }
        },
        Damage("E2", "a partition is shorter than in the reading before", names: "inventory/") { evidence in
            let last = try evidence.record("inventory", order(3), 1)
            evidence.changeEarlier { $0.append(like: last) { _ in } }
        },
        Damage("E2", "two records at one offset", names: "payments/") { evidence in
            let record = try evidence.record("payments", order(2), 4)
            evidence.append(like: record) { _ in }
            let last = (evidence.log?.count ?? 0) - 1
            evidence.log?[last].offset -= 1
        },
        Damage("E2", "an offset that was read too late", names: "inventory/", also: ["R4", "X9"]) { evidence in
            let record = try evidence.record("inventory", order(2), 2)
            evidence.append(like: record) { _ in }
            evidence.append(like: record) { _ in }
            let last = (evidence.log?.count ?? 0) - 1
            evidence.log?.swapAt(last, last - 1)
        },
        Damage("E3", "a record that nobody can read", names: "inventory/", also: ["R4"]) { evidence in
            let record = try evidence.record("inventory", order(3), 1)
            evidence.append(like: record) {
                $0.eventID = nil
                $0.type = ""
                $0.subject = ""
                $0.sequence = 0
                $0.body = [0xFF]
            }
        },
        Damage("E4", "a duplicate with another body", names: "inventory-\(order(1))-2", also: ["R4"]) { evidence in
            let record = try evidence.record("inventory", order(1), 2)
            evidence.append(like: record) { $0.body.append(0x20) }
        },
        Damage("E4", "a duplicate of another type", names: "inventory-\(order(1))-2", also: ["E8", "R4"]) { evidence in
            let record = try evidence.record("inventory", order(1), 2)
            evidence.append(like: record) { $0.type = "waybill.stock.released.v1" }
        },
        Damage(
            "E4",
            "a duplicate about something else",
            names: "inventory-\(order(1))-2",
            also: ["E8", "L6", "R4", "X1"]
        ) {
            evidence in
            let record = try evidence.record("inventory", order(1), 2)
            evidence.append(like: record) {
                $0.subject = order(89)
                $0.key = order(89)
                $0.sequence = 1
            }
        },
        Damage(
            "E4",
            "a duplicate in another place of the order",
            names: "inventory-\(order(1))-2",
            also: ["L6", "R4", "X1"]
        ) {
            let record = try $0.record("inventory", order(1), 2)
            $0.append(like: record) { $0.sequence = 3 }
        },
        Damage("E5", "two events in the wrong order", names: order(1), also: ["E2"]) { evidence in
            let first = try evidence.index("inventory", order(1), 1)
            let second = try evidence.index("inventory", order(1), 2)
            let earlier = try evidence.record("inventory", order(1), 1).offset
            let later = try evidence.record("inventory", order(1), 2).offset
            // Each place then has the other one's event.
            evidence.log?.swapAt(first, second)
            evidence.log?[first].offset = earlier
            evidence.log?[second].offset = later
        },
        Damage("E6", "an aggregate in two partitions", names: order(1), also: ["E2", "R4"]) {
            let record = try $0.record("inventory", order(1), 2)
            try $0.removeRecord("inventory", order(1), 2)
            $0.append(like: record) { $0.partition = ($0.partition + 1) % 6 }
        },
        Damage("E6", "a duplicate in another partition", names: order(1), also: ["R4"]) {
            let record = try $0.record("inventory", order(1), 2)
            $0.append(like: record) { $0.partition = ($0.partition + 1) % 6 }
        },
        Damage("E6", "a key that is not the subject", names: "the key other") {
            try $0.change("inventory", order(1), 2) { $0.key = "other" }
        },
        Damage("E6", "a record without a key", names: "the key nothing") {
            try $0.change("inventory", order(1), 2) { $0.key = nil }
        },
    ]

    static let causes: [Damage] = [
        Damage("E7", "an event that nobody asked for", names: "command-nobody-sent") {
            try $0.change("payments", order(1), 2) { $0.causationID = "command-nobody-sent" }
        },
        Damage("E7", "a cause that another service received", names: "which payment never received") { evidence in
            guard let cause = try evidence.record("inventory", order(1), 1).causationID else { throw NotThere() }
            try evidence.change("payments", order(1), 2) { $0.causationID = cause }
        },
        Damage("E8", "a body that is no event of its type", names: "waybill.stock.refused.v1", also: ["E2", "I4"]) {
            try $0.change("inventory", order(3), 1) { $0.body = [UInt8](#"{"orderID":7}"#.utf8) }
        },
        Damage("E8", "a type that is not that of its content", names: "waybill.stock.lost.v1", also: ["I4", "X1"]) {
            try $0.change("inventory", order(3), 1) { $0.type = "waybill.stock.lost.v1" }
        },
        Damage("I4", "other content was handled under an event's id", names: "notification") { evidence in
            guard
                let index = evidence.messaging?.inbox.firstIndex(where: {
                    $0.service == "notification" && $0.outcome == "handled"
                })
            else { throw NotThere() }
            evidence.messaging?.inbox[index].bodyHash = 7
        },
        Damage("X9", "an event that is published again and again", names: "3 times after 1 interruption", also: ["R4"])
        {
            let record = try $0.record("inventory", order(1), 2)
            for _ in 1...2 { $0.append(like: record) { _ in } }
        },
        Damage(
            "L6",
            "a database that was put back to an older state",
            names: "v5",
            also: ["G4", "M2", "M4", "O2", "O6", "R3", "X1"]
        ) {
            let last = try $0.record("orders", order(1), 5)
            $0.orders?.history.removeAll { $0.aggregate == order(1) && $0.version == 5 }
            $0.orders?.orders[0].version = 4
            $0.orders?.orders[0].status = last.type.isEmpty ? "" : "confirming"
        },
        Damage("L6", "an article whose stock was set and then forgotten", names: World.mug) {
            $0.inventory?.articles?[0].stockVersion = 0
        },
    ]

    static let readModels: [Damage] = [
        Damage("R1", "a row too many", names: "TEE", also: ["R3"]) {
            $0.readModels?.tables["units_by_sku"]?.append("TEE|1")
        },
        Damage("R1", "a row too few", names: order(2), also: ["R3"]) { evidence in
            evidence.readModels?.tables["order_facts"]?.removeAll { $0.hasPrefix(order(2)) }
        },
        Damage("R1", "an order counted twice", names: "revenue_by_minute", also: ["R3"]) {
            $0.changeRows("revenue_by_minute") {
                $0.replacing("|2500|1", with: "|5000|2")
            }
        },
        Damage("R1", "an order in an older status", names: order(1), also: ["R3"]) {
            $0.changeRows("order_facts") {
                $0.replacing("|5|completed|", with: "|4|confirming|")
            }
        },
        Damage("R1", "a table that is empty", names: "payment_totals", also: ["R3"]) {
            $0.readModels?.tables["payment_totals"] = []
        },
        Damage("R1", "a table that was not read", names: "article_names") {
            $0.readModels?.tables["article_names"] = nil
        },
        Damage("R1", "offsets behind the rows", names: "has the row") { evidence in
            let record = try evidence.record("orders", order(1), 5)
            evidence.readModels?.offsets["orders/\(record.partition)"] = record.offset
        },
        Damage("R1", "offsets before the rows", names: "lacks the row", also: ["R3"]) { evidence in
            // An event that was passed over without being folded.
            let record = try evidence.record("payments", order(1), 2)
            evidence.readModels?.tables["payment_totals"]?.removeAll { $0.hasPrefix("captured|") }
            evidence.readModels?.offsets["payments/\(record.partition)"] = record.offset + 1
        },
    ]

    static let totals: [Damage] = [
        Damage("R3", "an order that analytics never saw", names: "orders cancelled", also: ["R1"]) {
            $0.readModels?.tables["order_facts"]?.removeAll { $0.hasPrefix(order(2)) }
        },
        Damage("R3", "revenue that the orders do not give", names: "revenue in EUR", also: ["R1"]) {
            $0.changeRows("revenue_by_minute") { $0.replacing("|2500|1", with: "|2600|1") }
        },
        Damage("R3", "a capture that analytics missed", names: "payments captured", also: ["R1"]) {
            $0.readModels?.tables["payment_totals"]?.removeAll { $0.hasPrefix("captured|") }
        },
        Damage("R4", "a consumer that is ahead of the log", names: "the log ends at") {
            $0.changeOffset("notification", "inventory") { $0 + 1 }
        },
        Damage("R4", "a consumer that stopped reading", names: "has not read up to") {
            $0.changeOffset("notification", "inventory") { $0 - 1 }
            $0.earlier = Milestones($0)
        },
        Damage("R4", "a consumer that never came to a partition", names: "has not read anything of") {
            $0.messaging?.offsets?.removeAll { $0.consumer == "notification" && $0.partition.hasPrefix("orders/") }
            $0.earlier = nil
        },
        Damage("R4", "an event that a consumer has passed over", names: "notification has passed over inventory/") {
            $0.messaging?.inbox.removeAll {
                $0.consumer == "notification" && $0.messageID == "inventory-\(order(1))-2"
            }
        },
        Damage("R4", "a consumer whose place is gone since the reading before", names: "to 0") {
            $0.isQuiescent = false
            $0.messaging?.offsets?.removeAll { $0.consumer == "notification" }
        },
        Damage("R4", "a consumer that went back", names: "went back") {
            $0.changeOffset("notification", "inventory") { $0 - 1 }
        },
    ]
}
