public import Messaging

/// How long to wait after each failed attempt, in milliseconds.
public struct RetrySchedule: Sendable, Hashable {
    /// The delays after the first, second … failure; one attempt more than delays is made.
    public let delays: [Int64]
    /// Jitter in percent: a delay is moved by at most so much, up or down.
    public let jitterPercent: Int

    /// The most delays and the longest one, 7 days.
    public static let maximumDelays = 50
    /// See ``maximumDelays``.
    public static let longestDelay: Int64 = 7 * 86_400_000

    /// Makes a schedule; `nil` for more than 50 delays, a delay outside 0…7 days, or jitter outside 0…100.
    public init?(delays: [Int64], jitterPercent: Int = 20) {
        guard delays.count <= Self.maximumDelays, delays.allSatisfy({ (0...Self.longestDelay).contains($0) }),
            (0...100).contains(jitterPercent)
        else { return nil }
        self.init(checked: delays, jitterPercent: jitterPercent)
    }

    private init(checked delays: [Int64], jitterPercent: Int) {
        self.delays = delays
        self.jitterPercent = jitterPercent
    }

    /// 5 s, 5 min, 30 min, 2 h, 5 h, 10 h, 14 h, 20 h, 24 h: ten attempts in 75 h 35 min, the example of Standard Webhooks.
    public static let standard = RetrySchedule(
        checked: [5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400].map { $0 * 1000 },
        jitterPercent: 20
    )

    /// Attempts in all.
    public var maximumAttempts: Int { delays.count + 1 }

    /// When the next attempt is due; `nil` when there is none.
    ///
    /// - Parameters:
    ///   - failures: attempts that failed so far, at least 1.
    ///   - now: the end of the failed attempt.
    ///   - floor: not before this (`Retry-After`); jitter then only adds.
    ///   - random: 64 random bits.
    public func next(afterFailures failures: Int, at now: Timestamp, floor: Timestamp?, random: UInt64) -> Timestamp? {
        guard failures >= 1, failures <= delays.count else { return nil }
        let delay = delays[failures - 1]
        let spread = delay / 100 * Int64(jitterPercent) + delay % 100 * Int64(jitterPercent) / 100
        let scheduled = now.advanced(byMilliseconds: delay - spread + Int64(random % UInt64(2 * spread + 1)))
        guard let floor, floor > scheduled else { return scheduled }
        return floor.advanced(byMilliseconds: Int64(random % UInt64(spread + 1)))
    }
}
