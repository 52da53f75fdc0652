import Failpoints
import Messaging

/// The relay's loop: carries events into the window and the window's decisions out into tasks.
///
/// ```
/// scanning ──a page that is not full──► following ──hand-over overflowed──► scanning
/// ```
struct RelayLoop {
    private enum Intake {
        case scanning
        case following
    }

    enum Ending {
        case closed
        case fatal(Failure)
    }

    private let relay: OutboxRelay
    private let feed: OutboxFeed
    private let mailbox: RelayMailbox
    private var window: RelayWindow
    private var intake = Intake.scanning
    private var isScanning = false
    private var marks = RelayWindow.Marks()
    private var isMarking = false
    /// No table access before this time, after the store failed.
    private var storePausedUntil: Int64 = 0
    private var purgeCursor: Int64 = 0
    private var nextPurge: Int64 = 0
    private var purgePace: PurgePace
    private var isPurging = false
    private let start = ContinuousClock.now
    private(set) var ending: Ending?

    private static let scanLimit = 512
    private static let storePause: Int64 = 200

    init(relay: OutboxRelay, feed: OutboxFeed, mailbox: RelayMailbox, window: RelayWindow) {
        self.relay = relay
        self.feed = feed
        self.mailbox = mailbox
        self.window = window
        purgePace = PurgePace(batch: relay.configuration.purgeBatch)
    }

    private var now: Int64 { (ContinuousClock.now - start).wholeMilliseconds }

    /// The longest wait for the next event.
    var pause: Duration? {
        let now = now
        var milliseconds = window.pause(now: now) ?? .max
        if storePausedUntil > now { milliseconds = min(milliseconds, storePausedUntil - now) }
        if relay.configuration.retention > .zero, !isPurging {
            milliseconds = min(milliseconds, max(1, nextPurge - now))
        }
        return milliseconds == .max ? nil : .milliseconds(milliseconds)
    }

    mutating func handleEvents() {
        for event in mailbox.take() { handle(event) }
    }

    private mutating func handle(_ event: RelayEvent) {
        switch event {
        case .published(let call, let outcomes, let duration):
            let resolution = window.resolve(call, outcomes: outcomes, now: now, random: relay.store.random())
            report(call, outcomes, duration, resolution)
            marks.merge(resolution.marks)
            if let fatal = resolution.fatal { ending = .fatal(fatal) }
        case .reloaded(let reload, let result):
            switch result {
            case .success(let rows): window.reloaded(reload, rows: rows)
            case .failure(let error):
                window.reloaded(reload, rows: nil)
                storeFailed(Failure(classifyingStoreError: error))
            }
        case .scanned(let result, let limit):
            isScanning = false
            switch result {
            case .success(let rows):
                for row in rows { window.admit(row) }
                if rows.count < limit { intake = .following }
            case .failure(let error): storeFailed(Failure(classifyingStoreError: error))
            }
        case .marked(let done, let failure):
            isMarking = false
            if let failure {
                var again = done
                again.merge(marks)
                marks = again
                storeFailed(failure)
            } else {
                window.marked(done.confirmed)
            }
        case .purged(let done):
            isPurging = false
            purgePace.add(looked: done.looked, deleted: done.deleted)
            if !done.hasMore { purgePace.finishRound() }
            // From the start again after each round: rows that were parked or late are behind the cursor.
            purgeCursor = done.hasMore ? done.cursor : 0
            nextPurge = done.hasMore ? now : now + purgePace.pause
            if done.deleted > 0 { relay.observer(.purged(count: done.deleted)) }
        case .purgeFailed(let failure):
            isPurging = false
            nextPurge = now + purgePace.pause
            storeFailed(failure)
        }
    }

    private mutating func storeFailed(_ failure: Failure) {
        switch failure.failureClass {
        case .fatal: ending = .fatal(failure)
        case .interrupted:
            if failure.code == Failure.storeClosed.code { ending = .closed }
        case .retryable, .permanent, .poison:
            storePausedUntil = now + Self.storePause
            relay.observer(.storeFailed(failure))
        }
    }

