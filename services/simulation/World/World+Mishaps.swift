import Commerce
import Messaging
import Simulation

/// What befalls the world between two steps.
extension World {
    func mishaps() async {
        if hit(.killIdle), let node = random.pick(nodes.filter(\.isRunning)) { kill(node) }
        if hit(.killAll) {
            if nodes.allSatisfy(\.isRunning) { reach(.allDied) }
            for node in nodes where node.isRunning { kill(node) }
        }
        if hit(.freezeTakeover), let node = random.pick(nodes.filter(\.isRunning)) {
            note("\(node.name) freezes")
            node.frozenUntil = later(2000...20_000)
        }
        for node in nodes { await clearAway(node) }
        if hit(.brokerRestart) { restartBroker(away: 200...1500) }
        if hit(.brokerOutage) { restartBroker(away: 3000...40_000) }
        if hit(.logOutage) { logAwayUntil = later(500...30_000) }
        if hit(.gatewayOutage) { gatewayAwayUntil = later(5000...60_000) }
        // Only who has an inbox sends anything.
        if hit(.connectionBlocked), let inbox = random.pick(Self.inboxes) {
            blockedUntil[owner(of: inbox)] = later(500...15_000)
        }
        if hit(.queueDeleted), let queue = random.pick(Self.inboxes) {
            broker.set(queue, exists: false)
            deletedQueues[queue] = later(200...8000)
        }
        if hit(.queueWiped), let queue = random.pick(Self.inboxes), broker.wipe(queue) > 0 {
            reach(.wipedQueue)
            messages.wiped.insert(queue)
        }
        if hit(.staleMessage), let old = random.pick(messages.past) { _ = broker.publish(old, at: time.now) }
        if hit(.poisonMessage) { poison() }
        if hit(.messageIDReused) { reuseMessageID() }
        if hit(.answerAboutNobody) { answerAboutNobody() }
        if hit(.offsetsRewound) { rewind() }
        shiftClocks()
        if hit(.callbackForged) { await forgeCallback() }
        if hit(.callbackMismatched) { await sendMismatchedCallback() }
        if hit(.clientCancels) { await cancelSomething() }
        if hit(.clientRepeats) { await repeatSomething() }
        if hit(.clientReusesKey) { await reuseSomeKey() }
        for node in nodes { await clearAway(node) }
    }

    private static let inboxes = [Channels.orderInbox, Channels.paymentInbox, Channels.inventoryInbox]

    private func later(_ range: ClosedRange<Int>) -> Timestamp {
        time.now.advanced(byMilliseconds: Int64(random.within(range)))
    }

    private func restartBroker(away range: ClosedRange<Int>) {
        note("the broker is away")
        brokerAwayUntil = later(range)
        for node in nodes {
            guard let inbox = node.instance?.inbox else { continue }
            node.instance?.prefetched = []
            broker.connectionLost(inbox)
            broker.connectionLost(inbox + ".dead")
        }
    }

    func endOutages() {
        let now = time.now
        if let until = brokerAwayUntil, until <= now { brokerAwayUntil = nil }
        if let until = logAwayUntil, until <= now { logAwayUntil = nil }
        if let until = gatewayAwayUntil, until <= now { gatewayAwayUntil = nil }
        for name in ServiceName.allCases {
            if let until = blockedUntil[name], until <= now { blockedUntil[name] = nil }
        }
        for queue in Self.inboxes {
            guard let until = deletedQueues[queue], until <= now else { continue }
            deletedQueues[queue] = nil
            broker.set(queue, exists: true)
        }
    }

    private func shiftClocks() {
        if hit(.clockForward), let node = random.pick(nodes) {
            node.clock.skewMilliseconds += Int64(random.within(100...90_000))
        }
        if hit(.clockBackward), let node = random.pick(nodes) {
            node.clock.skewMilliseconds -= Int64(random.within(100...90_000))
            reach(.clockWentBack)
        }
        if hit(.timeLeap) { time.advance(byMilliseconds: Int64(random.within(1000...120_000))) }
    }

