/// Settlements on their way to the owner thread.
struct SettleCommand: Sendable {
    let settlements: [RabbitMQSettlement]
    let continuation: CheckedContinuation<[RabbitMQSettleOutcome], Never>
}

/// The consumer's side of its connection: one channel and one ledger per queue. Owned by one thread.
///
/// `serving → draining → ended`: draining begins with `stop()`, cancels the consumers, gives back what nobody pulled, and ends
/// when all that was pulled is settled or the drain timeout is over.
final class ConsumerRole: ConnectionRole {
    /// What the role shares with the consumer.
    struct Context: Sendable {
        let options: RabbitMQConsumer.Options
        let connectionName: String
        let control: ConnectionControl
        let mailbox: Mailbox<SettleCommand>
        let buffer: DeliveryBuffer
        let observer: (any RabbitMQObserver)?
    }

    private struct Lane {
        let queue: String
        let tag: String
        var ledger: AckLedger
    }

    private static let topologyChannel: UInt16 = 1
    private static let firstChannel: UInt16 = 2

    private let context: Context
    private var epoch: UInt64 = 0
    private var lanes: [UInt16: Lane] = [:]
    private var drainDeadline: ContinuousClock.Instant?
    private var reportedBlock: String?

    init(_ context: Context) { self.context = context }

    var canEndWhileDisconnected: Bool { true }

    func setUp(_ link: Link) throws(RabbitMQError) {
        epoch += 1
        reportedBlock = nil
        lanes = [:]
        if context.options.topology != .empty {
            try link.openChannel(Self.topologyChannel)
            try link.declare(context.options.topology, channel: Self.topologyChannel)
        }
        context.buffer.begin(epoch: epoch)
        for (index, subscription) in context.options.subscriptions.enumerated() {
            let channel = Self.firstChannel + UInt16(truncatingIfNeeded: index)
            let tag = "\(context.connectionName)-\(index)"
            try link.openChannel(channel)
            try link.call(.qos(prefetch: subscription.prefetch), channel: channel) { $0 == .qosOK ? () : nil }
            // Before the request, for deliveries may come together with its answer.
            lanes[channel] = Lane(
                queue: subscription.queue,
                tag: tag,
                ledger: AckLedger(limit: Int(subscription.prefetch))
            )
            try link.call(.consume(queue: subscription.queue, tag: tag), channel: channel) {
                $0 == .consumeOK(tag: tag) ? () : nil
            }
        }
    }

    func serve(_ link: Link) throws(RabbitMQError) {
        while true {
            try Self.settleEach(context.mailbox.takeAll()) { (command) throws(RabbitMQError) in
                try settle(command, link)
            }
            try receive(link)
            reportBlock(link)
            switch context.control.ending {
            case .immediate: return
            case .graceful:
                if try drain(link) { return }
            case .no: break
            }
            try link.exchange(until: drainDeadline ?? .now + .seconds(1))
        }
    }

    /// Settles one command after the other. When one fails, so does the connection: the later ones, which only this thread still knows
    /// of, are answered as stale.
    static func settleEach(
        _ commands: [SettleCommand],
        _ settle: (SettleCommand) throws(RabbitMQError) -> Void
    ) throws(RabbitMQError) {
        for (index, command) in commands.enumerated() {
            do throws(RabbitMQError) {
                try settle(command)
            } catch {
                answerStale(Array(commands.dropFirst(index + 1)))
                throw error
            }
        }
    }

    func lost() {
        lanes = [:]
        context.buffer.begin(epoch: 0)
        Self.answerStale(context.mailbox.takeAll())
    }

    func idle(at now: ContinuousClock.Instant) -> ContinuousClock.Instant? {
        Self.answerStale(context.mailbox.takeAll())
        return nil
    }

    func finish() {
        context.buffer.close()
        Self.answerStale(context.mailbox.close())
    }

    private static func answerStale(_ commands: [SettleCommand]) {
        for command in commands { command.continuation.resume(returning: command.settlements.map { _ in .stale }) }
    }

    // MARK: Deliveries

    private func receive(_ link: Link) throws(RabbitMQError) {
        var arrived: [RabbitMQDelivery] = []
        while let event = try link.nextEvent() {
            switch event {
            case .content(let channel, let content): arrived.append(try delivery(channel, content))
            case .method(_, .cancelOK) where drainDeadline != nil: break
            case .method(let channel, .cancel):
                throw RabbitMQError(
                    .consumerCancelled,
                    "the broker cancelled the consumer of queue '\(lanes[channel]?.queue ?? "")'"
                )
            case .method(let channel, .channelClose(let code, let text, _)):
                try link.closeOK(channel)
                throw .closed(replyCode: code, text: text, wasConnection: false)
            case .method: throw .violation("an unexpected method on a consumer's channel")
            }
        }
        guard !arrived.isEmpty else { return }
        if let observer = context.observer {
            var counts: [String: Int] = [:]
            for delivery in arrived { counts[delivery.queue, default: 0] += 1 }
            for (queue, count) in counts {
                observer.delivered(count: count, queue: queue, connection: context.connectionName)
            }
        }
        context.buffer.append(arrived)
    }

