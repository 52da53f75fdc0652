import Commerce
import DurableStore
import Messaging
import Simulation

/// What the world remembers of messages, to hold the system to account.
struct MessageRecords {
    /// Ids that a broker confirmed.
    var confirmed: Set<String> = []
    /// What came through and whose confirm was lost: its relay has to send it again.
    var unconfirmed: Set<Sending> = []
    /// What came through before its relay died without having marked it: the next process has to send it again.
    var unmarked: Set<Sending> = []
    /// Everything that arrived at the broker, for stale copies; a sample.
    var past: [OutgoingMessage] = []
    /// Bodies of what must end as a dead letter, by inbox.
    var poison: [(inbox: String, body: [UInt8])] = []
    /// Ids of messages that failed once.
    var failedOnce: Set<String> = []
    /// Inboxes that lost what was in them.
    var wiped: Set<String> = []
}

/// One row of an outbox, however often it is sent. A retry or a dead letter of the same message is another one.
struct Sending: Hashable {
    private let id: String
    private let attempt: Int
    private let destination: Destination

    init(_ message: OutgoingMessage) {
        id = message.envelope.id
        attempt = message.envelope.attempt
        destination = message.destination
    }
}

/// The relay's way to the brokers.
struct PublisherPort: MessagePublisher {
    unowned let world: World
    unowned let node: Node
    let transport: Transport

    func publish(_ messages: [OutgoingMessage]) async -> [PublishOutcome] {
        switch transport {
        case .amqp: world.publish(messages, from: node)
        case .kafka: world.append(messages, from: node)
        }
    }
}

extension PublisherPort: @unchecked Sendable {}

extension World {
    // MARK: Publishing

    func flush(_ node: Node, _ transport: Transport) async {
        guard let relay = node.instance?.relays[transport] else { return }
        arm(node)
        node.isFlushing = true
        node.mayHaveRows[transport] = false
        do {
            let count = try await relay.flush()
            note("\(node.name) sent \(count) to \(transport.rawValue)")
        } catch {
            node.mayHaveRows[transport] = true
            storeFailed(node, error)
        }
        node.isFlushing = false
        node.armed = nil
    }

    /// One call of a relay to the command broker.
    fileprivate func publish(_ batch: [OutgoingMessage], from node: Node) -> [PublishOutcome] {
        if brokerAwayUntil != nil || blockedUntil[node.name] != nil {
            failed(node, .amqp)
            return batch.map { _ in .failed(.simulatedConnectionLoss) }
        }
        var through: Set<Sending> = []
        let outcomes = batch.map { message -> PublishOutcome in
            if hit(.publishRefused) || hit(.publishLost) { return .failed(.simulatedConnectionLoss) }
            // What is stuck is overtaken by its own compensation, which then has to leave a tombstone.
            let delay =
                hit(.messageStuck)
                ? Int64(random.within(5000...90_000)) : hit(.publishDelayed) ? Int64(random.within(10...8000)) : 0
            guard broker.publish(message, at: time.now, delay: delay) else {
                reach(.returned)
                // Without `mandatory` a broker confirms what it drops.
                if Sabotage.isOn("unroutable-is-confirmed") { return .confirmed }
                return .failed(Failure(.retryable, code: "unroutable", "No queue takes the message."))
            }
            let sending = Sending(message)
            through.insert(sending)
            if messages.unconfirmed.contains(sending) { reach(.publishedAgain) }
            keep(message)
            if hit(.messageDuplicated) { _ = broker.publish(message, at: time.now, delay: Int64(random.below(3000))) }
            if hit(.confirmLost) {
                messages.unconfirmed.insert(sending)
                return .failed(.simulatedConnectionLoss)
            }
            messages.confirmed.insert(message.envelope.id)
            return .confirmed
        }
        afterPublishing(through, outcomes, node, .amqp)
        return outcomes
    }

