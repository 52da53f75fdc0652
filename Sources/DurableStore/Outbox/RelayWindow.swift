import DequeModule
import Messaging
import OrderedCollections

/// Which rows may be sent now: the relay's decisions, without I/O or clock.
///
/// A key is a destination and a subject; its rows go out in order of `seq`.
/// ```
/// key:  open ──row fails while others succeed──► held(until) ──time, operator──► open
///        │                                          └──attempts used up──► parked
///        └──row can never be sent──► parked ──operator unparks or discards, confirmed after all──► open
/// ```
/// Rows of a key that is held or parked, and rows beyond a key's share, are not kept: they are *spilled*, and are read from
/// the table again when it is their turn. So a key that cannot move takes no room, and the others never wait for it.
///
/// When a whole call with several keys fails, the transport is at fault, not the rows: all stay where they are, no attempt
/// is counted, and everything pauses for a moment.
struct RelayWindow {
    struct Call: Sendable {
        let id: Int
        let rows: [PendingRow]
    }

    struct Reload: Sendable, Hashable {
        let key: OutboxKey
        let from: Int64
        let limit: Int
    }

    /// What has to be written about rows.
    struct Marks: Sendable {
        var confirmed: [Int64] = []
        var failed: [Failed] = []
        var parked: [Parked] = []

        struct Failed: Sendable {
            let seq: Int64
            let attempts: Int
            let failure: Failure
            let pauseMilliseconds: Int64
        }

        struct Parked: Sendable {
            let seq: Int64
            let key: OutboxKey
            let attempts: Int
            let reason: String
        }

        var isEmpty: Bool { confirmed.isEmpty && failed.isEmpty && parked.isEmpty }

        mutating func merge(_ other: Marks) {
            confirmed += other.confirmed
            failed += other.failed
            parked += other.parked
        }
    }

    struct Resolution: Sendable {
        var marks = Marks()
        /// The failure after which the relay must stop.
        var fatal: Failure?
        /// The failure of a call in which nothing succeeded and the transport is held to be at fault.
        var transportFailure: Failure?
    }

    private enum Hold {
        case open
        /// `isCounted`: whether the last failure counted as an attempt, that is, whether the transport worked meanwhile.
        case until(Int64, isCounted: Bool)
        case parked
    }

    private struct Key {
        var rows = Deque<PendingRow>()
        var inFlight = 0
        var hold = Hold.open
        /// The first row that has to be read from the table again.
        var spilledFrom: Int64?
        var isReloading = false
        var hasArrivalsDuringReload = false
        /// Whether the key stands in `ready` or in `reloads`.
        var isQueued = false
        var failures = 0
        var confirmsAtFailure: Int?

        var isOpen: Bool { if case .open = hold { true } else { false } }
        var isForgettable: Bool { rows.isEmpty && inFlight == 0 && isOpen && spilledFrom == nil && !isReloading }
    }

    /// The most keys that are held one by one; beyond it failures count as the transport's.
    static let maximumHeldKeys = 1000
    static let maximumReloads = 4
    /// The most marks remembered because of running reloads; beyond it no reload begins until the others ended.
    static let maximumMarkedDuringReads = 10_000

    private let configuration: OutboxRelayConfiguration
    private var keys: [OutboxKey: Key] = [:]
    private var ready = Deque<OutboxKey>()
    private var reloads = Deque<OutboxKey>()
    private var reloading = 0
    private var calls: [Int: [PendingRow]] = [:]
    private var nextCall = 0
    private var held: Set<OutboxKey> = []
    /// A lower bound of the times at which held keys are released.
    private var earliestRelease: Int64?
    private var confirms = 0
    private var transportFailures = 0
    private var transportPausedUntil: Int64?
    /// Confirmed rows whose mark a reader may not see yet.
    private var confirmedUnmarked: Set<Int64> = []
    private var markedDuringReads: [Int64] = []
    /// Every row up to here has been seen.
    private(set) var cursor: Int64
    /// Rows in memory, waiting or sent.
    private(set) var rowCount = 0
    /// Rows that were sent and whose fate is unknown.
    private(set) var inFlight = 0

