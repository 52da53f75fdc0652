import Glibc

/// The supervisor's loop: one thread, one `poll`, everything else is a decision of the core.
///
/// Not `Sendable`: made, run and dropped by one thread (the program's main thread; the kernel ties the children's lives to it).
public final class Supervisor {
    /// A managed process and what the shell needs for it.
    struct Child {
        var entry: ProcessSpecification
        var machine: ProcessMachine
        var startTicks: UInt64?
        var lastExit: ProcessStatus.Exit?
        var attempt: ProbeAttempt?
        var nextProbe: MonotonicTime
        /// Replaces the entry at the next exit (`reload`).
        var replacement: ProcessSpecification?
        /// Dropped at the next exit (`reload`).
        var isRemoved = false
        /// The last error of spawning, so that a repeated one is logged once.
        var spawnError: String?

        init(_ entry: ProcessSpecification, at now: MonotonicTime) {
            self.entry = entry
            machine = ProcessMachine(limits: entry.healthLimits, isProbed: entry.probe != nil)
            nextProbe = now
        }
    }

    /// Between probes of a process that is ready.
    private static let calmProbeInterval: Duration = .milliseconds(1000)
    /// Between probes of a process that is not ready yet.
    private static let eagerProbeInterval: Duration = .milliseconds(150)
    /// The longest sleep of the loop.
    private static let longestSleep: Duration = .milliseconds(200)
    /// A loop that took longer than this was paused from outside: the machine slept, the supervisor was stopped.
    private static let pauseThreshold: Duration = .milliseconds(1500)

    let directory: RunDirectory
    let log = SupervisorLog()
    let spawner: ChildProcess
    let rotation: LogRotation
    let lock: Int32
    var table: ProcessTable
    /// The children by id; `order` holds the ids in start order.
    var children: [String: Child] = [:]
    var order: [String] = []
    var shutdown: ShutdownPlan?
    var cleanStop = true
    private let startedAt = SupervisorClock.wallText()
    private let signals: SignalPipe
    private var server: ControlServer
    private var statusDue: MonotonicTime
    private var statusChanged = true
    private var rotationDue: MonotonicTime

    /// Takes over a run directory: locks it, clears what an earlier supervisor left running, reads the table, opens the control socket.
    ///
    /// - Throws: ``SupervisionError``, also when another supervisor holds the directory.
    public init(_ directory: RunDirectory, rotationLimit: Int64 = 64 << 20) throws(SupervisionError) {
        self.directory = directory
        spawner = ChildProcess(directory: directory)
        rotation = LogRotation(limit: rotationLimit)
        umask(0o077)
        Files.keepInheritedPrivate()
        try directory.enter()
        for folder in ["logs", "pids"] where mkdir(folder, 0o700) != 0 && errno != EEXIST {
            throw SupervisionError("cannot make \(directory.absolute(folder)): \(Files.errorText())")
        }
        guard let lock = try Files.lock(directory.lockFile) else {
            throw SupervisionError("another supervisor is running for \(directory.path)")
        }
        self.lock = lock
        table = try directory.readTable()
        signals = try SignalPipe()
        let stale = StaleProcesses(directory: directory).clear()
        if !stale.isEmpty {
            let pids = stale.map(String.init).joined(separator: " ")
            log.write(.warning, "killed processes that an earlier supervisor left behind", ["pids": pids])
        }
        server = try ControlServer()
        try Files.replace(directory.pidFile, with: Array("\(getpid())\n".utf8))
        statusDue = SupervisorClock.now()
        rotationDue = statusDue
    }

    /// Runs until SIGTERM or SIGINT; returns the exit code: 0 when every process then ended cleanly, else 1.
    public func run() -> Int32 {
        var now = SupervisorClock.now()
        log.write(.info, "supervisor started", ["pid": String(getpid()), "processes": String(table.processes.count)])
        for entry in table.processes { adopt(entry, at: now) }
        while true {
            handleSignals(at: now)
            reap(at: now)
            tick(at: now)
            if shutdown != nil, advanceShutdown(at: now) { break }
            beginProbes(at: now)
            writeStatus(at: now)
            rotateLogs(at: now)

            let sleep = sleepTime(at: now)
            wait(sleep)
            let woken = SupervisorClock.now()
            if woken - now > sleep + Self.pauseThreshold { forgive(woken - now) }
            now = woken
            finishProbes(at: now)
            var server = server
            server.proceed(at: now) { request in answer(request, at: now) }
            self.server = server
        }
        return finish()
    }

    /// Puts an entry under management and starts it.
    func adopt(_ entry: ProcessSpecification, at now: MonotonicTime) {
        var child = Child(entry, at: now)
        child.machine.start(at: now)
        children[entry.id] = child
        if !order.contains(entry.id) { order.append(entry.id) }
    }

    /// Asks for a status document soon.
    func noteChange() {
        statusChanged = true
    }

    /// The present status.
    func status(at now: MonotonicTime, phase: SupervisorStatus.Phase? = nil) -> SupervisorStatus {
        SupervisorStatus(
            supervisorPid: getpid(),
            supervisorStartTicks: ProcessIdentity(pid: getpid())?.startTicks,
            startedAt: startedAt,
            updatedAt: SupervisorClock.wallText(),
            phase: phase ?? (shutdown == nil ? .running : .stopping),
            cleanStop: phase == .stopped ? cleanStop : nil,
            processes: order.compactMap { id in
                children[id].map { child in
                    ProcessStatus(
                        child.entry,
                        child.machine,
                        startTicks: child.startTicks,
                        lastExit: child.lastExit,
                        spawnError: child.spawnError,
                        at: now
                    )
                }
            }
        )
    }