    /// One call of a relay to the event log: what follows a failure in the same partition is not written, as an idempotent
    /// producer has it.
    fileprivate func append(_ batch: [OutgoingMessage], from node: Node) -> [PublishOutcome] {
        if logAwayUntil != nil || blockedUntil[node.name] != nil {
            failed(node, .kafka)
            return batch.map { _ in .failed(.simulatedConnectionLoss) }
        }
        var stopped: Set<Int> = []
        var through: Set<Sending> = []
        let outcomes = batch.map { message -> PublishOutcome in
            guard let lane = log.lane(for: message), !stopped.contains(lane) else {
                return .failed(.simulatedConnectionLoss)
            }
            if hit(.appendRefused) {
                reach(.appendRefused)
                stopped.insert(lane)
                return .failed(.simulatedConnectionLoss)
            }
            _ = log.append(message)
            let sending = Sending(message)
            through.insert(sending)
            if messages.unconfirmed.contains(sending) || messages.unmarked.contains(sending) { reach(.appendRepeated) }
            if hit(.appendConfirmLost) {
                messages.unconfirmed.insert(sending)
                stopped.insert(lane)
                return .failed(.simulatedConnectionLoss)
            }
            messages.confirmed.insert(message.envelope.id)
            return .confirmed
        }
        afterPublishing(through, outcomes, node, .kafka)
        return outcomes
    }

    /// Keeps a message for stale copies.
    private func keep(_ message: OutgoingMessage) {
        if messages.past.count < 400 {
            messages.past.append(message)
        } else {
            messages.past[random.below(400)] = message
        }
    }

    /// - Parameter through: what of the batch has come through, whatever its relay was told.
    private func afterPublishing(
        _ through: Set<Sending>,
        _ outcomes: [PublishOutcome],
        _ node: Node,
        _ transport: Transport
    ) {
        if outcomes.contains(where: { $0 != .confirmed }) { failed(node, transport) }
        if !messages.unmarked.isDisjoint(with: through) { reach(.diedAfterPublish) }
        if hit(.crashAfterPublish) {
            note("\(node.name) dies between publishing and marking")
            messages.unmarked.formUnion(through)
            kill(node)
        }
    }

    private func failed(_ node: Node, _ transport: Transport) {
        node.mayHaveRows[transport] = true
        node.sendNotBefore[transport] = time.now.advanced(byMilliseconds: Int64(random.within(50...800)))
    }

    // MARK: Consuming commands

    func deliver(_ node: Node) async {
        guard let instance = node.instance, let queue = instance.inbox, let processor = instance.commands else {
            return
        }
        let ready = broker.readyCount(queue)
        var start = 0
        if ready > 1, hit(.messageReordered) {
            start = random.below(ready)
            if start > 0 { reach(.deliveredOutOfOrder) }
        }
        instance.prefetched += broker.deliver(from: queue, limit: random.within(1...12), startingAt: start)
        if instance.prefetched.isEmpty || hit(.slowConsumer) { return }
        let count = random.within(1...instance.prefetched.count)
        let batch = Array(instance.prefetched.prefix(count))
        instance.prefetched.removeFirst(count)
        if batch.contains(where: \.isRedelivered) { reach(.redelivered) }
        note("\(node.name) takes \(batch.map(\.message.envelope.type).joined(separator: ", "))")
        arm(node)
        await run(batch, queue, node, processor)
        node.armed = nil
    }

    func drain(_ node: Node) async {
        guard let instance = node.instance, let inbox = instance.inbox, let drain = instance.drain else { return }
        let queue = inbox + ".dead"
        let batch = broker.deliver(from: queue, limit: random.within(1...4))
        note("\(node.name) drains \(batch.count)")
        arm(node)
        await run(batch, queue, node, drain)
        node.armed = nil
    }

    private func run(
        _ batch: [SimulatedBroker.Stored],
        _ queue: String,
        _ node: Node,
        _ processor: some MessageProcessor
    ) async {
        let start = node.starts
        let subscription = OneBatch(
            batch.map { (receipt: $0.number, message: ReceivedMessage(simulated: $0, queue: queue)) }
        ) { [unowned self] settlements in
            self.settle(settlements, batch, queue, node, start: start)
        }
        do {
            try await ConsumerLoop(subscription: subscription, processor: processor).run()
        } catch {
            storeFailed(node, error)
        }
    }

    private func settle(
        _ settlements: [(receipt: Int, settlement: Settlement)],
        _ batch: [SimulatedBroker.Stored],
        _ queue: String,
        _ node: Node,
        start: Int
    ) {
        // The connection of a process that is dead by now does not carry anything any more.
        guard node.starts == start, !node.isDead else { return }
        if hit(.crashBeforeAcknowledgement) {
            // What is given back has had no effect.
            if settlements.contains(where: { $0.settlement == .acknowledge }) { reach(.diedBeforeAcknowledgement) }
            kill(node)
            return
        }
        for (number, settlement) in settlements {
            switch settlement {
            case .giveBack: broker.requeue(number, in: queue)
            case .acknowledge:
                if !queue.hasSuffix(".dead"), let stored = batch.first(where: { $0.number == number }) {
                    checkEffect(of: stored, queue, node)
                }
                if hit(.acknowledgementLost) {
                    broker.requeue(number, in: queue)
                } else {
                    broker.acknowledge(number, in: queue)
                }
            }
        }
    }

