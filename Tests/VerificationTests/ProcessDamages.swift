import Verification
import Webhooks

extension Damages {
    static let answers: [Damage] = [
        Damage("A3", "a repeated request got another answer", names: "key-1") { evidence in
            try evidence.changeEntry("key-1") { $0.answers.append("answer-other") }
        },
        Damage("A3", "a key stands for an order that was not the answer", names: order(3), also: ["A1"]) { evidence in
            try evidence.changeEntry("key-1") { $0.orders = [order(1)] }
            evidence.orders?.keys[0].order = order(3)
        },
        Damage("A4", "an acknowledged order that was not found", names: order(2)) { evidence in
            try evidence.changeEntry("key-2") { $0.reads = [200, 404] }
        },
    ]

    static let calls: [Damage] = [
        Damage("M3", "a call that is still unclear", names: "still unknown", also: ["G6"]) {
            try $0.changeIntent("authorize-1") { $0.state = "unknown" }
        },
        Damage("M3", "a success that the gateway does not know", names: "no such line", also: ["L4", "M2", "O5", "R3"])
        {
            try $0.removeOperation("capture", order(1))
        },
        Damage("M3", "given up, and done by the gateway", names: "abandoned") {
            try $0.changeIntent("authorize-1") { $0.state = "abandoned" }
        },
        Damage("M3", "a key that the gateway used for something else", names: "is void for") { evidence in
            guard let index = evidence.gateway?.firstIndex(where: { $0.key == "authorize-1" }) else { throw NotThere() }
            evidence.gateway?[index].operation = "void"
        },
        Damage("M4", "given back in two parts", names: "1000 + 1500", also: ["L5", "M6", "R3"]) { evidence in
            guard let index = evidence.gateway?.firstIndex(where: { $0.key == "refund-2" }) else { throw NotThere() }
            evidence.gateway?[index].amount = 1000
            evidence.operate("refund", "refund-2-rest", order(2), amount: 1500)
        },
        Damage(
            "M4",
            "a completed order whose money was given back",
            names: "completed",
            also: ["L4", "L5", "M2", "O5", "R3"]
        ) {
            $0.operate("refund", "refund-1", order(1), amount: 2500)
        },
        Damage("L5", "money that moved and was not booked", names: "refund for order", also: ["L3", "L4"]) {
            $0.payments?.chain.removeLast()
            $0.payments?.entries.removeAll { $0.transaction == "3" }
        },
    ]

    static let processes: [Damage] = [
        Damage("G2", "cancelled, and the stock never let go", names: "never let go", also: ["I2"]) {
            try $0.removeInput("stock-released", order(2))
        },
        Damage("G2", "cancelled, and the payment never cancelled", names: "never cancelled", also: ["I2"]) {
            try $0.removeInput("payment-cancelled", order(2))
        },
        Damage("G2", "completed, and also undone", names: "release-stock was asked for") {
            $0.orders?.journal?.append(
                .init(
                    order: order(1),
                    input: "deadline-compensation",
                    disposition: "late",
                    messageID: nil,
                    sent: [.init(name: "release-stock", messageID: "x")]
                )
            )
        },
        Damage("G2", "rejected, and inventory never refused", names: order(3), also: ["I2"]) {
            try $0.removeInput("stock-refused", order(3))
        },
        Damage("G2", "decided twice", names: "decided 2 times", also: ["G4", "O1", "O2", "O3", "R3", "X1"]) {
            try $0.changeHistory(\.orderHistory, order(2), 5) { $0.to = "completed" }
            try $0.changeHistory(\.orderHistory, order(2), 6) {
                $0.from = "completed"
                $0.to = "cancelling"
            }
            $0.orders?.orders[1].status = "cancelling"
        },
        Damage("G3", "a deadline that decided twice", names: "deadline-payment decided 2 times") {
            for _ in 1...2 {
                $0.orders?.journal?.append(
                    .init(order: order(2), input: "deadline-payment", disposition: "applied", messageID: nil)
                )
            }
        },
        Damage("G3", "cancelled while the capture is unclear", names: "cancelled while its capture", also: ["M3"]) {
            try $0.changeIntent("capture-2") {
                $0.state = "unknown"
                $0.isDue = true
            }
        },
        Damage("G4", "an open order that nothing will wake", names: order(3), also: ["O2", "R3", "X1"]) {
            $0.orders?.orders[2].status = "awaitingPayment"
            try $0.changeHistory(\.orderHistory, order(3), 3) { $0.to = "awaitingPayment" }
        },
        Damage("G4", "a hold that never expires", names: "will never expire", also: ["O5", "S2", "S3"]) {
            $0.inventory?.reservations[order(3)] = "held"
        },
        Damage("G6", "a refund that was forgotten", names: "refunding and nothing is due") {
            $0.payments?.states[order(2)] = "refunding"
        },
        Damage("G6", "a call that is never looked at again", names: "never due", also: ["M3"]) {
            try $0.changeIntent("authorize-1") { $0.state = "calling" }
        },
    ]