    init(_ configuration: OutboxRelayConfiguration, parked: Set<OutboxKey>, cursor: Int64) {
        self.configuration = configuration
        self.cursor = cursor
        for key in parked {
            var state = Key()
            state.hold = .parked
            state.spilledFrom = 0
            keys[key] = state
        }
    }

    /// How many more rows may be admitted now.
    var room: Int { max(0, configuration.maximumRows - rowCount) }

    /// Takes a row from the table or from memory; one that was seen before is ignored.
    mutating func admit(_ row: PendingRow) {
        guard row.seq > cursor else { return }
        cursor = row.seq
        let key = row.key
        var state = keys[key] ?? Key()
        if state.isReloading { state.hasArrivalsDuringReload = true }
        if !state.isOpen || state.spilledFrom != nil || state.isReloading
            || state.rows.count + state.inFlight >= configuration.maximumRowsPerKey
        {
            state.spilledFrom = min(state.spilledFrom ?? row.seq, row.seq)
        } else {
            state.rows.append(row)
            rowCount += 1
        }
        put(key, &state)
    }

    /// The next rows to send in one call, in order; `nil` when there are none or the window is full.
    mutating func takeCall(now: Int64) -> Call? {
        if let until = transportPausedUntil {
            guard now >= until else { return nil }
            transportPausedUntil = nil
        }
        guard calls.count < configuration.maximumCalls, inFlight < configuration.window, !ready.isEmpty else {
            return nil
        }
        let limit = min(configuration.maximumBatch, configuration.window - inFlight)
        var rows: [PendingRow] = []
        while rows.count < limit, let key = ready.popFirst() {
            guard var state = keys[key], state.inFlight == 0 else { continue }
            state.isQueued = false
            guard state.isOpen, !state.rows.isEmpty else {
                put(key, &state)
                continue
            }
            let count = min(configuration.perKeyInFlight, limit - rows.count, state.rows.count)
            rows += state.rows.prefix(count)
            state.rows.removeFirst(count)
            state.inFlight = count
            keys[key] = state
        }
        guard !rows.isEmpty else { return nil }
        rows.sort { Sabotage.isOn("order-of-a-key-ignored") ? $0.seq > $1.seq : $0.seq < $1.seq }
        let call = Call(id: nextCall, rows: rows)
        nextCall += 1
        calls[call.id] = rows
        inFlight += rows.count
        return call
    }

    /// Rows of a key to be read from the table; `nil` when there are none to be read now.
    mutating func takeReload() -> Reload? {
        guard reloading < Self.maximumReloads, markedDuringReads.count < Self.maximumMarkedDuringReads else {
            return nil
        }
        while let key = reloads.popFirst() {
            guard var state = keys[key] else { continue }
            state.isQueued = false
            guard let from = state.spilledFrom, state.isOpen, !state.isReloading, state.inFlight == 0,
                state.rows.isEmpty
            else {
                put(key, &state)
                continue
            }
            state.isReloading = true
            state.hasArrivalsDuringReload = false
            keys[key] = state
            reloading += 1
            return Reload(key: key, from: from, limit: configuration.maximumRowsPerKey)
        }
        return nil
    }

    /// Takes what a reload found; `nil` when the table could not be read.
    mutating func reloaded(_ reload: Reload, rows: [PendingRow]?) {
        reloading -= 1
        defer { forgetMarks() }
        guard var state = keys[reload.key] else { return }
        state.isReloading = false
        if let rows, state.isOpen {
            // Rows after the cursor come by themselves; confirmed ones are merely not marked yet.
            let usable = rows.filter { $0.seq <= cursor && !confirmedUnmarked.contains($0.seq) }
            state.rows.append(contentsOf: usable)
            rowCount += usable.count
            let last = rows.last(where: { $0.seq <= cursor })?.seq
            if state.hasArrivalsDuringReload || rows.count >= reload.limit {
                state.spilledFrom = last.map { $0 + 1 } ?? reload.from
            } else {
                state.spilledFrom = nil
            }
        }
        put(reload.key, &state)
    }