    private func report(
        _ call: RelayWindow.Call,
        _ outcomes: [PublishOutcome],
        _ duration: Duration,
        _ resolution: RelayWindow.Resolution
    ) {
        let confirmed = resolution.marks.confirmed.count
        if confirmed > 0 { relay.observer(.published(count: confirmed, duration: duration)) }
        if confirmed < call.rows.count {
            let failure =
                outcomes.lazy.compactMap { outcome in
                    if case .failed(let failure) = outcome { failure } else { nil }
                }.first ?? .unknownFate
            relay.observer(
                .failed(count: call.rows.count - confirmed, failure, isTransport: resolution.transportFailure != nil)
            )
        }
        for parked in resolution.marks.parked { relay.observer(.parked(seq: parked.seq, reason: parked.reason)) }
    }

    mutating func admit(_ group: inout DiscardingTaskGroup) {
        let isFollowing = if case .following = intake { true } else { false }
        let room = window.room
        let (rows, changes, mode) = feed.take(isFollowing ? room : 0)
        for row in rows { window.admit(row) }
        for change in changes { window.apply(change) }
        if isFollowing, mode == .overflowed {
            feed.follow(mailbox.signal)
            intake = .scanning
        }
        guard case .scanning = intake, !isScanning, room > 0, storePausedUntil <= now else { return }
        isScanning = true
        let limit = min(room, Self.scanLimit)
        let after = window.cursor
        group.addTask { [relay, mailbox] in
            let result: Result<[PendingRow], any Error>
            do {
                result = .success(
                    try await relay.store.read { [transport = relay.transport] in
                        try OutboxTable.pendingRows(transport, after: after, limit: limit, in: $0)
                    }
                )
            } catch { result = .failure(error) }
            mailbox.put(.scanned(result, limit: limit))
        }
    }

    mutating func send(_ group: inout DiscardingTaskGroup) {
        window.releaseDue(now: now)
        reload(&group)
        // Marks that cannot be written are not added to without bound.
        while marks.confirmed.count < relay.configuration.maximumRows, let call = window.takeCall(now: now) {
            group.addTask { [relay, mailbox] in
                let start = ContinuousClock.now
                relay.reachBeforePublish(call)
                let outcomes = await relay.publisher.publish(call.rows.map(\.message))
                relay.reachBeforeMark(call)
                mailbox.put(.published(call, outcomes, ContinuousClock.now - start))
            }
        }
        reload(&group)
    }

    private mutating func reload(_ group: inout DiscardingTaskGroup) {
        while let reload = window.takeReload() {
            group.addTask { [relay, mailbox] in
                let result: Result<[PendingRow], any Error>
                do {
                    result = .success(
                        try await relay.store.read {
                            try OutboxTable.pendingRows(of: reload.key, from: reload.from, limit: reload.limit, in: $0)
                        }
                    )
                } catch {
                    result = .failure(error)
                    try? await Task.sleep(for: .milliseconds(Self.storePause))
                }
                mailbox.put(.reloaded(reload, result))
            }
        }
    }

    mutating func write(_ group: inout DiscardingTaskGroup) {
        guard storePausedUntil <= now else { return }
        if !isMarking, !marks.isEmpty {
            isMarking = true
            let batch = marks
            marks = RelayWindow.Marks()
            group.addTask { [relay, mailbox] in
                do {
                    try await relay.write(batch)
                    relay.reachAfterMark()
                    mailbox.put(.marked(batch, failure: nil))
                } catch {
                    mailbox.put(.marked(batch, failure: Failure(classifyingStoreError: error)))
                }
            }
        }
        let retention = relay.configuration.retention
        guard retention > .zero, !isPurging, now >= nextPurge else { return }
        isPurging = true
        let cursor = purgeCursor
        group.addTask { [relay, mailbox] in
            do {
                let cutoff = relay.store.clock.now().advanced(byMilliseconds: -retention.wholeMilliseconds)
                let done = try await relay.store.write { [limit = relay.configuration.purgeBatch] transaction in
                    try OutboxTable.purge(after: cursor, publishedBefore: cutoff, limit: limit, in: transaction.db)
                }
                mailbox.put(.purged(done))
            } catch {
                mailbox.put(.purgeFailed(Failure(classifyingStoreError: error)))
            }
        }
    }

    /// After the tasks ended: marks what was confirmed last.
    mutating func finish() async throws {
        handleEvents()
        do {
            try await relay.write(marks)
        } catch {
            // What is not marked is sent again: a duplicate, which consumers absorb.
            relay.observer(.storeFailed(Failure(classifyingStoreError: error)))
        }
        if case .fatal(let failure) = ending { throw failure }
    }
}
