/// What became of a planned fault.
public struct FaultRecord: Sendable, Hashable {
    /// The fault.
    public var fault: PlannedFault
    /// Whether it was done and had something to work on. The injector may come too late: a broker that is still starting takes no
    /// message by hand.
    public var isInjected: Bool
    /// What was done in detail, or why it was not.
    public var note: String
    /// When it was done, in milliseconds after the beginning of the run.
    public var injectedAt: Int64
    /// When it was healed; the same moment for a blow.
    public var healedAt: Int64
    /// From the heal until its target was ready again, in milliseconds; `nil` while it is not, or when it was not in the time given.
    public var recovery: Int64?
    /// Something that a promise forbids and that only the injector could see, such as a forged callback that was taken.
    public var violation: String?

    /// Makes a record of a fault that was done at the given time.
    public init(fault: PlannedFault, isInjected: Bool, note: String, injectedAt: Int64) {
        self.fault = fault
        self.isInjected = isInjected
        self.note = note
        self.injectedAt = injectedAt
        healedAt = injectedAt
    }

    /// Takes in what the heal found out.
    mutating func heal(_ outcome: FaultOutcome, at now: Int64) {
        healedAt = now
        switch outcome {
        case .asNoted: break
        case .done(let what): note = what
        case .nothing(let reason):
            isInjected = false
            note = reason
        }
    }
}

/// What a fault turns out to have been when it is taken away.
enum FaultOutcome: Sendable, Hashable {
    /// What was said when it began.
    case asNoted
    /// This, in a few words, which nobody could know before.
    case done(String)
    /// Nothing, for this reason: a fault without an effect does not count.
    case nothing(String)
}

/// One look of the verifier.
public struct CheckRecord: Sendable, Hashable {
    /// When, in milliseconds after the beginning of the run.
    public var at: Int64
    /// Whether everything was at rest: then all invariants were looked at, otherwise those that hold at any moment.
    public var isFinal: Bool
    /// The invariants that were looked at.
    public var examined: Set<String>
    /// Those that did not hold, each with an example.
    public var violated: [String: String]
    /// Those that could not be looked at, each with the reason.
    public var unexamined: [String: String]

    /// Makes a record.
    public init(
        at: Int64,
        isFinal: Bool,
        examined: Set<String>,
        violated: [String: String],
        unexamined: [String: String] = [:]
    ) {
        self.at = at
        self.isFinal = isFinal
        self.examined = examined
        self.violated = violated
        self.unexamined = unexamined
    }
}
