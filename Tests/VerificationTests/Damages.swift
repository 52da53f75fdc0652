import Verification

/// Every way in which each check can fail, done by hand to the good evidence: order 1 completed, 2 cancelled after its money
/// was taken, 3 rejected.
enum Damages {
    static let all: [Damage] =
        acceptance + orders + ends + money + calls + ledger + stock + outbox + inbox + eventLog + causes + readModels
        + totals + answers + processes + webhooks + deadLetters

    static let acceptance: [Damage] = [
        Damage("A1", "one key made two orders", names: "key-1") { $0.orders?.keys[1].key = "key-1" },
        Damage("A1", "the client got two orders for one key", names: order(2)) { evidence in
            guard let index = evidence.load?.firstIndex(where: { $0.key == "key-1" }) else { throw NotThere() }
            evidence.load?[index].orders.append("00000000-0000-7000-8000-000000000002")
            evidence.load?.removeAll { $0.key == "key-2" }
            evidence.orders?.keys.removeAll { $0.key == "key-2" }
        },
        Damage("A1", "two keys made one order", names: "key-9") { $0.orders?.keys.append(("key-9", order(1))) },
        Damage("A2", "an acknowledged order is lost", names: order(99)) {
            $0.load?.append(LoadEntry(key: "key-99", outcome: .ok, orders: [order(99)]))
        },
        Damage("A2", "an acknowledgement names no order", names: "key-99") {
            $0.load?.append(LoadEntry(key: "key-99", outcome: .ok, orders: []))
        },
        Damage("A2", "a refused request made an order", names: "key-3") { evidence in
            guard let index = evidence.load?.firstIndex(where: { $0.key == "key-3" }) else { throw NotThere() }
            evidence.load?[index] = LoadEntry(key: "key-3", outcome: .fail, orders: [])
        },
    ]

    static let orders: [Damage] = [
        Damage("O1", "a step that the machine does not have", names: order(1), also: ["G2", "X1"]) {
            try $0.changeHistory(\.orderHistory, order(1), 3) { $0.to = "cancelling" }
            try $0.changeHistory(\.orderHistory, order(1), 4) { $0.from = "cancelling" }
        },
        Damage("O1", "a status that nobody knows", names: "lost", also: ["X1"]) {
            try $0.changeHistory(\.orderHistory, order(1), 3) { $0.to = "lost" }
            try $0.changeHistory(\.orderHistory, order(1), 4) { $0.from = "lost" }
        },
        Damage("O1", "a life that does not begin at placed", names: order(3), also: ["X1"]) {
            try $0.changeHistory(\.orderHistory, order(3), 1) { $0.to = "awaitingStock" }
            try $0.changeHistory(\.orderHistory, order(3), 2) { $0.from = "awaitingStock" }
        },
        Damage("O1", "a step leaves a status that was not the last", names: order(1)) {
            try $0.changeHistory(\.orderHistory, order(1), 4) { $0.from = "awaitingStock" }
        },
        Damage("O1", "a version is missing", names: order(1), also: ["X1"]) {
            $0.orders?.history.removeAll { $0.aggregate == order(1) && $0.version == 3 }
        },
        Damage("O1", "a version stands twice", names: order(1), also: ["G2"]) {
            $0.orders?.history.append(
                HistoryRow(aggregate: order(1), version: 5, from: "confirming", to: "completed")
            )
        },
        Damage("O1", "the order's version is not that of its history", names: order(2)) {
            $0.orders?.orders[1].version = 7
        },
        Damage("O1", "the order's status is not that of its history", names: order(3), also: ["G2", "R3"]) {
            $0.orders?.orders[2].status = "cancelled"
        },
        Damage("O1", "a history without its order", names: order(50), also: ["X1"]) {
            $0.orders?.history.append(HistoryRow(aggregate: order(50), version: 1, from: nil, to: "placed"))
        },
        Damage("O1", "an order without a history", names: order(51), also: ["G2", "R3"]) {
            $0.orders?.orders.append(
                .init(
                    id: order(51),
                    status: "rejected",
                    version: 1,
                    total: 0,
                    currency: "EUR",
                    linesTotal: 0,
                    units: [:]
                )
            )
        },
        Damage("O2", "an order that hangs", names: order(3), also: ["G4", "R3", "X1"]) {
            $0.orders?.orders[2].status = "awaitingPayment"
            try $0.changeHistory(\.orderHistory, order(3), 3) { $0.to = "awaitingPayment" }
        },
        Damage("O3", "an order that goes on after its end", names: order(3), also: ["G2", "O1", "R3", "X1"]) {
            $0.orders?.history.append(HistoryRow(aggregate: order(3), version: 4, from: "rejected", to: "cancelled"))
            $0.orders?.orders[2].status = "cancelled"
            $0.orders?.orders[2].version = 4
        },
        Damage("O4", "a total that is not that of the lines", names: order(1)) {
            $0.orders?.orders[0].linesTotal = 2499
        },
        Damage("O2", "an order asks for an operator and nothing is left to undo", names: order(2), also: ["R3", "X1"]) {
            $0.orders?.orders[1].status = "needsOperator"
            try $0.changeHistory(\.orderHistory, order(2), 6) { $0.to = "needsOperator" }
        },
        Damage("O6", "an order went back since the reading before", names: "was at v6") {
            $0.changeEarlier { $0.orders?.orders[0].version = 6 }
        },
        Damage("O6", "an order is gone since the reading before", names: order(52)) {
            $0.changeEarlier { evidence in
                guard var order = evidence.orders?.orders.first else { return }
                order.id = "00000000-0000-7000-8000-000000000052"
                evidence.orders?.orders.append(order)
            }
        },
        Damage("O4", "lines whose sum does not fit", names: "overflow") { $0.orders?.orders[0].linesTotal = nil },
    ]

