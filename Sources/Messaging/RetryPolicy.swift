/// How long to wait before handling a message again, and when to give up.
///
/// Each level is a queue of its own with a fixed time to live (see the transport), so the delays are a short list, not a
/// formula. Attempts are counted by us and carried in the message; a broker's delivery count plays no part.
public struct RetryPolicy: Sendable, Hashable {
    /// One waiting room: a name that appears in queue names, and how long a message stays there.
    public struct Level: Sendable, Hashable {
        /// Short text for queue names: `1s`, `2m`.
        public let name: String
        /// The longest stay.
        public let delay: Duration

        /// Makes a level.
        public init(name: String, delay: Duration) {
            self.name = name
            self.delay = delay
        }
    }

    /// The delays after the first, second … failed attempt.
    public let levels: [Level]

    /// Makes a policy; `levels.count + 1` attempts are made in all.
    public init(levels: [Level]) {
        self.levels = levels
    }

    /// About 1 s, 5 s, 30 s, 2 min, 10 min: six attempts in all.
    public static let standard = RetryPolicy(levels: [
        Level(name: "1s", delay: .seconds(1)), Level(name: "5s", delay: .seconds(5)),
        Level(name: "30s", delay: .seconds(30)), Level(name: "2m", delay: .seconds(120)),
        Level(name: "10m", delay: .seconds(600)),
    ])

    /// Attempts in all before a dead letter.
    public var maximumAttempts: Int { levels.count + 1 }

    /// Where a message waits whose attempt number `attempt` (from 1) has just failed; `nil` when it was the last.
    public func level(afterFailedAttempt attempt: Int) -> Level? {
        guard attempt >= 1, attempt <= levels.count else { return nil }
        return levels[attempt - 1]
    }

    /// The stay at a level with jitter: between 80 % and 100 % of its delay, in milliseconds.
    ///
    /// Downwards only, since the queue's own time to live bounds it from above.
    ///
    /// - Parameter random: 64 random bits.
    public func jitteredMilliseconds(at level: Level, random: UInt64) -> Int64 {
        let full = level.delay.wholeMilliseconds
        let spread = max(1, full / 5)
        return max(1, full - Int64(random % UInt64(spread)))
    }
}
