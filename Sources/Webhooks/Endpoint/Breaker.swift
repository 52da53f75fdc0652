public import Messaging

/// Keeps requests away from an endpoint that fails: a pure state machine.
///
/// ```
/// closed ──N failures in a row──► open(until) ──time passed──► one probe
///   ▲                               ▲                             │
///   └──────────success──────────────┼─────────────────────────────┤
///                                   └── failure: twice as long ◄──┘
/// ```
///
/// A delivery that waits for an open breaker uses no attempt.
public struct Breaker: Sendable, Hashable {
    /// When it opens and for how long.
    public struct Policy: Sendable, Hashable {
        /// Failures in a row that open it, at least 1.
        public var threshold: Int
        /// How long it is open the first time.
        public var firstPause: Duration
        /// How long it is open at most.
        public var longestPause: Duration

        /// 4 failures; 60 s, doubled up to 24 h.
        public init(threshold: Int = 4, firstPause: Duration = .seconds(60), longestPause: Duration = .seconds(86_400))
        {
            self.threshold = max(1, threshold)
            self.firstPause = firstPause
            self.longestPause = longestPause
        }
    }

    /// Failures since the last success.
    public var failures: Int
    /// How often it opened since the last success.
    public var openings: Int
    /// Until when it is open; `nil` when it is closed.
    public var openUntil: Timestamp?

    /// A closed breaker, or one that was stored.
    public init(failures: Int = 0, openings: Int = 0, openUntil: Timestamp? = nil) {
        self.failures = failures
        self.openings = openings
        self.openUntil = openUntil
    }

    /// How many requests may be under way at the same time.
    public func permits(upTo maximum: Int, at now: Timestamp) -> Int {
        guard let openUntil else { return maximum }
        return openUntil <= now ? 1 : 0
    }

    /// Notes a result.
    /// - Returns: whether it opened (again) by this.
    @discardableResult
    public mutating func note(success: Bool, at now: Timestamp, policy: Policy) -> Bool {
        guard !success else {
            self = Breaker()
            return false
        }
        failures = min(failures + 1, 1_000_000)
        if let openUntil {
            // Requests that were under way when it opened do not lengthen it; only the probe after it does.
            guard now >= openUntil else { return false }
        } else {
            guard failures >= policy.threshold else { return false }
        }
        let pause = policy.firstPause.wholeMilliseconds << Int64(min(openings, 20))
        openings = min(openings + 1, 1000)
        openUntil = now.advanced(byMilliseconds: min(max(pause, 1), policy.longestPause.wholeMilliseconds))
        return true
    }

    /// `closed`, `open` or `half_open`, as documents show it.
    public func name(at now: Timestamp) -> String {
        guard let openUntil else { return "closed" }
        return openUntil <= now ? "half_open" : "open"
    }
}