    static let ends: [Damage] = [
        Damage("O5", "completed and not paid", names: order(1), also: ["L4", "M2", "M3", "R3"]) {
            try $0.removeOperation("capture", order(1))
        },
        Damage("O5", "completed and too little taken", names: "2499", also: ["L4", "M2", "M6", "R3"]) {
            guard let index = $0.gateway?.firstIndex(where: { $0.key == "capture-1" }) else { throw NotThere() }
            $0.gateway?[index].amount = 2499
        },
        Damage("O5", "completed and the pieces only held", names: order(1), also: ["G4", "S2", "S3", "S4"]) {
            $0.inventory?.reservations[order(1)] = "held"
        },
        Damage("O5", "completed without a reservation", names: order(1), also: ["S3", "S4"]) {
            $0.inventory?.reservations[order(1)] = nil
        },
        Damage("O5", "cancelled and the money kept", names: order(2), also: ["L4", "M2", "M3", "M4", "R3"]) {
            try $0.removeOperation("refund", order(2))
        },
        Damage("O5", "cancelled and the pieces still held", names: order(2), also: ["G4", "S2", "S3"]) {
            $0.inventory?.reservations[order(2)] = "held"
        },
        Damage("O5", "rejected and the pieces gone", names: order(3), also: ["S3", "S4"]) {
            $0.inventory?.reservations[order(3)] = "committed"
        },
    ]

    static let money: [Damage] = [
        Damage("M1", "an order that was charged twice", names: order(1), also: ["L4", "L5", "M2", "O5", "R3"]) {
            $0.operate("capture", "capture-1-again", order(1), amount: 2500)
        },
        Damage("M1", "a key that succeeded twice", names: "authorize-1") {
            $0.operate("authorize", "authorize-1", order(1), amount: 2500)
        },
        Damage(
            "M2",
            "money taken for an order that is not there",
            names: order(77),
            also: ["L4", "L5", "M4", "M6", "R3"]
        ) {
            $0.operate("capture", "capture-77", order(77), amount: 100)
        },
        Damage("M2", "money kept of a rejected order", names: order(3), also: ["L4", "L5", "M4", "M6", "O5", "R3"]) {
            $0.operate("capture", "capture-3", order(3), amount: 100)
        },
        Damage("M6", "money in another currency", names: "USD") {
            guard let index = $0.gateway?.firstIndex(where: { $0.key == "authorize-1" }) else { throw NotThere() }
            $0.gateway?[index].currency = "USD"
        },
        Damage("M6", "less set aside than the order costs", names: "2499") {
            guard let index = $0.gateway?.firstIndex(where: { $0.key == "authorize-1" }) else { throw NotThere() }
            $0.gateway?[index].amount = 2499
        },
        Damage("M6", "money for an order that nobody placed", names: order(77)) {
            $0.operate("authorize", "authorize-77", order(77), amount: 2500)
        },
        Damage("M5", "a second refund", names: order(2), also: ["L4", "L5", "M2", "M4", "O5", "R3"]) {
            $0.operate("refund", "refund-2-again", order(2), amount: 2500)
        },
        Damage("M5", "a refund before the capture", names: order(2)) { evidence in
            guard let capture = evidence.gateway?.firstIndex(where: { $0.key == "capture-2" }),
                let refund = evidence.gateway?.firstIndex(where: { $0.key == "refund-2" })
            else { throw NotThere() }
            evidence.gateway?.swapAt(capture, refund)
        },
        Damage("M7", "a call that was not written down", names: "authorize-99") {
            $0.operate("authorize", "authorize-99", order(1), amount: 2500, intent: false)
        },
        Damage("M7", "a call whose intent is gone, although it was declined", names: "authorize-2", also: ["M3"]) {
            guard let index = $0.gateway?.firstIndex(where: { $0.key == "authorize-2" }) else { throw NotThere() }
            $0.gateway?[index].result = "declined"
            $0.payments?.intentKeys.remove("authorize-2")
        },
        Damage("M8", "captured without an authorization", names: order(1), also: ["X1"]) {
            try $0.changeHistory(\.paymentHistory, order(1), 1) { $0.to = "captured" }
            try $0.changeHistory(\.paymentHistory, order(1), 2) {
                $0.from = "captured"
                $0.to = "refunded"
            }
        },
        Damage("M8", "a milestone that nobody knows", names: "lost", also: ["X1"]) {
            try $0.changeHistory(\.paymentHistory, order(1), 2) { $0.to = "lost" }
        },
        Damage("M8", "a step that milestones do not have", names: "refunded", also: ["X1"]) {
            try $0.changeHistory(\.paymentHistory, order(1), 2) { $0.to = "refunded" }
        },
        Damage("M8", "a version is missing", names: order(2), also: ["X1"]) {
            $0.payments?.history.removeAll { $0.aggregate == order(2) && $0.version == 3 }
        },
    ]

