import CardGateway
import Commerce
import Messaging
import Simulation
import Verification

extension World {
    /// Everything that `waybill verify` would read from a run directory.
    func evidence(isQuiescent: Bool) throws -> Evidence {
        var evidence = Evidence()
        evidence.isQuiescent = isQuiescent
        for node in nodes { try node.disk.addEvidence(of: node.name, to: &evidence) }
        evidence.gateway = gateway.book.entries.map { entry in
            Verification.GatewayOperation(
                sequence: entry.seq,
                operation: entry.operation.rawValue,
                result: entry.result.rawValue,
                key: entry.key,
                reference: entry.reference,
                amount: entry.amount,
                currency: entry.currency
            )
        }
        evidence.log = reading.records(of: log)
        evidence.load = customers.history
        evidence.receipts = subscribers.arrivals.map { arrival in
            WebhookReceipt(
                event: arrival.id,
                digest: ContentDigest.text(of: arrival.body),
                isVerified: arrival.isVerified,
                status: arrival.status
            )
        }
        return evidence
    }

    /// Holds every invariant that can be held at this moment against the world.
    func verify(isQuiescent: Bool) {
        guard let evidence = attempt({ try evidence(isQuiescent: isQuiescent) }) else { return }
        for check in Check.all where isQuiescent || check.moment == .always {
            switch check.examine(evidence).verdict {
            case .holds: break
            case .violated(let count, let example):
                violate(check.id, "\(check.title): \(example)\(count > 1 ? " (and \(count - 1) more)" : "")")
            case .notExamined: if isQuiescent { unexamined.append(check.id) }
            }
        }
        checkMarks()
        if isQuiescent {
            checkDeadLetters()
            checkWebhooks()
            checkPayments()
            checkOrders()
        }
    }

    /// X5: a row is called published only if a broker confirmed it.
    private func checkMarks() {
        for name in [ServiceName.order, .payment, .inventory] {
            let rows = attempt {
                try node(name).disk.rows("SELECT message_id FROM outbox WHERE published_at IS NOT NULL")
            }
            for row in rows ?? [] where !messages.confirmed.contains(row[0]) {
                violate("X5", "\(name): message \(row[0]) is called published and no broker confirmed it")
            }
        }
    }

    /// D1: the dead letters are exactly the messages that deserve it.
    func checkDeadLetters() {
        for (name, inbox) in [
            (ServiceName.order, Channels.orderInbox), (.payment, Channels.paymentInbox),
            (.inventory, Channels.inventoryInbox),
        ] {
            let letters = attempt { try node(name).disk.rows("SELECT body, code, type FROM dead_letters") } ?? []
            let deserved = messages.poison.filter { $0.inbox == inbox }.map { String(decoding: $0.body, as: UTF8.self) }
            for letter in letters where !deserved.contains(letter[0]) {
                violate("D1", "\(inbox): an innocent \(letter[2]) is a dead letter (\(letter[1]))")
            }
            // An inbox that was wiped may have taken a message with it that nobody has seen.
            if !messages.wiped.contains(inbox) {
                let held = Set(letters.map { $0[0] })
                for body in deserved where !held.contains(body) {
                    violate("D1", "\(inbox): a message that deserves it is not a dead letter: \(body.prefix(60))")
                }
            }
        }
    }

    /// W1: every event that somebody wants was taken, or is visibly given up.
    private func checkWebhooks() {
        let rows = attempt {
            try node(.notification).disk.rows(
                """
                SELECT d.message_id, e.url, d.state, e.state FROM webhook_deliveries d
                JOIN webhook_endpoints e ON e.id = d.endpoint_id
                """
            )
        }
        var known: [String: (state: String, endpoint: String)] = [:]
        for row in rows ?? [] { known[row[1] + " " + row[0]] = (row[2], row[3]) }
        for record in log.all {
            for subscription in subscribers.subscriptions
            where subscription.types.contains(where: { record.envelope.type.hasPrefix($0.dropLast(1)) }) {
                let id = record.envelope.id
                guard let delivery = known[subscription.url + " " + id] else {
                    violate("W1", "event \(id) (\(record.envelope.type)) was never meant for \(subscription.url)")
                    continue
                }
                switch delivery.state {
                case "delivered":
                    if !subscribers.hasTaken(id, at: subscription.url) {
                        violate("W1", "event \(id) is called delivered, and \(subscription.url) never took it")
                    }
                case "exhausted", "parked", "skipped": break
                default:
                    if delivery.endpoint == "enabled" {
                        violate("W1", "event \(id) is still \(delivery.state) for \(subscription.url)")
                    }
                }
            }
        }
    }

