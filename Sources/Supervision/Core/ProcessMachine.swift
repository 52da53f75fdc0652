/// The life of one supervised process, as a pure state machine: no clock, no signal, no random number inside.
///
/// ```
///              start                 spawned
///   stopped ─────────► waiting ─────────────────► running ──────────┐
///      ▲ ▲               ▲ │ ▲                     │   │ frozen:    │ stop, restart
///      │ └──── stop ─────┼─┘ └── spawn failed ──┐  │   │ kill, stay │
///      │                 │      (longer wait) ──┘  │   ▼            ▼
///      │                 └──────── exited (wait) ──┴─ running    stopping ── time out: kill, stay
///      │                 ▲                                          │
///      │                 └───────── exited, restart asked ──────────┤
///      └─────────────────────────── exited, stop asked ─────────────┘
/// ```
///
/// `stopped` has no way out but ``start(at:)``. Inputs that make no sense in a state (an exit of a process that does not run, a
/// late probe answer) change nothing.
public struct ProcessMachine: Sendable, Equatable {
    /// A child that exists.
    public struct Run: Sendable, Equatable {
        /// Its process id.
        public var pid: Int32
        /// When it was started.
        public var startedAt: MonotonicTime
        /// What its probe says.
        public var health: ProcessHealth
        /// Why it was killed, when it was.
        public var killed: KillReason?
    }

    /// Why a process was sent SIGKILL.
    public enum KillReason: String, Sendable, Equatable {
        /// Its probe went silent.
        case frozen
        /// Its probe never answered.
        case neverStarted = "never-started"
        /// It did not stop in time.
        case stopTimeout = "stop-timeout"
    }

    /// What follows the end of a process that was asked to stop.
    public enum AfterStop: Sendable, Equatable {
        /// It stays stopped.
        case stay
        /// It is started again at once.
        case start
    }

    /// The states; see the graph of ``ProcessMachine``.
    public enum State: Sendable, Equatable {
        /// No child and none wanted. Can transition to: `waiting`.
        case stopped
        /// A child is due at `until`. Can transition to: `running`, `stopped`, `waiting`.
        case waiting(until: MonotonicTime)
        /// A child runs. Can transition to: `waiting`, `stopping`.
        case running(Run)
        /// A child was asked to end and is killed at `killAt`. Can transition to: `stopped`, `waiting`.
        case stopping(Run, killAt: MonotonicTime, next: AfterStop)
    }

    /// What ``tick(at:)`` asks for.
    public enum TickAction: Sendable, Equatable {
        /// Nothing is due.
        case none
        /// Spawn a child now, then call ``spawned(pid:at:)`` or ``spawnFailed(at:jitter:)``.
        case spawn
        /// Send SIGKILL to the child and its group.
        case kill(pid: Int32, KillReason)
    }

    /// What ``stop(at:within:then:)`` asks for.
    public enum StopAction: Sendable, Equatable {
        /// Nothing to do: there is no child, or it has been asked already.
        case none
        /// Send the stop signal to the child.
        case signal(pid: Int32)
    }

    /// What ``exited(_:at:jitter:)`` tells.
    public enum ExitAction: Sendable, Equatable {
        /// It was asked to; `clean` says whether it ended well.
        case stopped(clean: Bool)
        /// It was asked to, and is started again now.
        case restarting(clean: Bool)
        /// It died unasked and is started again after the wait.
        case died(restartAfter: Duration)
        /// There was no such child.
        case ignored
    }

    /// The current state.
    public private(set) var state: State = .stopped
    /// Failures in a row; 0 after a healthy run.
    public private(set) var failures = 0
    /// Starts after the first one, asked for or not.
    public private(set) var restarts = 0

    private var hasRun = false
    private let policy: RestartPolicy
    private let limits: ProcessHealth.Limits
    private let isProbed: Bool

    /// Makes a machine in `stopped`. `isProbed` says whether probe results will come.
    public init(policy: RestartPolicy = RestartPolicy(), limits: ProcessHealth.Limits, isProbed: Bool) {
        self.policy = policy
        self.limits = limits
        self.isProbed = isProbed
    }

    /// The child, if there is one.
    public var run: Run? {
        switch state {
        case .stopped, .waiting: nil
        case .running(let run), .stopping(let run, _, _): run
        }
    }

