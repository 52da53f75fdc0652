/// What `.run/status.json` holds: the state of every process, rewritten about once a second.
public struct SupervisorStatus: Codable, Sendable, Equatable {
    /// The supervisor as a whole.
    public enum Phase: String, Codable, Sendable {
        /// Everything is looked after.
        case running
        /// Everything is being stopped.
        case stopping
        /// Nothing runs any more.
        case stopped
    }

    /// The form of this document: 1.
    public var version = 1
    /// The supervisor's process id.
    public var supervisorPid: Int32
    /// The supervisor's start time in clock ticks since boot: tells a recycled process id from the real one.
    public var supervisorStartTicks: UInt64?
    /// When the supervisor started, RFC 3339 in UTC.
    public var startedAt: String
    /// When this document was written, RFC 3339 in UTC.
    public var updatedAt: String
    /// What the supervisor is doing.
    public var phase: Phase
    /// After a stop: whether every process ended by itself, in time and without an error.
    public var cleanStop: Bool?
    /// The processes in start order.
    public var processes: [ProcessStatus]

    /// Makes a status.
    public init(
        supervisorPid: Int32,
        supervisorStartTicks: UInt64?,
        startedAt: String,
        updatedAt: String,
        phase: Phase,
        cleanStop: Bool?,
        processes: [ProcessStatus]
    ) {
        self.supervisorPid = supervisorPid
        self.supervisorStartTicks = supervisorStartTicks
        self.startedAt = startedAt
        self.updatedAt = updatedAt
        self.phase = phase
        self.cleanStop = cleanStop
        self.processes = processes
    }

    /// Whether everything runs and is ready.
    public var isHealthy: Bool {
        phase == .running && !processes.isEmpty && processes.allSatisfy(\.healthy)
    }
}

/// The state of one process.
public struct ProcessStatus: Codable, Sendable, Equatable {
    /// What a person sees as the state.
    public enum State: String, Codable, Sendable {
        /// Not running, on purpose.
        case stopped
        /// Died; will be started again after a wait.
        case waiting
        /// Running, has not answered its probe yet.
        case starting
        /// Running and ready; without a probe: running.
        case ready
        /// Running and answering, but it says that it is not ready.
        case unready
        /// Running, but the probe is no longer answered.
        case silent
        /// Asked to end.
        case stopping
    }

    /// How a process ended the last time.
    public struct Exit: Codable, Sendable, Equatable {
        /// `code 1`, `signal 9`.
        public var status: String
        /// Why, when the supervisor did it: `frozen`, `never-started`, `stop-timeout`, `asked`.
        public var reason: String?
        /// When, RFC 3339 in UTC.
        public var at: String
    }

    /// `name-instance`.
    public var id: String
    /// The role.
    public var name: String
    /// The instance.
    public var instance: Int
    /// The state.
    public var state: State
    /// Whether this is as it should be: running and, when probed, ready.
    public var healthy: Bool
    /// The process id while it runs.
    public var pid: Int32?
    /// Its start time in clock ticks since boot.
    public var startTicks: UInt64?
    /// Seconds since its start.
    public var uptimeSeconds: Double?
    /// Starts after the first.
    public var restarts: Int
    /// What is probed.
    public var probe: String?
    /// The last answer in words: `200`, `503 …`, `no answer for 3 s`; without a child, why none could be started.
    public var answer: String?
    /// What people connect to.
    public var address: String?
    /// The log file.
    public var logFile: String
    /// How it ended the last time.
    public var lastExit: Exit?
}

extension ProcessStatus {
    /// Describes a machine at a moment.
    public init(
        _ entry: ProcessSpecification,
        _ machine: ProcessMachine,
        startTicks: UInt64?,
        lastExit: Exit?,
        spawnError: String? = nil,
        at now: MonotonicTime
    ) {
        id = entry.id
        name = entry.name
        instance = entry.instance
        restarts = machine.restarts
        probe = entry.probe?.description
        address = entry.address
        logFile = entry.logFile
        self.lastExit = lastExit
        self.startTicks = machine.run == nil ? nil : startTicks
        pid = machine.run?.pid
        uptimeSeconds = machine.run.map { (now - $0.startedAt).fractionalSeconds }
        answer = machine.run.map { Self.answer($0, at: now) } ?? spawnError
        switch machine.state {
        case .stopped: state = .stopped
        case .waiting: state = .waiting
        case .stopping: state = .stopping
        case .running(let run):
            if entry.probe == nil || run.health.isReady {
                state = .ready
            } else if run.health.isAnswering {
                state = .unready
            } else {
                state = run.health.lastAnswer == nil ? .starting : .silent
            }
        }
        healthy = state == .ready
    }

    private static func answer(_ run: ProcessMachine.Run, at now: MonotonicTime) -> String? {
        switch run.health.last {
        case nil: nil
        case .answered(let ready, let code, let detail)?:
            (code.map(String.init) ?? (ready ? "accepts" : "refuses")) + (detail.isEmpty ? "" : " " + detail)
        case .silent(let why)?:
            run.health.lastAnswer.map { "no answer for \((now - $0).components.seconds) s: \(why)" } ?? why
        }
    }
}