    /// M3: no payment is left half-way, and each agrees with its order.
    private func checkPayments() {
        let rows = attempt { try node(.payment).disk.rows("SELECT order_id, phase FROM payments") } ?? []
        let completed = Set(
            (attempt { try node(.order).disk.rows("SELECT id FROM orders WHERE status = 'completed'") } ?? []).map {
                $0[0]
            }
        )
        for row in rows {
            if !["captured", "declined", "cancelled"].contains(row[1]) {
                violate("M3", "the payment of order \(row[0]) is left \(row[1])")
            }
            if (row[1] == "captured") != completed.contains(row[0]) {
                violate("M3", "the payment of order \(row[0]) is \(row[1]), which is not how its order ended")
            }
        }
        let open = attempt {
            try node(.payment).disk.rows(
                "SELECT order_id, kind, state FROM intents WHERE state IN ('prepared', 'calling', 'unknown')"
            )
        }
        for row in open ?? [] { violate("M3", "the \(row[1]) of order \(row[0]) is left \(row[2])") }
        // An authorization that nobody uses or sets free holds a customer's money.
        var held: Set<String> = []
        for entry in gateway.book.entries where entry.result == .succeeded {
            switch entry.operation {
            case .authorize: held.insert(entry.reference)
            case .capture, .void: held.remove(entry.reference)
            case .refund: break
            }
        }
        for reference in held.sorted() {
            violate("M3", "the gateway still holds an authorization for order \(reference)")
        }
    }

    private func checkOrders() {
        // I1, the other way round: what the inbox calls handled has left its entry in the journal.
        let lost = attempt {
            try node(.order).disk.rows(
                """
                SELECT message_id, type FROM inbox WHERE consumer = 'order.inbox' AND outcome <> 'refused' AND message_id
                    NOT IN (SELECT message_id FROM order_inputs WHERE message_id IS NOT NULL)
                """
            )
        }
        for row in lost ?? [] {
            violate("I1", "order.inbox: message \(row[0]) (\(row[1])) is in the inbox and had no effect")
        }
        let rows = attempt { try node(.order).disk.rows("SELECT id FROM orders WHERE status = 'needsOperator'") } ?? []
        for row in rows { violate("G4", "order \(row[0]) was left to a person, and no fault was beyond repair") }
        let parked = ServiceName.allCases.map { name in
            (
                name,
                attempt { try node(name).disk.number("SELECT count(*) FROM outbox WHERE parked_at IS NOT NULL") } ?? nil
            )
        }
        for (name, count) in parked where count != 0 { violate("X7", "\(name): \(count ?? -1) rows are parked") }
    }

    /// Situations that the tables tell of.
    func recognizeSituations() {
        func note(_ situation: Situation, _ name: ServiceName, _ sql: String) {
            if let count = attempt({ try node(name).disk.number(sql) }) ?? nil, count > 0 {
                reached[situation, default: 0] += Int(count)
            }
        }
        note(.completed, .order, "SELECT count(*) FROM orders WHERE status = 'completed'")
        note(.rejected, .order, "SELECT count(*) FROM orders WHERE status = 'rejected'")
        note(.outOfStock, .order, "SELECT count(*) FROM orders WHERE status = 'rejected' AND reason = 'out-of-stock'")
        note(
            .cancelledByCustomer,
            .order,
            "SELECT count(*) FROM orders WHERE status = 'cancelled' AND reason = 'customer'"
        )
        note(
            .cancelledByDeadline,
            .order,
            "SELECT count(*) FROM orders WHERE status = 'cancelled' AND reason = 'deadline'"
        )
        note(
            .cancelledByDecline,
            .order,
            "SELECT count(*) FROM orders WHERE status = 'cancelled' AND reason IN ('card-declined', 'insufficient-funds')"
        )
        note(
            .compensationRepeated,
            .order,
            "SELECT count(*) FROM order_inputs WHERE input = 'deadline-compensation' AND disposition = 'applied'"
        )
        note(
            .commitRepeated,
            .order,
            "SELECT count(*) FROM order_inputs WHERE input = 'deadline-confirmation' AND sent LIKE 'commit-stock%'"
        )
        note(
            .stockTombstone,
            .inventory,
            "SELECT count(*) FROM outbox WHERE transport = 'amqp' AND CAST(body AS TEXT) LIKE '%\"order-cancelled\"%'"
        )
        note(
            .paymentTombstone,
            .payment,
            """
            SELECT count(*) FROM outbox o JOIN payments p ON p.order_id = o.subject
            WHERE p.amount IS NULL AND o.type = '\(PaymentFailed.messageType)'
            """
        )
        note(
            .givenUp,
            .payment,
            "SELECT count(*) FROM payment_history WHERE to_status = 'failed' AND reason = 'gateway-unresolved'"
        )
        note(
            .lateRefunded,
            .payment,
            "SELECT count(*) FROM payments WHERE capture_account = 'suspense' AND refunded = 1 AND phase = 'cancelled'"
        )
        note(.voided, .payment, "SELECT count(*) FROM payment_history WHERE to_status = 'voided'")
        note(.refunded, .payment, "SELECT count(*) FROM payment_history WHERE to_status = 'refunded'")
        note(.withdrawn, .payment, "SELECT count(*) FROM intents WHERE state = 'withdrawn'")
    }
}
