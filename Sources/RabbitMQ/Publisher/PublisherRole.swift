/// The publisher's side of its connection: pending messages, messages in flight, confirms. Owned by one thread.
///
/// A message goes `pending → in flight → finished`. Pending ones become `notConnected` at their deadline. Ones in flight become
/// `unknown` at theirs or when the connection goes, and keep their place in the window until the broker has answered. A call that was
/// abandoned is at its deadline.
final class PublisherRole: ConnectionRole {
    /// What the role shares with the publisher.
    struct Context: Sendable {
        let options: RabbitMQPublisher.Options
        let connectionName: String
        let control: ConnectionControl
        let mailbox: Mailbox<PublishCommand>
        let window: PublishWindow
        let observer: (any RabbitMQObserver)?
    }

    private struct Entry {
        let call: PublishCall
        let index: Int
        let message: RabbitMQMessage
        let deadline: ContinuousClock.Instant
        /// The caller has its answer (`unknown`, too late); only the place in the window is still held.
        var isReported = false
    }

    private static let topologyChannel: UInt16 = 1
    private static let channel: UInt16 = 2
    private static let publishMethod: UInt32 = 60 << 16 | 40
    /// How often deadlines are looked at.
    private static let tick: Duration = .milliseconds(100)

    private let context: Context
    private var pending = FIFO<Entry>()
    private var inFlight = ConfirmTable<Entry>()
    /// After a channel error of which the cause is not known: so many messages are sent one at a time, so that the culprit shows
    /// itself.
    private var cautious = 0
    private var unreported = 0
    private var releasedCount = 0
    private var releasedBytes = 0
    private var tally = RabbitMQPublishTally()
    private var nextExpiry = ContinuousClock.now
    /// When the broker last confirmed something, or when there last was nothing to confirm.
    private var lastProgress = ContinuousClock.now
    /// When the broker was last seen to take no publishes, or when the connection was made.
    private var lastBlocked = ContinuousClock.now
    private var reportedBlock: String?

    init(_ context: Context) { self.context = context }

    var canEndWhileDisconnected: Bool { unreported == 0 }

    func setUp(_ link: Link) throws(RabbitMQError) {
        reportedBlock = nil
        lastProgress = .now
        lastBlocked = .now
        if context.options.topology != .empty {
            try link.openChannel(Self.topologyChannel)
            try link.declare(context.options.topology, channel: Self.topologyChannel)
        }
        try openPublishChannel(link)
    }

    private func openPublishChannel(_ link: Link) throws(RabbitMQError) {
        try link.openChannel(Self.channel)
        try link.call(.confirmSelect, channel: Self.channel) { $0 == .confirmSelectOK ? () : nil }
    }

    func serve(_ link: Link) throws(RabbitMQError) {
        while true {
            acceptCommands()
            while let event = try link.nextEvent() { try handle(event, link) }
            reportBlock(link)
            let now = ContinuousClock.now
            expire(at: now)
            try checkProgress(link, at: now)
            fill(link)
            settleAccounts()
            switch context.control.ending {
            case .immediate: return
            case .graceful where unreported == 0: return
            case .graceful, .no: break
            }
            try link.exchange(until: .now + (unreported == 0 ? .seconds(1) : Self.tick))
        }
    }

    func lost() {
        for item in inFlight.drain() { finish(item.entry, item.returned.map(Self.result) ?? .unknown) }
        cautious = 0
        settleAccounts()
    }

    func idle(at now: ContinuousClock.Instant) -> ContinuousClock.Instant? {
        acceptCommands()
        expire(at: now)
        settleAccounts()
        return now + Self.tick
    }

    func finish() {
        context.window.close()
        for item in inFlight.drain() { finish(item.entry, .unknown) }
        for command in context.mailbox.close() { accept(command) }
        for entry in pending.removeAll() { finish(entry, .notConnected) }
        settleAccounts()
    }

    // MARK: Messages in

    private func acceptCommands() {
        for command in context.mailbox.takeAll() { accept(command) }
    }

    private func accept(_ command: PublishCommand) {
        for (index, message) in command.entries {
            pending.append(Entry(call: command.call, index: index, message: message, deadline: command.deadline))
        }
        unreported += command.entries.count
    }

    /// Moves pending messages to the socket's buffer, as far as window, blocking and buffer allow.
    private func fill(_ link: Link) {
        guard link.blockedReason == nil else { return }
        let now = ContinuousClock.now
        while !pending.isEmpty, link.pendingOutput < Link.outputHighWater, cautious == 0 || inFlight.count == 0,
            let entry = pending.popFirst()
        {
            if entry.deadline <= now {
                finish(entry, .notConnected)
            } else if link.publish(entry.message, channel: Self.channel) {
                inFlight.add(entry)
            } else {
                finish(entry, .invalid("a property is longer than 255 bytes or the headers do not fit into a frame"))
            }
        }
    }

    // MARK: Answers

    private func handle(_ event: Link.Event, _ link: Link) throws(RabbitMQError) {
        switch event {
        case .method(Self.channel, .ack(let tag, let multiple)):
            try confirm(inFlight.confirm(tag: tag, multiple: multiple), .confirmed)
        case .method(Self.channel, .nack(let tag, let multiple)):
            try confirm(inFlight.confirm(tag: tag, multiple: multiple), .nacked)
        case .method(Self.channel, .channelClose(let code, let text, let methodID)):
            try link.closeOK(Self.channel)
            channelClosed(code: code, text: text, methodID: methodID)
            try openPublishChannel(link)
        case .method(let channel, .channelClose(let code, let text, _)):
            try link.closeOK(channel)
            throw .closed(replyCode: code, text: text, wasConnection: false)
        case .content(Self.channel, let content):
            guard case .return(let code, let text, let exchange, let routingKey) = content.method else {
                throw .violation("a delivery on a channel without a consumer")
            }
            let isKnown = inFlight.markReturned(.init(code: code, text: text)) { entry in
                entry.message.exchange == exchange && entry.message.routingKey == routingKey
                    && entry.message.properties.messageID == content.properties.messageID
                    && (content.isOversized || entry.message.body == content.body)
            }
            guard isKnown else { throw .violation("a message came back that was not sent") }
        default: throw .violation("an unexpected method on a publisher's channel")
        }
    }

