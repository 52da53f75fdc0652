/// What one try of a probe brought.
public enum ProbeOutcome: Sendable, Equatable {
    /// The process answered. `ready` is its own verdict (an HTTP status of 2xx, or an accepted connection for a TCP probe).
    case answered(ready: Bool, statusCode: Int?, detail: String)
    /// No answer: refused, reset, cut off or too late. The text says which.
    case silent(String)
}

/// What is known about a running process from its probe, and the decision when silence means that it is frozen.
///
/// Any answer is a sign of life, also "not ready": a service whose broker is away must not be killed for it.
public struct ProcessHealth: Sendable, Equatable {
    /// When silence becomes a verdict.
    public struct Limits: Sendable, Equatable {
        /// Silence that counts as frozen after a first answer; `nil` means never.
        public var freeze: Duration?
        /// Silence from the start that counts as never having started; `nil` means never.
        public var start: Duration?
        /// The least number of unanswered probes before any verdict, so that a pause of the supervisor itself kills nobody.
        public var leastSilentProbes: Int

        /// Makes limits; at least three probes must fail by default.
        public init(freeze: Duration?, start: Duration?, leastSilentProbes: Int = 3) {
            self.freeze = freeze
            self.start = start
            self.leastSilentProbes = leastSilentProbes
        }
    }

    /// The decision about a running process.
    public enum Verdict: Sendable, Equatable {
        /// Leave it alone.
        case fine
        /// It answered once and has been silent for longer than allowed.
        case frozen
        /// It has not answered within the time allowed for starting.
        case neverStarted
    }

    /// When the process was started; later when the supervisor itself was paused meanwhile.
    public private(set) var countsFrom: MonotonicTime
    /// The last time it answered.
    public private(set) var lastAnswer: MonotonicTime?
    /// Unanswered probes since the last answer.
    public private(set) var silentProbes = 0
    /// The outcome of the last probe.
    public private(set) var last: ProbeOutcome?

    /// Starts with a process started at `startedAt`.
    public init(startedAt: MonotonicTime) {
        countsFrom = startedAt
    }

    /// Whether the last probe was answered with "ready".
    public var isReady: Bool {
        if case .answered(ready: true, _, _)? = last { true } else { false }
    }

    /// Whether the last probe was answered at all.
    public var isAnswering: Bool {
        if case .answered? = last { true } else { false }
    }

    /// Notes the outcome of a probe.
    public mutating func record(_ outcome: ProbeOutcome, at now: MonotonicTime) {
        last = outcome
        switch outcome {
        case .answered:
            lastAnswer = now
            silentProbes = 0
        case .silent:
            silentProbes += 1
        }
    }

    /// Takes a pause of the supervisor (a suspended machine, a stopped process) out of every measured silence.
    public mutating func forgive(_ pause: Duration) {
        countsFrom = countsFrom + pause
        lastAnswer = lastAnswer.map { $0 + pause }
    }

    /// Decides whether the silence so far is too long.
    public func verdict(at now: MonotonicTime, limits: Limits) -> Verdict {
        guard silentProbes >= limits.leastSilentProbes else { return .fine }
        if let lastAnswer {
            guard let freeze = limits.freeze else { return .fine }
            return now - lastAnswer >= freeze ? .frozen : .fine
        }
        guard let start = limits.start else { return .fine }
        return now - countsFrom >= start ? .neverStarted : .fine
    }
}
