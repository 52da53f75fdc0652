public import Messaging

/// Sends the outbox's rows of one transport and marks those that the broker confirmed.
///
/// Fresh rows come from the writer in memory right after their commit; the table is read at the start, after an overflow
/// of that hand-over, and for keys that had to wait. A row is marked only after its confirm, so a crash at any point
/// sends it again and never loses it. Several calls are under way at a time, and marks are written in batches.
///
/// One relay per transport and store.
public final class OutboxRelay: Sendable {
    let store: DurableStore
    let transport: Transport
    let publisher: any MessagePublisher
    let configuration: OutboxRelayConfiguration
    let observer: @Sendable (RelayObservation) -> Void

    /// Makes a relay.
    ///
    /// - Parameters:
    ///   - transport: whose rows it sends.
    ///   - configuration: bounds; by default those that suit the transport.
    ///   - observer: told of what happens; must not block.
    public init(
        store: DurableStore,
        transport: Transport,
        publisher: any MessagePublisher,
        configuration: OutboxRelayConfiguration? = nil,
        observer: @escaping @Sendable (RelayObservation) -> Void = { _ in }
    ) {
        self.store = store
        self.transport = transport
        self.publisher = publisher
        self.configuration = configuration ?? (transport == .amqp ? .amqp : .kafka)
        self.observer = observer
    }

    /// Relays until the task is cancelled or the store is closed; what was confirmed by then is marked before it returns.
    ///
    /// - Throws: a ``Failure`` of class fatal from the store or the publisher.
    public func run() async throws {
        let feed = store.feeds.feed(transport)
        let mailbox = RelayMailbox()
        feed.follow(mailbox.signal)
        defer { feed.detach() }
        let window: RelayWindow
        do { window = try await makeWindow() } catch is CancellationError { return }
        var loop = RelayLoop(relay: self, feed: feed, mailbox: mailbox, window: window)
        await withDiscardingTaskGroup { group in
            while !Task.isCancelled, loop.ending == nil {
                loop.handleEvents()
                loop.admit(&group)
                loop.send(&group)
                loop.write(&group)
                guard loop.ending == nil else { break }
                await mailbox.signal.wait(atMost: loop.pause)
            }
            group.cancelAll()
        }
        try await loop.finish()
    }

    /// Sends what is pending, one call after the other, until nothing more can be sent now: for simulations and tests.
    /// Rows that are committed meanwhile wait for the next call. Not while ``run()`` is running.
    ///
    /// - Returns: how many messages were confirmed.
    @discardableResult
    public func flush() async throws -> Int {
        var window = try await makeWindow()
        var confirmed = 0
        var mayHaveMore = true
        while true {
            while mayHaveMore, window.room > 0 {
                let after = window.cursor
                let limit = min(window.room, 512)
                let rows = try await store.read { [transport] in
                    try OutboxTable.pendingRows(transport, after: after, limit: limit, in: $0)
                }
                for row in rows { window.admit(row) }
                mayHaveMore = rows.count == limit
            }
            while let reload = window.takeReload() {
                let rows = try await store.read {
                    try OutboxTable.pendingRows(of: reload.key, from: reload.from, limit: reload.limit, in: $0)
                }
                window.reloaded(reload, rows: rows)
            }
            guard let call = window.takeCall(now: 0) else { return confirmed }
            if Sabotage.isOn("mark-before-publish") {
                try await write(RelayWindow.Marks(confirmed: call.rows.map(\.seq)))
            }
            let outcomes = await publisher.publish(call.rows.map(\.message))
            let resolution = window.resolve(call, outcomes: outcomes, now: 0, random: store.random())
            try await write(resolution.marks)
            window.marked(resolution.marks.confirmed)
            confirmed += resolution.marks.confirmed.count
            if let fatal = resolution.fatal { throw fatal }
        }
    }

    private func makeWindow() async throws -> RelayWindow {
        // One snapshot for all three: a row committed in between must lie after the cursor.
        let (parked, cursor) = try await store.read { [transport] db in
            let first = try OutboxTable.firstPending(transport, in: db)
            return (
                try OutboxTable.parkedKeys(transport, in: db), try first.map { $0 - 1 } ?? OutboxTable.lastSeq(in: db)
            )
        }
        return RelayWindow(configuration, parked: parked, cursor: cursor)
    }

    func write(_ marks: RelayWindow.Marks) async throws {
        guard !marks.isEmpty else { return }
        let keep = configuration.retention > .zero
        let feed = store.feeds.feed(transport)
        try await store.write { [transport] transaction in
            let now = transaction.now
            let db = transaction.db
            var changes: [OutboxChange] = []
            // An operator may have parked rows while they were with the broker. Confirmed, they block their key no more.
            let freed = try OutboxTable.parkedKeys(transport, among: marks.confirmed, in: db)
            try OutboxTable.markPublished(marks.confirmed, at: now, keep: keep, in: db)
            for failed in marks.failed {
                try OutboxTable.recordFailure(
                    failed.seq,
                    attempts: failed.attempts,
                    error: failed.failure.description,
                    nextAttemptAt: now.advanced(byMilliseconds: failed.pauseMilliseconds),
                    in: db
                )
            }
            for parked in marks.parked {
                let isBlocked =
                    try OutboxTable.park(parked.seq, attempts: parked.attempts, reason: parked.reason, at: now, in: db)
                    || OutboxTable.isParked(parked.key, in: db)
                changes.append(isBlocked ? .parked(parked.key) : .released(parked.key))
            }
            for key in freed {
                let isBlocked = try OutboxTable.isParked(key, in: db)
                changes.append(isBlocked ? .parked(key) : .released(key))
            }
            guard !changes.isEmpty else { return }
            // What the table says decides, not what the window thought before an operator came in between.
            transaction.afterCommit { [changes] in
                for change in changes { feed.append(change) }
            }
        }
    }
}