    /// Takes the outcomes of a call.
    ///
    /// - Parameters:
    ///   - outcomes: one per row; missing ones count as interrupted.
    ///   - random: 64 random bits, for jitter.
    mutating func resolve(_ call: Call, outcomes: [PublishOutcome], now: Int64, random: UInt64) -> Resolution {
        var resolution = Resolution()
        guard let rows = calls.removeValue(forKey: call.id) else { return resolution }
        inFlight -= rows.count
        rowCount -= rows.count
        var failures: [OutboxKey: [(row: PendingRow, failure: Failure)]] = [:]
        // In the order of the rows: the next calls depend on it, and a simulation must be able to repeat them.
        var touched: OrderedSet<OutboxKey> = []
        for (index, row) in rows.enumerated() {
            touched.append(row.key)
            switch index < outcomes.count ? outcomes[index] : .failed(.unknownFate) {
            case .confirmed:
                resolution.marks.confirmed.append(row.seq)
                confirmedUnmarked.insert(row.seq)
            case .failed where Sabotage.isOn("failed-publish-is-confirmed"):
                resolution.marks.confirmed.append(row.seq)
                confirmedUnmarked.insert(row.seq)
            case .failed(let failure):
                if failure.failureClass == .fatal { resolution.fatal = failure }
                failures[row.key, default: []].append((row, failure))
            }
        }
        let confirmed = resolution.marks.confirmed.count
        confirms += confirmed
        let isTransports = confirmed == 0 && isTransportAtFault(failures)
        if isTransports { resolution.transportFailure = failures.values.first?.first?.failure }
        for key in touched {
            guard var state = keys[key] else { continue }
            state.inFlight = 0
            if let failed = failures[key] {
                if isTransports {
                    putBack(failed.map(\.row), &state)
                } else {
                    hold(key, &state, failed, confirmed: confirmed, now: now, random: random, &resolution.marks)
                }
            } else {
                state.failures = 0
                state.confirmsAtFailure = nil
            }
            put(key, &state)
        }
        if isTransports { pauseTransport(now: now, random: random) }
        if confirmed > 0 {
            transportFailures = 0
            releaseUncounted()
        }
        return resolution
    }

    /// The marks of these rows are committed.
    mutating func marked(_ seqs: [Int64]) {
        markedDuringReads += seqs
        forgetMarks()
    }

    /// Rows of a key were parked, or are not parked any more.
    mutating func apply(_ change: OutboxChange) {
        switch change {
        case .parked(let key):
            var state = keys[key] ?? Key()
            spill(&state)
            state.hold = .parked
            state.spilledFrom = state.spilledFrom ?? 0
            held.remove(key)
            keys[key] = state
        case .released(let key):
            var state = keys[key] ?? Key()
            guard state.rows.isEmpty || !state.isOpen else { return }
            state.hold = .open
            state.failures = 0
            state.spilledFrom = 0
            if state.isReloading { state.hasArrivalsDuringReload = true }
            held.remove(key)
            put(key, &state)
        }
    }

    /// Milliseconds until something may be sent that may not be sent now; `nil` when only events can change that.
    func pause(now: Int64) -> Int64? {
        let transport = ready.isEmpty ? nil : transportPausedUntil
        let next = [transport, earliestRelease].compactMap { $0 }.min()
        return next.map { max(1, $0 - now) }
    }

    // MARK: - Keys

    /// Stores a key's state, and queues it where it can move on.
    private mutating func put(_ key: OutboxKey, _ state: inout Key) {
        if state.isForgettable {
            // It may still stand in a queue; there it is skipped.
            keys[key] = nil
            return
        }
        if !state.isQueued, state.isOpen, state.inFlight == 0, !state.isReloading {
            if !state.rows.isEmpty {
                state.isQueued = true
                ready.append(key)
            } else if state.spilledFrom != nil {
                state.isQueued = true
                reloads.append(key)
            }
        }
        keys[key] = state
    }

    private mutating func putBack(_ rows: [PendingRow], _ state: inout Key) {
        guard state.isOpen else {
            if let first = rows.first { state.spilledFrom = min(state.spilledFrom ?? first.seq, first.seq) }
            return
        }
        state.rows.prepend(contentsOf: rows)
        rowCount += rows.count
    }

    /// Forgets the waiting rows of a key; the table has them.
    private mutating func spill(_ state: inout Key) {
        if let first = state.rows.first { state.spilledFrom = min(state.spilledFrom ?? first.seq, first.seq) }
        rowCount -= state.rows.count
        state.rows.removeAll()
        state.isQueued = false
    }

