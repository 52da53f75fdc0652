public import Messaging

/// Keeps calls of one operation away from a gateway that cannot be reached, so that they wait instead of failing one by one.
///
/// ```
///            failures in a row reach the threshold
///   closed ─────────────────────────────────────────► open(until)
///     ▲                                                 │ until passed: one caller gets through
///     │ answered                                        ▼
///     └───────────────────────────────────────────── halfOpen(probe under way)
///                                                       │ failed: open again, twice as long, up to the cap
///                                                       └──────────────► open
/// ```
///
/// What counts as a failure is the caller's decision: a connection that could not be made, and a look-up without an answer.
/// A single call that times out does not count: it may be that one card's issuer.
public struct CircuitBreaker: Sendable, Hashable {
    /// Where it stands.
    public enum State: Sendable, Hashable {
        /// Calls go through; so many in a row have failed.
        case closed(failures: Int)
        /// Calls wait until a point in time.
        case open(until: Timestamp)
        /// One call is under way to find out; the others wait. The probe counts as lost after `until`.
        case halfOpen(until: Timestamp)
    }

    /// May a call be made?
    public enum Permission: Sendable, Hashable {
        /// Yes.
        case granted
        /// Not before this point.
        case refused(until: Timestamp)
    }

    /// Where it stands.
    public private(set) var state: State = .closed(failures: 0)
    /// Failures in a row that open it.
    public let threshold: Int
    /// How long it stays open the first time, in milliseconds.
    public let base: Int64
    /// The longest time that it stays open, in milliseconds.
    public let cap: Int64
    private var openings = 0
    /// How long a probe may go without a report, in milliseconds.
    private static let probeLimit: Int64 = 10_000

    /// Makes a closed breaker: opens after 5 failures in a row, for 500 ms, then twice as long each time, up to 5 s.
    public init(threshold: Int = 5, base: Int64 = 500, cap: Int64 = 5000) {
        self.threshold = max(1, threshold)
        self.base = max(1, base)
        self.cap = max(1, cap)
    }

    /// Asks for a call. In `open` whose time has passed, the asker becomes the probe.
    public mutating func ask(at now: Timestamp) -> Permission {
        switch state {
        case .closed: return .granted
        case .open(let until), .halfOpen(let until):
            // Further away than it can be set: the clock was put back, and the time is taken for passed.
            let isAhead = until.milliseconds(since: now) > max(cap, Self.probeLimit)
            guard now >= until || isAhead else { return .refused(until: until) }
            // A probe that never reports must not keep it shut for ever.
            state = .halfOpen(until: now.advanced(byMilliseconds: Self.probeLimit))
            return .granted
        }
    }

    /// The gateway answered, whatever it said.
    /// - Returns: whether this closed the breaker, so that what waits may go on.
    public mutating func answered() -> Bool {
        defer {
            state = .closed(failures: 0)
            openings = 0
        }
        switch state {
        case .closed: return false
        case .open, .halfOpen: return true
        }
    }

    /// The gateway could not be reached, or did not answer where it always must.
    public mutating func failed(at now: Timestamp) {
        switch state {
        case .closed(let failures) where failures + 1 < threshold: state = .closed(failures: failures + 1)
        case .closed, .halfOpen: open(at: now)
        case .open: break
        }
    }

    /// An exchange ended without showing anything about the gateway. As the probe it counts as none: the next asker probes.
    public mutating func inconclusive(at now: Timestamp) {
        if case .halfOpen = state { state = .open(until: now) }
    }

    /// Something else showed that the gateway is there: an open breaker waits no longer for its probe.
    public mutating func probe(from now: Timestamp) {
        if case .open(let until) = state, until > now { state = .open(until: now) }
    }

    private mutating func open(at now: Timestamp) {
        let factor = Int64(1) << Int64(min(openings, 16))
        let (product, overflow) = base.multipliedReportingOverflow(by: factor)
        openings = min(openings + 1, 1000)
        state = .open(until: now.advanced(byMilliseconds: overflow ? cap : min(product, cap)))
    }
}