    static let webhooks: [Damage] = [
        Damage("W1", "an event that was wanted and has no delivery", names: "orders-\(order(1))-1", also: ["W3"]) {
            $0.webhooks?.deliveries.remove(at: 0)
            $0.webhooks?.attempts[0].number = 2
        },
        Damage("W1", "an event that was recorded and forgotten", names: "was recorded and has no delivery") {
            $0.webhooks?.events["inventory-\(order(1))-1"] = .init(type: "waybill.stock.reserved.v1", recordedAt: 0)
        },
        Damage("W1", "one of two that want an event got it", names: "endpoint late wants event orders-") {
            let recorded = try $0.recordedAt("orders-\(order(1))-2")
            $0.webhooks?.endpoints.append(
                .init(id: "late", unchangedSince: recorded - 1, eventTypes: ["waybill.order.*"])
            )
        },
        Damage("W1", "somebody got an event that was not wanted", names: "endpoint ep does not want event orders-") {
            let type = try $0.typeOfWebhook("orders-\(order(1))-1")
            $0.webhooks?.endpoints[0].settings.eventTypes = [type]
        },
        Damage("W1", "an event that was wanted was passed over", names: "was passed over, and endpoint all wants it") {
            let moment = World.start
            $0.webhooks?.endpoints.append(.init(id: "all", unchangedSince: moment, eventTypes: ["waybill.stock.*"]))
        },
        Damage("W1", "called delivered, and no attempt succeeded", names: "no attempt succeeded") {
            $0.webhooks?.attempts[1].state = "failed"
        },
        Damage("W1", "given up without trying", names: "no attempt failed") {
            $0.webhooks?.deliveries[0].state = "exhausted"
            $0.webhooks?.attempts[0].state = "interrupted"
        },
        Damage("W1", "being sent and no attempt begun", names: "no attempt was begun") {
            $0.webhooks?.deliveries[0].state = "sending"
        },
        Damage("W1", "never tried", names: "never tried", also: ["W3"]) {
            $0.webhooks?.deliveries[0].state = "pending"
            $0.webhooks?.deliveries[0].attempts = 0
            $0.webhooks?.attempts.removeFirst(2)
        },
        Damage("W1", "called delivered, and its receiver never took it", names: "ep never took it") {
            $0.receipts?[1].status = 500
        },
        Damage("W2", "two contents under one id", names: "two contents") { $0.receipts?[1].digest = "digest-other" },
        Damage("W2", "a request that could not be verified", names: "request 2") { $0.receipts?[1].isVerified = false },
        Damage("W2", "a webhook that was never recorded", names: "phantom") {
            $0.receipts?.append(.init(event: "phantom", digest: "d", isVerified: true, status: 204))
        },
        Damage("W3", "an attempt is missing", names: "no attempt 1") { $0.webhooks?.attempts.remove(at: 0) },
        Damage("W3", "an attempt too early", names: "1 ms early") { $0.webhooks?.attempts[1].startedAt -= 1 },
        Damage("W3", "tried again after it had arrived", names: "had succeeded") { evidence in
            guard var attempt = evidence.webhooks?.attempts[1] else { throw NotThere() }
            attempt.number = 3
            evidence.webhooks?.attempts.append(attempt)
            evidence.webhooks?.deliveries[0].attempts = 3
        },
        Damage("W3", "more attempts counted than there are", names: "counts 3") {
            $0.webhooks?.deliveries[0].attempts = 3
        },
        Damage("W3", "a request for which no attempt was written down", names: "3 times, by 2 attempts") { evidence in
            guard let receipt = evidence.receipts?[1] else { throw NotThere() }
            evidence.receipts?.append(receipt)
        },
    ]

    static let deadLetters: [Damage] = [
        Damage("D1", "an innocent message among the dead letters", names: "poison-1") { $0.poison?.remove("poison-1") },
        Damage("D1", "poison that nobody caught", names: "poison-3") { $0.poison?.insert("poison-3") },
        Damage("D1", "a letter whose message nobody could name", names: "has no id") {
            $0.deadLetters?[0].messageID = nil
            $0.poison?.remove("poison-1")
        },
        Damage("D3", "a letter without a reason", names: "letter 1") { $0.deadLetters?[0].code = "" },
        Damage("D3", "a class that nobody knows", names: "lost") { $0.deadLetters?[0].failureClass = "lost" },
        Damage("D4", "sent back twice", names: "went back 2 times") {
            $0.deadLetters?[1].requeues = 2
            $0.deadLetters?[1].requeueActs = 2
        },
        Damage("D4", "sent back by nobody", names: "0 acts") { $0.deadLetters?[1].requeueActs = 0 },
        Damage("D4", "held, and yet sent back", names: "is held") { $0.deadLetters?[1].state = "held" },
        Damage("D4", "sent back and lost", names: "neither arrived") {
            $0.messaging?.inbox.removeAll { $0.messageID == "poison-2" }
        },
    ]
}

extension Evidence {
    fileprivate mutating func changeEntry(_ key: String, _ body: (inout LoadEntry) -> Void) throws {
        guard let index = load?.firstIndex(where: { $0.key == key }), var entry = load?[index] else { throw NotThere() }
        body(&entry)
        load?[index] = entry
    }

    fileprivate mutating func changeIntent(_ key: String, _ body: (inout PaymentEvidence.Intent) -> Void) throws {
        guard let index = payments?.intents?.firstIndex(where: { $0.key == key }),
            var intent = payments?.intents?[index]
        else { throw NotThere() }
        body(&intent)
        payments?.intents?[index] = intent
    }

    fileprivate mutating func removeInput(_ input: String, _ order: String) throws {
        let before = orders?.journal?.count
        orders?.journal?.removeAll { $0.input == input && $0.order == order }
        guard orders?.journal?.count != before else { throw NotThere() }
    }
}