    static let ledger: [Damage] = [
        Damage("L1", "two transactions whose errors cancel out", names: "transaction 2") {
            $0.payments?.entries[1].amount -= 1
            $0.payments?.entries[3].amount += 1
        },
        Damage("L1", "two currencies in one transaction", names: "transaction 1", also: ["L2"]) {
            $0.payments?.entries[1].currency = "USD"
        },
        Damage("L2", "money out of nothing", names: "EUR", also: ["L1"]) { $0.payments?.entries[1].amount += 1 },
        Damage("L2", "an entry is gone", names: "EUR", also: ["L1"]) { $0.payments?.entries.remove(at: 1) },
        Damage("L3", "a row was edited: the hash is another", names: "transaction 2") {
            $0.payments?.chain[1].computedHash = "hash-other"
        },
        Damage("L3", "a transaction is gone", names: "transaction 2", also: ["L5"]) {
            $0.payments?.chain.remove(at: 1)
        },
        Damage("L5", "an event was booked twice", names: "capture-1") { $0.payments?.chain[1].source = "capture-1" },
        Damage("L3", "entries that no transaction covers", names: "transaction 99") {
            for amount: Int64 in [5, -5] {
                $0.payments?.entries.append(
                    .init(transaction: "99", account: "revenue", amount: amount, currency: "EUR")
                )
            }
        },
        Damage("L3", "the beginning of the ledger changed since the reading before", names: "the first 3 transactions")
        {
            $0.changeEarlier { $0.payments?.chain[0].storedHash = "hash-other" }
        },
        Damage("L4", "money that is left in suspense", names: "suspense") {
            $0.payments?.entries[1].account = LedgerAccounts.suspense
        },
        Damage("L5", "a booking that nobody intended", names: "capture-77") {
            $0.payments?.chain[0].source = "capture-77"
            $0.payments?.intents?.removeAll { $0.key == "capture-1" }
        },
        Damage("L4", "more booked than the gateway took", names: "EUR") {
            $0.payments?.entries[0].amount += 1
            $0.payments?.entries[1].amount -= 1
        },
        Damage("L4", "taken and not booked", names: "EUR", also: ["L3", "L5"]) {
            $0.payments?.entries.removeAll { $0.transaction == "3" }
            $0.payments?.chain.removeAll { $0.transaction == "3" }
        },
    ]