    /// Bytes that no service of this system writes: no envelope, no payload, or a type that nobody knows.
    private func poison() {
        guard let queue = random.pick(Self.inboxes) else { return }
        let id = "poison-\(steps)"
        let kind = random.below(3)
        let body = Array("{\"poison\": \(steps)".utf8)
        let type = kind == 1 ? "waybill.nobody.knows.v1" : Self.knownType(of: queue)
        let envelope = Envelope(
            id: id,
            source: "/stranger",
            type: type,
            subject: id,
            time: time.now,
            correlationID: id,
            body: body
        )
        let message = OutgoingMessage(to: .inbox(queue), envelope)
        let headers = kind == 0 ? [("ce_id", id)] : EnvelopeHeaders.encode(envelope)
        broker.inject(message, headers: headers, into: queue)
        messages.poison.append((queue, body))
    }

    private static func knownType(of queue: String) -> String {
        switch queue {
        case Channels.orderInbox: StockReserved.messageType
        case Channels.paymentInbox: CapturePayment.messageType
        default: CommitStock.messageType
        }
    }

    /// The id of an old message with another content: the first one counts, this one is a dead letter.
    private func reuseMessageID() {
        guard var copy = random.pick(messages.past), case .exchange(let queue, let key) = copy.destination,
            queue == key,
            Self.inboxes.contains(queue), copy.envelope.attempt == 1
        else { return }
        // Only where the first one has been handled: otherwise this one would be the first.
        let handled = attempt {
            try node(owner(of: queue)).disk.number(
                "SELECT count(*) FROM inbox WHERE consumer = ? AND message_id = ?",
                [queue, copy.envelope.id]
            )
        }
        guard handled.flatMap({ $0 }) == 1 else { return }
        copy.envelope.body += Array(" ".utf8)
        if messages.poison.contains(where: { $0.inbox == queue && $0.body == copy.envelope.body }) { return }
        guard broker.publish(copy, at: time.now) else { return }
        messages.poison.append((queue, copy.envelope.body))
    }

    /// A well-formed answer about an order that nobody placed: it is refused and recorded, and is no dead letter.
    private func answerAboutNobody() {
        let digits = String(steps, radix: 16)
        guard
            let order = OrderID("00000000-0000-7000-8000-" + String(repeating: "0", count: 12 - digits.count) + digits),
            let body = attempt({ try PayloadCodec.encode(StockReserved(orderID: order)) })
        else { return }
        let envelope = Envelope(
            id: "about-nobody-\(steps)",
            source: "/stranger",
            type: StockReserved.messageType,
            subject: order.text,
            time: time.now,
            correlationID: order.text,
            body: body
        )
        _ = broker.publish(OutgoingMessage(to: .inbox(Channels.orderInbox), envelope), at: time.now)
    }

    private func owner(of queue: String) -> ServiceName {
        switch queue {
        case Channels.orderInbox: .order
        case Channels.paymentInbox: .payment
        default: .inventory
        }
    }

    /// A reader is set back, as by a stale rebalance or lost offsets.
    private func rewind() {
        let readers = nodes.filter(\.isRunning).compactMap(\.instance).flatMap(\.readers)
        guard let reader = random.pick(readers), !reader.positions.isEmpty else { return }
        let place = random.below(reader.positions.count)
        let next = reader.positions[place].next
        guard next > 0 else { return }
        reader.positions[place].next = Int64(random.below(Int(next)))
        reach(.rewound)
    }

    /// The end of all faults: everything works again and the clocks are right.
    func heal() {
        phase = .healed
        healedAt = time.now
        note("healed")
        brokerAwayUntil = nil
        logAwayUntil = nil
        gatewayAwayUntil = nil
        blockedUntil = [:]
        for queue in Self.inboxes { broker.set(queue, exists: true) }
        deletedQueues = [:]
        for node in nodes {
            node.clock.skewMilliseconds = 0
            node.hasFreshRows = true
            if node.frozenUntil != nil { node.frozenUntil = time.now }
        }
    }
}