    /// I2: an acknowledged message is in the inbox, or on its way to be tried again, or on its way to the dead letters.
    private func checkEffect(of stored: SimulatedBroker.Stored, _ queue: String, _ node: Node) {
        let envelope = stored.message.envelope
        guard (try? EnvelopeHeaders.decode(stored.headers, body: envelope.body)) != nil else { return }
        let known = attempt {
            try node.disk.number(
                """
                SELECT CASE WHEN EXISTS (SELECT 1 FROM inbox WHERE consumer = ?1 AND message_id = ?2) THEN 1
                    ELSE EXISTS (SELECT 1 FROM outbox WHERE message_id = ?2 AND target IN (?3, ?4)) END
                """,
                [queue, envelope.id, queue + ".retry", queue + ".dead"]
            )
        }
        if known.flatMap({ $0 }) != 1 {
            violate("I2", "\(queue): message \(envelope.id) (\(envelope.type)) was acknowledged without a trace of it")
        }
    }

    // MARK: Reading events

    func read(_ node: Node, _ index: Int) async {
        guard let reader = node.instance?.readers[index] else { return }
        if hit(.slowReader) { return }
        var records: [(place: Int, record: SimulatedLog.Record)] = []
        for (place, position) in reader.positions.enumerated() {
            for record in log.read(position.lane, from: position.next, limit: random.within(1...40)) {
                records.append((place, record))
            }
        }
        note("\(node.name) reads \(records.count)")
        arm(node)
        let start = node.starts
        let read = records
        let subscription = OneBatch(
            records.enumerated().map { (receipt: $0.offset, message: ReceivedMessage(simulated: $0.element.record)) }
        ) { [unowned self] settlements in
            guard node.starts == start, !node.isDead else { return }
            if self.hit(.crashBeforeAcknowledgement) { return self.kill(node) }
            var held: Set<Int> = []
            for (receipt, settlement) in settlements {
                let (place, record) = read[receipt]
                if settlement == .giveBack { held.insert(place) }
                if !held.contains(place) { reader.positions[place].next = record.offset + 1 }
            }
        }
        do {
            try await ConsumerLoop(subscription: subscription, processor: reader.processor, batchLimit: 1000).run()
        } catch {
            storeFailed(node, error)
        }
        node.armed = nil
    }

    // MARK: Watching

    /// Codes of failures that faults cause. Any other one is a mistake that a retry only hides: a broken constraint, say.
    private static let explained: Set<String> = ["simulated", Failure.simulatedFullDisk.code]

    func processed(_ observation: ProcessingObservation) {
        switch observation.outcome {
        case .duplicate:
            switch observation.consumer {
            case Channels.orderInbox: reach(.duplicateInOrder)
            case Channels.paymentInbox: reach(.duplicateInPayment)
            case Channels.inventoryInbox: reach(.duplicateInInventory)
            case "analytics": reach(.duplicateInAnalytics)
            case "notification": reach(.duplicateInNotification)
            case "order.catalog": reach(.duplicateInCatalog)
            default: break
            }
        case .retried:
            reach(.retried)
            if let failure = observation.failure, !Self.explained.contains(failure.code) {
                violate("SIM", "\(observation.consumer): \(failure.code): \(failure.description)")
            }
            if let id = observation.messageID { messages.failedOnce.insert(id) }
        case .handled, .noOperation:
            if let id = observation.messageID, messages.failedOnce.contains(id) { reach(.retrySucceeded) }
        case .refused: reach(.refusedMessage)
        case .parked: reach(.parkedKey)
        case .deadLettered:
            if case .record = observation.source {
                violate(
                    "D1",
                    "\(observation.consumer): an innocent record is a dead letter: \(observation.failure?.code ?? "")"
                )
            }
        case .givenBack, .stopped: break
        }
    }

    func drained(_ letter: DeadLetter) {
        switch letter.code {
        case "message-id-reused": reach(.deadReused)
        case "unknown-type": reach(.deadUnknownType)
        case let code where letter.messageID == nil || code.hasPrefix("envelope"): reach(.deadUnreadable)
        default: reach(.deadPayload)
        }
    }
}

extension Failure {
    static let simulatedConnectionLoss = Failure(
        .retryable,
        code: "connection-lost",
        "The simulation lost the connection before the fate of the message was known."
    )
}
