/// One invariant and the way to hold evidence against it.
public struct Check: Sendable {
    /// When an invariant must hold.
    public enum Moment: String, Sendable {
        /// On any consistent snapshot, also in the middle of the traffic.
        case always
        /// Only when everything has come to rest.
        case quiescent
    }

    /// The id that code, tests and documents share: `M1`.
    public let id: String
    /// The invariant in one line.
    public let title: String
    /// When it must hold.
    public let moment: Moment
    /// The check itself: pure, and total over any evidence.
    public let examine: @Sendable (Evidence) -> Finding

    /// Makes a check.
    public init(
        _ id: String,
        _ title: String,
        _ moment: Moment,
        examine: @escaping @Sendable (Evidence) -> Finding
    ) {
        self.id = id
        self.title = title
        self.moment = moment
        self.examine = examine
    }
}

/// What a check found.
public struct Finding: Sendable, Hashable {
    /// Holds, is violated, or could not be examined.
    public enum Verdict: Sendable, Hashable {
        case holds
        /// How often, and the smallest counter-example in words.
        case violated(count: Int, example: String)
        /// Why the evidence is not there.
        case notExamined(String)
    }

    /// What was looked at: `300 orders, 1,500 changes`.
    public let lookedAt: String
    /// The verdict.
    public let verdict: Verdict

    /// Makes a finding.
    public init(lookedAt: String, verdict: Verdict) {
        self.lookedAt = lookedAt
        self.verdict = verdict
    }

    /// Something that the check needs is missing.
    public static func notExamined(_ reason: String) -> Finding {
        Finding(lookedAt: "nothing", verdict: .notExamined(reason))
    }

    /// The finding over a list of counter-examples: none means that the invariant holds, and the shortest one is shown.
    static func of(_ lookedAt: String, violations: [String]) -> Finding {
        guard let example = violations.min(by: { ($0.utf8.count, $0) < ($1.utf8.count, $1) }) else {
            return Finding(lookedAt: lookedAt, verdict: .holds)
        }
        return Finding(lookedAt: lookedAt, verdict: .violated(count: violations.count, example: example))
    }
}

/// `1 order`, `1,500 orders`.
func counted(_ count: Int, _ noun: String, plural: String? = nil) -> String {
    var digits = String(count)
    var index = digits.endIndex
    while let next = digits.index(index, offsetBy: -3, limitedBy: digits.startIndex), next > digits.startIndex {
        digits.insert(",", at: next)
        index = next
    }
    return digits + " " + (count == 1 ? noun : plural ?? noun + "s")
}