    private func handleSignals(at now: MonotonicTime) {
        let arrived = signals.drain()
        if arrived.contains(SIGTERM) || arrived.contains(SIGINT) {
            if shutdown == nil {
                beginShutdown(at: now)
            } else {
                log.write(.warning, "asked to stop a second time: killing what is left")
                for child in children.values { child.machine.run.map { _ = kill(-$0.pid, SIGKILL) } }
            }
        }
        if arrived.contains(SIGHUP), shutdown == nil { _ = reload(at: now) }
    }

    private func forgive(_ pause: Duration) {
        log.write(.warning, "the supervisor was paused", ["milliseconds": String(pause.wholeMilliseconds)])
        for id in order { children[id]?.machine.forgive(pause) }
    }

    // MARK: Waiting

    private func sleepTime(at now: MonotonicTime) -> Duration {
        var earliest = now + Self.longestSleep
        for child in children.values {
            if let deadline = child.machine.nextDeadline { earliest = min(earliest, deadline) }
            if isProbed(child) { earliest = min(earliest, child.nextProbe) }
        }
        if let plan = shutdown, plan.nextDeadline > now { earliest = min(earliest, plan.nextDeadline) }
        return max(.zero, earliest - now)
    }

    private func wait(_ time: Duration) {
        var polled = [pollfd(fd: signals.descriptor, events: Int16(POLLIN), revents: 0)]
        for descriptor in server.descriptors {
            polled.append(pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0))
        }
        for child in children.values {
            guard let attempt = child.attempt else { continue }
            polled.append(pollfd(fd: attempt.descriptor, events: attempt.events, revents: 0))
        }
        // One millisecond more than asked, so that a deadline is past and not almost past after waking.
        _ = poll(&polled, nfds_t(polled.count), Int32(time.wholeMilliseconds) + 1)
    }

    // MARK: Probes

    private func isProbed(_ child: Child) -> Bool {
        guard case .running(let run) = child.machine.state else { return false }
        return child.entry.probe != nil && child.attempt == nil && run.killed == nil
    }

    private func beginProbes(at now: MonotonicTime) {
        for id in order {
            guard var child = children[id], isProbed(child), now >= child.nextProbe, let target = child.entry.probe
            else {
                continue
            }
            do {
                child.attempt = try ProbeAttempt(target, at: now)
            } catch {
                child.nextProbe = now + Self.eagerProbeInterval
                child.machine.probed(.silent(error.description), at: now)
            }
            children[id] = child
        }
    }

    private func finishProbes(at now: MonotonicTime) {
        for id in order {
            guard var child = children[id], var attempt = child.attempt else { continue }
            var ready = pollfd(fd: attempt.descriptor, events: attempt.events, revents: 0)
            var outcome: ProbeOutcome?
            while outcome == nil, poll(&ready, 1, 0) > 0 {
                outcome = attempt.proceed()
                if outcome == nil, ready.events == attempt.events { break }
                ready.events = attempt.events
            }
            if let outcome = outcome ?? attempt.timedOut(at: now) {
                attempt.end()
                child.attempt = nil
                let before = child.machine.run?.health.isReady
                child.machine.probed(outcome, at: now)
                let after = child.machine.run?.health.isReady
                if before != after {
                    noteChange()
                    if let after {
                        log.write(.info, after ? "process is ready" : "process is not ready", ["process": id])
                    }
                }
                child.nextProbe = now + (after == true ? Self.calmProbeInterval : Self.eagerProbeInterval)
            } else {
                child.attempt = attempt
            }
            children[id] = child
        }
    }

    // MARK: Files

    private func writeStatus(at now: MonotonicTime) {
        guard now >= statusDue || statusChanged else { return }
        statusDue = now + .milliseconds(1000)
        statusChanged = false
        try? Files.replace(directory.statusFile, with: JSONText.encode(status(at: now), pretty: true) + [0x0a])
    }

    private func rotateLogs(at now: MonotonicTime) {
        guard now >= rotationDue else { return }
        rotationDue = now + .milliseconds(1000)
        _ = rotation.rotateIfNeeded(directory.logFile)
        for child in children.values where rotation.rotateIfNeeded(directory.absolute(child.entry.logFile)) {
            log.write(.info, "log rotated", ["process": child.entry.id])
        }
    }

    private func finish() -> Int32 {
        let now = SupervisorClock.now()
        let leftovers = StaleProcesses(directory: directory).clear()
        if !leftovers.isEmpty {
            let pids = leftovers.map(String.init).joined(separator: " ")
            log.write(.info, "ended helper processes that outlived their parents", ["pids": pids])
        }
        let last = status(at: now, phase: .stopped)
        try? Files.replace(directory.statusFile, with: JSONText.encode(last, pretty: true) + [0x0a])
        server.end()
        unlink(directory.pidFile)
        log.write(.info, "supervisor stopped", ["clean": String(cleanStop)])
        close(lock)
        return cleanStop ? 0 : 1
    }
}