    /// When ``tick(at:)`` has something to do at the latest, or `nil`. Probe verdicts come with probes and need no timer.
    public var nextDeadline: MonotonicTime? {
        switch state {
        case .waiting(let until): until
        case .stopping(let run, let killAt, _): run.killed == nil ? killAt : nil
        case .stopped, .running: nil
        }
    }

    /// Wants the process to run. In `stopping` it will be started again after its end; in `waiting` the wait is cut short.
    public mutating func start(at now: MonotonicTime) {
        switch state {
        case .stopped:
            failures = 0
            state = .waiting(until: now)
        case .waiting:
            state = .waiting(until: now)
        case .running:
            break
        case .stopping(let run, let killAt, _):
            state = .stopping(run, killAt: killAt, next: .start)
        }
    }

    /// Wants the process to end within `limit`, and then to stay stopped or to start again.
    public mutating func stop(at now: MonotonicTime, within limit: Duration, then next: AfterStop) -> StopAction {
        switch state {
        case .stopped, .waiting:
            failures = 0
            state = next == .start ? .waiting(until: now) : .stopped
            return .none
        case .running(let run):
            state = .stopping(run, killAt: now + limit, next: next)
            return run.killed == nil ? .signal(pid: run.pid) : .none
        case .stopping(let run, let killAt, _):
            state = .stopping(run, killAt: min(killAt, now + limit), next: next)
            return .none
        }
    }

    /// A child was spawned.
    public mutating func spawned(pid: Int32, at now: MonotonicTime) {
        guard case .waiting = state else { return }
        if hasRun { restarts += 1 }
        hasRun = true
        state = .running(Run(pid: pid, startedAt: now, health: ProcessHealth(startedAt: now), killed: nil))
    }

    /// No child could be spawned; returns the wait before the next try.
    public mutating func spawnFailed(at now: MonotonicTime, jitter: Double) -> Duration {
        guard case .waiting = state else { return .zero }
        return waitAfterFailure(at: now, jitter: jitter)
    }

    /// The child ended.
    public mutating func exited(_ status: ProcessExit, at now: MonotonicTime, jitter: Double) -> ExitAction {
        switch state {
        case .stopped, .waiting:
            return .ignored
        case .running(let run):
            let wasAnswering = !isProbed || (run.killed == nil && run.health.lastAnswer != nil)
            if wasAnswering, now - run.startedAt >= policy.healthyAfter { failures = 0 }
            return .died(restartAfter: waitAfterFailure(at: now, jitter: jitter))
        case .stopping(let run, _, let next):
            let clean = run.killed == nil && status.isCleanStop
            failures = 0
            switch next {
            case .stay:
                state = .stopped
                return .stopped(clean: clean)
            case .start:
                state = .waiting(until: now)
                return .restarting(clean: clean)
            }
        }
    }

    /// A probe of the child brought a result.
    public mutating func probed(_ outcome: ProbeOutcome, at now: MonotonicTime) {
        guard case .running(var run) = state else { return }
        run.health.record(outcome, at: now)
        state = .running(run)
    }

    /// The supervisor itself was paused for `pause`: no silence of that time counts.
    public mutating func forgive(_ pause: Duration) {
        guard case .running(var run) = state else { return }
        run.health.forgive(pause)
        state = .running(run)
    }

    /// Time has passed.
    public mutating func tick(at now: MonotonicTime) -> TickAction {
        switch state {
        case .stopped:
            return .none
        case .waiting(let until):
            return now >= until ? .spawn : .none
        case .running(var run):
            guard run.killed == nil else { return .none }
            switch run.health.verdict(at: now, limits: limits) {
            case .fine: return .none
            case .frozen: run.killed = .frozen
            case .neverStarted: run.killed = .neverStarted
            }
            state = .running(run)
            return .kill(pid: run.pid, run.killed ?? .frozen)
        case .stopping(var run, let killAt, let next):
            guard run.killed == nil, now >= killAt else { return .none }
            run.killed = .stopTimeout
            state = .stopping(run, killAt: killAt, next: next)
            return .kill(pid: run.pid, .stopTimeout)
        }
    }

    private mutating func waitAfterFailure(at now: MonotonicTime, jitter: Double) -> Duration {
        failures += 1
        let wait = policy.delay(failures: failures, jitter: jitter)
        state = .waiting(until: now + wait)
        return wait
    }
}
