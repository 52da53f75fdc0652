/// How long to wait before handling a message again, and when to give up.
///
/// Each level is a queue of its own with a fixed time to live (see the transport), so the delays are a short list, not a
/// formula. Attempts are counted by us and carried in the message; a broker's delivery count plays no part.
public struct RetryPolicy: Sendable, Hashable {
    /// One waiting room: a name that appears in queue names, and how long a message stays there.
    public struct Level: Sendable, Hashable {
        /// Short text for queue names, made from the delay: `1s`, `2m`, `1500ms`. One name can therefore never mean two delays, and
        /// levels that were configured differently before are other queues, not queues declared differently.
        public let name: String
        /// The longest stay.
        public let delay: Duration

        /// Makes a level; parts of a millisecond are dropped.
        public init(_ delay: Duration) {
            self.delay = .milliseconds(delay.wholeMilliseconds)
            name = DelayText.text(delay.wholeMilliseconds)
        }
    }

    /// The delays after the first, second … failed attempt.
    public let levels: [Level]
    /// How much shorter than its level a stay may be, in percent; 0…``maximumJitterPercent``.
    public let jitterPercent: Int

    /// The most levels that can be configured: each is a queue of every inbox.
    public static let maximumLevels = 16
    /// The longest delay that can be configured.
    public static let longestDelay: Duration = .seconds(86_400)
    /// The most jitter.
    public static let maximumJitterPercent = 90
    /// The jitter where none is asked for.
    public static let standardJitterPercent = 20

    /// Makes a policy; `levels.count + 1` attempts are made in all.
    ///
    /// - Parameter jitterPercent: brought into its range.
    public init(levels: [Level], jitterPercent: Int = Self.standardJitterPercent) {
        self.levels = levels
        self.jitterPercent = min(max(jitterPercent, 0), Self.maximumJitterPercent)
    }

    /// Reads delays such as `1s,5s,30s,2m,10m`: whole numbers with `ms`, `s`, `m` or `h`, each longer than the one before.
    ///
    /// - Throws: ``RetryPolicyFault`` with a sentence that says what is wrong.
    public init(delays text: String, jitterPercent: Int = Self.standardJitterPercent) throws(RetryPolicyFault) {
        var levels: [Level] = []
        for part in text.split(separator: ",", omittingEmptySubsequences: false) {
            let word = String(part.drop { $0 == " " }.reversed().drop { $0 == " " }.reversed())
            guard let milliseconds = DelayText.milliseconds(word) else {
                throw RetryPolicyFault(
                    "“\(word.prefix(40))” is not a delay; write whole numbers with ms, s, m or h, such as 30s"
                )
            }
            let level = Level(.milliseconds(milliseconds))
            guard level.delay > .zero, level.delay <= Self.longestDelay else {
                throw RetryPolicyFault("a delay is from 1ms to 24h, and \(level.name) is not")
            }
            if let last = levels.last, last.delay >= level.delay {
                throw RetryPolicyFault(
                    "each delay must be longer than the one before, and \(level.name) is not longer than \(last.name)"
                )
            }
            levels.append(level)
            guard levels.count <= Self.maximumLevels else {
                throw RetryPolicyFault("there are more than \(Self.maximumLevels) delays")
            }
        }
        self.init(levels: levels, jitterPercent: jitterPercent)
    }

    /// About 1 s, 5 s, 30 s, 2 min, 10 min: six attempts in all.
    public static let standard = RetryPolicy(
        levels: [1, 5, 30, 120, 600].map { Level(.seconds($0)) }
    )

    /// The delays as ``init(delays:jitterPercent:)`` reads them.
    public var delaysText: String { levels.map(\.name).joined(separator: ",") }

    /// Attempts in all before a dead letter.
    public var maximumAttempts: Int { levels.count + 1 }

    /// Where a message waits whose attempt number `attempt` (from 1) has just failed; `nil` when it was the last.
    public func level(afterFailedAttempt attempt: Int) -> Level? {
        guard attempt >= 1, attempt <= levels.count else { return nil }
        return levels[attempt - 1]
    }

    /// The stay at a level with jitter: at most its delay and at least ``jitterPercent`` less, in milliseconds; 1 or more.
    ///
    /// Downwards only, since the queue's own time to live bounds it from above.
    ///
    /// - Parameter random: 64 random bits.
    public func jitteredMilliseconds(at level: Level, random: UInt64) -> Int64 {
        let full = level.delay.wholeMilliseconds
        let spread = max(1, full / 100 * Int64(jitterPercent) + full % 100 * Int64(jitterPercent) / 100)
        return max(1, full - Int64(random % UInt64(spread)))
    }
}

/// Delays that cannot be used.
public struct RetryPolicyFault: Error, Sendable, CustomStringConvertible {
    /// What is wrong, as a clause without a full stop.
    public let description: String

    init(_ description: String) { self.description = description }
}

/// Delays as text: a whole number and a unit.
enum DelayText {
    /// From the longest to the shortest.
    private static let units: [(name: String, milliseconds: Int64)] = [
        ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1),
    ]

    /// In the longest unit that divides it: `2m`, not `120s`.
    static func text(_ milliseconds: Int64) -> String {
        guard milliseconds != 0, let unit = units.first(where: { milliseconds % $0.milliseconds == 0 }) else {
            return "0s"
        }
        return "\(milliseconds / unit.milliseconds)\(unit.name)"
    }

    /// `nil` for anything but digits and a unit, and for what no `Int64` holds.
    static func milliseconds(_ text: String) -> Int64? {
        let digits = text.prefix { $0.isASCII && $0.isNumber }
        guard let unit = units.first(where: { $0.name == text[digits.endIndex...] }), let number = Int64(digits) else {
            return nil
        }
        let (product, overflow) = number.multipliedReportingOverflow(by: unit.milliseconds)
        return overflow ? nil : product
    }
}