    private func delivery(_ channel: UInt16, _ content: IncomingContent) throws(RabbitMQError) -> RabbitMQDelivery {
        guard case .deliver(let method) = content.method, let lane = lanes[channel], lane.tag == method.consumerTag
        else {
            throw .violation("a delivery that was not asked for")
        }
        guard lanes[channel]?.ledger.delivered(tag: method.deliveryTag) == true else {
            throw .violation("a delivery with an old tag, or more deliveries than the prefetch")
        }
        return RabbitMQDelivery(
            handle: RabbitMQDeliveryHandle(epoch: epoch, channel: channel, tag: method.deliveryTag),
            queue: lane.queue,
            exchange: method.exchange,
            routingKey: method.routingKey,
            isRedelivered: method.isRedelivered,
            properties: content.properties,
            body: content.body,
            isOversized: content.isOversized,
            hasMalformedProperties: content.hasMalformedProperties
        )
    }

    // MARK: Settling

    private func settle(_ command: SettleCommand, _ link: Link) throws(RabbitMQError) {
        var outcomes = [RabbitMQSettleOutcome](repeating: .stale, count: command.settlements.count)
        var requests: [UInt16: [(position: Int, tag: UInt64, action: AckLedger.Action)]] = [:]
        for (position, settlement) in command.settlements.enumerated() where settlement.handle.epoch == epoch {
            requests[settlement.handle.channel, default: []].append(
                (position, settlement.handle.tag, settlement.action.ledgerAction)
            )
        }
        // Answered in any case: what cannot be sent now is stale in a moment.
        defer { command.continuation.resume(returning: outcomes) }
        for (channel, requests) in requests.sorted(by: { $0.key < $1.key }) {
            let accepted = try apply(requests.map { ($0.tag, $0.action) }, channel, link)
            for (request, isAccepted) in zip(requests, accepted) {
                outcomes[request.position] = isAccepted ? .settled : .alreadySettled
            }
        }
        try link.flush()
    }

    private func apply(
        _ requests: [(tag: UInt64, action: AckLedger.Action)],
        _ channel: UInt16,
        _ link: Link
    ) throws(RabbitMQError) -> [Bool] {
        guard let settled = lanes[channel]?.ledger.settle(requests) else { return requests.map { _ in false } }
        for frame in settled.frames {
            switch frame {
            case .ack(let tag, let multiple): try link.send(.ack(tag: tag, multiple: multiple), channel: channel)
            case .nack(let tag, let requeue): try link.send(.nack(tag: tag, requeue: requeue), channel: channel)
            }
        }
        if let observer = context.observer {
            var counts: [AckLedger.Action: Int] = [:]
            for (request, isAccepted) in zip(requests, settled.accepted) where isAccepted {
                counts[request.action, default: 0] += 1
            }
            observer.settled(
                acknowledged: counts[.ack] ?? 0,
                requeued: counts[.requeue] ?? 0,
                rejected: counts[.reject] ?? 0,
                connection: context.connectionName
            )
        }
        return settled.accepted
    }

    // MARK: Ending

    /// True when everything that was pulled is settled, or the time is over.
    private func drain(_ link: Link) throws(RabbitMQError) -> Bool {
        if drainDeadline == nil {
            drainDeadline = .now + context.options.drainTimeout
            for (channel, lane) in lanes { try link.send(.cancel(tag: lane.tag), channel: channel) }
        }
        for delivery in context.buffer.takeLeftovers() {
            _ = try apply([(delivery.handle.tag, .requeue)], delivery.handle.channel, link)
        }
        if lanes.values.allSatisfy({ $0.ledger.outstanding == 0 }) { return true }
        return ContinuousClock.now >= drainDeadline ?? .now
    }

    private func reportBlock(_ link: Link) {
        guard link.blockedReason != reportedBlock else { return }
        reportedBlock = link.blockedReason
        let state = reportedBlock.map { RabbitMQConnectionState.blocked(reason: $0) } ?? .ready
        context.control.publish(state)
        context.observer?.stateChanged(state, connection: context.connectionName)
    }
}

extension RabbitMQSettlement.Action {
    var ledgerAction: AckLedger.Action {
        switch self {
        case .ack: return .ack
        case .requeue: return .requeue
        case .reject: return .reject
        }
    }
}