    private mutating func hold(
        _ key: OutboxKey,
        _ state: inout Key,
        _ failed: [(row: PendingRow, failure: Failure)],
        confirmed: Int,
        now: Int64,
        random: UInt64,
        _ marks: inout Marks
    ) {
        guard let (head, failure) = failed.first else { return }
        spill(&state)
        state.spilledFrom = min(state.spilledFrom ?? head.seq, head.seq)
        // The first failure alone decides: what came after it may have failed because of it.
        let isCounted =
            failure.failureClass == .retryable
            && (confirmed > 0 || state.confirmsAtFailure.map { confirms > $0 } ?? false)
        let attempts = head.attempts + (isCounted ? 1 : 0)
        state.failures += 1
        state.confirmsAtFailure = confirms
        let isHopeless = failure.failureClass == .poison || failure.failureClass == .permanent
        if isHopeless || attempts >= configuration.maximumAttempts {
            if case .parked = state.hold {} else { state.hold = .parked }
            held.remove(key)
            marks.parked.append(
                Marks.Parked(
                    seq: head.seq,
                    key: key,
                    attempts: attempts,
                    reason: "\(failure.code): \(failure.description)"
                )
            )
            return
        }
        // While nothing succeeds the transport is waited for, and this key may be the only one to notice that it is back.
        let longest = isCounted ? configuration.longestKeyPause : configuration.longestTransportPause
        let pause = backoff(state.failures, longest: longest, random: random)
        if isCounted {
            marks.failed.append(
                Marks.Failed(seq: head.seq, attempts: attempts, failure: failure, pauseMilliseconds: pause)
            )
        }
        if case .parked = state.hold { return }
        state.hold = .until(now + pause, isCounted: isCounted)
        held.insert(key)
        earliestRelease = min(earliestRelease ?? now + pause, now + pause)
    }

    // MARK: - Pauses

    private func isTransportAtFault(_ failures: [OutboxKey: [(row: PendingRow, failure: Failure)]]) -> Bool {
        let all = failures.values.joined()
        guard all.allSatisfy({ $0.failure.failureClass == .retryable || $0.failure.failureClass == .interrupted })
        else {
            return false
        }
        if failures.count > 1 || held.count >= Self.maximumHeldKeys { return true }
        return all.allSatisfy { $0.failure.failureClass == .interrupted }
    }

    private mutating func pauseTransport(now: Int64, random: UInt64) {
        // Calls that were under way together fail together: one pause for all of them.
        if let until = transportPausedUntil, until > now { return }
        transportFailures += 1
        transportPausedUntil =
            now + backoff(transportFailures, longest: configuration.longestTransportPause, random: random)
    }

    private func backoff(_ failures: Int, longest: Duration, random: UInt64) -> Int64 {
        let first = max(1, configuration.firstPause.wholeMilliseconds)
        let full = min(max(1, longest.wholeMilliseconds), first << Int64(min(max(failures - 1, 0), 30)))
        return full - Int64(random % UInt64(max(1, full / 2)))
    }

    /// Opens the keys whose pause is over. To be called before rows are taken.
    mutating func releaseDue(now: Int64) {
        guard let earliest = earliestRelease, now >= earliest else { return }
        earliestRelease = nil
        for key in held {
            guard var state = keys[key], case .until(let time, _) = state.hold else {
                held.remove(key)
                continue
            }
            if time <= now {
                held.remove(key)
                state.hold = .open
                put(key, &state)
            } else {
                earliestRelease = min(earliestRelease ?? time, time)
            }
        }
    }

    /// After a success: keys that failed while nothing succeeded are tried again at once.
    private mutating func releaseUncounted() {
        for key in held {
            guard var state = keys[key], case .until(_, isCounted: false) = state.hold else { continue }
            held.remove(key)
            state.hold = .open
            put(key, &state)
        }
    }

    private mutating func forgetMarks() {
        // A reader that began before the marks' commit may still show those rows as unsent.
        guard reloading == 0, !markedDuringReads.isEmpty else { return }
        for seq in markedDuringReads { confirmedUnmarked.remove(seq) }
        markedDuringReads.removeAll(keepingCapacity: true)
    }
}

extension Failure {
    static let unknownFate = Failure(
        .interrupted,
        code: "publish-unknown",
        "The publisher did not say what became of the message."
    )
}