    static let stock: [Damage] = [
        Damage("S1", "more reserved than on hand", names: "5000", also: ["S2"]) {
            $0.inventory?.levels[0].reserved = 5000
        },
        Damage("S1", "less than nothing reserved", names: "-1", also: ["S2"]) { $0.inventory?.levels[0].reserved = -1 },
        Damage("S1", "less than nothing on hand", names: "-1", also: ["S2"]) {
            $0.inventory?.levels[0].onHand = -1
        },
        Damage("S2", "a level that the movements do not give", names: World.mug) {
            $0.inventory?.levels[0].onHand -= 1
        },
        Damage("S2", "reserved for nobody", names: World.mug) { $0.inventory?.levels[0].reserved = 1 },
        Damage("S2", "moved and without a level", names: "TEE", also: ["S6"]) {
            $0.inventory?.movements.append(.init(sku: "TEE", kind: "adjusted", change: 5, onHand: 5, order: nil))
        },
        Damage("S2", "held and without a level", names: "TEE", also: ["G4", "S3", "X1"]) {
            $0.inventory?.reservations[order(60)] = "held"
            $0.inventory?.lines.append(.init(order: order(60), sku: "TEE", quantity: 1))
            $0.inventory?.history.append(HistoryRow(aggregate: order(60), version: 1, from: nil, to: "lost"))
        },
        Damage("S3", "a step that the machine does not have", names: order(1), also: ["X1"]) {
            try $0.changeHistory(\.stockHistory, order(1), 1) { $0.to = "refused" }
            try $0.changeHistory(\.stockHistory, order(1), 2) { $0.from = "refused" }
        },
        Damage("S3", "a status that nobody knows", names: "lost", also: ["X1"]) {
            try $0.changeHistory(\.stockHistory, order(1), 1) { $0.to = "lost" }
            try $0.changeHistory(\.stockHistory, order(1), 2) { $0.from = "lost" }
        },
        Damage("S3", "the reservation is not what its history says", names: order(2)) {
            $0.inventory?.reservations[order(2)] = "expired"
        },
        Damage("S3", "a reservation without a history", names: order(60)) {
            $0.inventory?.reservations[order(60)] = "released"
        },
        Damage("S3", "a version is missing", names: order(2), also: ["X1"]) {
            $0.inventory?.history.removeAll { $0.aggregate == order(2) && $0.version == 1 }
        },
        Damage(
            "S5",
            "held again after it was let go",
            names: "released and then held",
            also: ["G4", "O5", "S2", "S3", "X1"]
        ) {
            $0.inventory?.history.append(HistoryRow(aggregate: order(2), version: 3, from: "released", to: "held"))
            $0.inventory?.reservations[order(2)] = "held"
        },
        Damage("S5", "a tombstone with pieces", names: order(61), also: ["X1"]) {
            $0.inventory?.history.append(HistoryRow(aggregate: order(61), version: 1, from: nil, to: "released"))
            $0.inventory?.reservations[order(61)] = "released"
            $0.inventory?.lines.append(.init(order: order(61), sku: World.mug, quantity: 1))
        },
        Damage("S5", "sold after it had come back", names: "after it had been returned", also: ["S6"]) {
            $0.inventory?.movements += [
                .init(sku: World.mug, kind: "returned", change: 2, onHand: 1000, order: order(1)),
                .init(sku: World.mug, kind: "sold", change: -2, onHand: 998, order: order(1)),
            ]
        },
        Damage("S6", "a movement that no event tells", names: "MUG adjusted") {
            $0.inventory?.movements.append(
                .init(sku: World.mug, kind: "adjusted", change: 5, onHand: 1003, order: nil)
            )
            $0.inventory?.levels[0].onHand = 1003
        },
        Damage("S4", "sold before there was anything", names: "fell to -2") { $0.inventory?.movements.swapAt(0, 1) },
        Damage("S4", "a movement that tells another level", names: "movement 2") {
            $0.inventory?.movements[1].onHand += 1
        },
        Damage("S4", "sold twice to one order", names: order(1), also: ["S6"]) {
            $0.inventory?.movements.append(
                .init(sku: World.mug, kind: "sold", change: -2, onHand: 996, order: order(1))
            )
            $0.inventory?.levels[0].onHand = 996
        },
        Damage("S4", "sold to an order that reserved nothing", names: order(70), also: ["S6"]) {
            $0.inventory?.movements.append(
                .init(sku: World.mug, kind: "sold", change: -2, onHand: 996, order: order(70))
            )
            $0.inventory?.levels[0].onHand = 996
        },
        Damage("S4", "committed and never left the house", names: order(1), also: ["S6"]) {
            $0.inventory?.movements.remove(at: 1)
            $0.inventory?.levels[0].onHand = 1000
        },
    ]

    static let inbox: [Damage] = [
        Damage("I1", "one message with two effects", names: "reply-1-2") {
            guard let effect = $0.messaging?.effects.first else { throw NotThere() }
            $0.messaging?.effects.append(effect)
        },
        Damage("I1", "one message twice in an inbox", names: "late-2") { evidence in
            guard let row = evidence.messaging?.inbox.first(where: { $0.messageID == "late-2" }) else {
                throw NotThere()
            }
            evidence.messaging?.inbox.append(row)
        },
        Damage("I2", "called handled, and without effect", names: "reply-9-9") {
            $0.messaging?.inbox.append(
                .init(service: "order", consumer: "order.inbox", messageID: "reply-9-9", outcome: "handled")
            )
        },
        Damage("I2", "an effect that the inbox does not know", names: "reply-1-2") {
            $0.messaging?.inbox.removeAll { $0.messageID == "reply-1-2" }
        },
        Damage("I2", "an effect whose inbox row is another consumer's", names: "reply-1-2") { evidence in
            guard let index = evidence.messaging?.inbox.firstIndex(where: { $0.messageID == "reply-1-2" }) else {
                throw NotThere()
            }
            evidence.messaging?.inbox[index].consumer = "another"
        },
    ]
}