    private func confirm(
        _ outcome: ConfirmTable<Entry>.Outcome,
        _ result: RabbitMQPublishResult
    ) throws(RabbitMQError) {
        switch outcome {
        case .violation(let text): throw .violation(text)
        case .finished(let items):
            for item in items { finish(item.entry, item.returned.map(Self.result) ?? result) }
            cautious = max(cautious - items.count, 0)
            if !items.isEmpty { lastProgress = .now }
        }
    }

    /// The broker closed the channel: everything in flight on it has lost its confirm.
    ///
    /// The broker handles publishes in order and nothing after the one that it refused, which it names only by the exchange. What
    /// was sent before the culprit is unknown; what was sent after it is sent again.
    private func channelClosed(code: UInt16, text: String, methodID: UInt32) {
        let items = inFlight.drain()
        var culprit: Int?
        if methodID == Self.publishMethod {
            if items.count == 1 {
                culprit = 0
            } else if code == 404 || code == 403 {
                culprit = items.firstIndex { item in
                    item.returned == nil && text.contains("exchange '\(item.entry.message.exchange)'")
                }
            }
        }
        guard let culprit else {
            cautious = max(items.count, 1)
            for item in items { finish(item.entry, item.returned.map(Self.result) ?? .unknown) }
            return
        }
        cautious = max(cautious - 1, 0)
        let exchange = items[culprit].entry.message.exchange
        var again: [Entry] = []
        for (index, item) in items.enumerated() {
            if let returned = item.returned {
                finish(item.entry, Self.result(returned))
            } else if index < culprit {
                finish(item.entry, .unknown)
            } else if code == 404, item.entry.message.exchange == exchange {
                finish(item.entry, .noExchange(text: text))
            } else if index == culprit {
                finish(item.entry, .refused(code: code, text: text))
            } else if item.entry.isReported {
                // Its caller has given up; sending it now could only surprise.
                finish(item.entry, .unknown)
            } else {
                again.append(item.entry)
            }
        }
        pending.prepend(contentsOf: again)
    }

    private static func result(_ returned: ConfirmTable<Entry>.Return) -> RabbitMQPublishResult {
        .returned(code: returned.code, text: returned.text)
    }

    // MARK: Bookkeeping

    private func expire(at now: ContinuousClock.Instant) {
        guard now >= nextExpiry else { return }
        nextExpiry = now + Self.tick
        context.window.expire(at: now)
        if !pending.isEmpty {
            for entry in pending.remove(where: { $0.deadline <= now || $0.call.isAbandoned }) {
                finish(entry, .notConnected)
            }
        }
        guard inFlight.count > 0 else { return }
        inFlight.update { entry in
            guard !entry.isReported, entry.deadline <= now || entry.call.isAbandoned else { return }
            report(entry, .unknown)
            entry.isReported = true
        }
    }

    /// Gives a connection up on which nothing has been confirmed for a while though something should be.
    ///
    /// A channel of RabbitMQ 3.10 that publishes to a quorum queue before the queue has found its leader, right after the broker's
    /// start, can wait for ever; a new channel works.
    ///
    /// A single message that is never confirmed while others are must end the connection too: it would hold its place in the window,
    /// and the table would grow behind it, for ever.
    private func checkProgress(_ link: Link, at now: ContinuousClock.Instant) throws(RabbitMQError) {
        if link.blockedReason != nil { lastBlocked = now }
        if inFlight.count == 0 || link.blockedReason != nil { lastProgress = now }
        let patience = context.options.confirmStallTimeout
        guard now - lastProgress < patience else {
            throw RabbitMQError(.timeout, "the broker has confirmed nothing for \(patience)")
        }
        guard let oldest = inFlight.oldest else { return }
        guard now - max(oldest.deadline, lastBlocked) < patience else {
            throw RabbitMQError(.timeout, "the broker confirms others, but has left a message behind")
        }
    }

    private func finish(_ entry: Entry, _ result: RabbitMQPublishResult) {
        releasedCount += 1
        releasedBytes += entry.message.windowCost
        if !entry.isReported { report(entry, result) }
    }

    private func report(_ entry: Entry, _ result: RabbitMQPublishResult) {
        unreported -= 1
        tally.count(result)
        entry.call.complete(entry.index, result)
    }

    /// Gives the window back and reports the counts, once per round instead of once per message.
    private func settleAccounts() {
        if releasedCount > 0 {
            context.window.release(count: releasedCount, bytes: releasedBytes)
            releasedCount = 0
            releasedBytes = 0
        }
        if tally != RabbitMQPublishTally() {
            context.observer?.published(tally, connection: context.connectionName)
            tally = RabbitMQPublishTally()
        }
    }

    private func reportBlock(_ link: Link) {
        guard link.blockedReason != reportedBlock else { return }
        reportedBlock = link.blockedReason
        let state = reportedBlock.map { RabbitMQConnectionState.blocked(reason: $0) } ?? .ready
        context.control.publish(state)
        context.observer?.stateChanged(state, connection: context.connectionName)
    }
}
