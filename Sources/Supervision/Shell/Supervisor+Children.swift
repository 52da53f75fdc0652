import Glibc

extension Supervisor {
    /// Looks at every child whether it has ended, and tells its machine.
    func reap(at now: MonotonicTime) {
        for id in order {
            guard var child = children[id], let run = child.machine.run, let exit = ChildProcess.reap(run.pid) else {
                continue
            }
            noteChange()
            child.attempt?.end()
            child.attempt = nil
            unlink(directory.absolute(child.entry.pidFile))
            let action = child.machine.exited(exit, at: now, jitter: Double.random(in: 0...1))
            var reason = run.killed?.rawValue
            var fields = ["process": id, "pid": String(run.pid), "exit": exit.description]
            switch action {
            case .ignored:
                break
            case .died(let wait):
                if let reason { fields["reason"] = reason }
                fields["restart_after_ms"] = String(wait.wholeMilliseconds)
                if shutdown != nil { cleanStop = false }
                log.write(.error, "process died", fields)
            case .stopped(let clean), .restarting(let clean):
                reason = reason ?? "asked"
                if shutdown != nil, !clean { cleanStop = false }
                log.write(clean ? .info : .warning, "process stopped", fields)
            }
            child.lastExit = ProcessStatus.Exit(
                status: exit.description,
                reason: reason,
                at: SupervisorClock.wallText()
            )
            settle(child, id, at: now)
        }
    }

    /// After an exit: drops or replaces the child where `reload` asked for it.
    private func settle(_ child: Child, _ id: String, at now: MonotonicTime) {
        if child.isRemoved {
            children[id] = nil
            order.removeAll { $0 == id }
        } else if let replacement = child.replacement, shutdown == nil {
            adopt(replacement, at: now)
            children[id]?.lastExit = child.lastExit
        } else {
            children[id] = child
        }
    }

    /// Lets time pass for every machine and does what is due.
    func tick(at now: MonotonicTime) {
        for id in order {
            guard var child = children[id] else { continue }
            switch child.machine.tick(at: now) {
            case .none:
                break
            case .spawn:
                // While everything is being stopped, nothing is started.
                if shutdown == nil { spawn(&child, at: now) }
                noteChange()
            case .kill(let pid, let reason):
                kill(-pid, SIGKILL)
                log.write(.error, "process killed", ["process": id, "pid": String(pid), "reason": reason.rawValue])
                noteChange()
            }
            children[id] = child
        }
    }

    private func spawn(_ child: inout Child, at now: MonotonicTime) {
        let id = child.entry.id
        do {
            let pid = try spawner.spawn(child.entry)
            child.machine.spawned(pid: pid, at: now)
            child.startTicks = ProcessIdentity(pid: pid)?.startTicks
            child.nextProbe = now + .milliseconds(50)
            child.spawnError = nil
            log.write(.info, "process started", ["process": id, "pid": String(pid)])
            do {
                try Files.replace(directory.absolute(child.entry.pidFile), with: Array("\(pid)\n".utf8))
            } catch {
                log.write(.error, "pid file not written", ["process": id, "error": error.description])
            }
        } catch {
            let wait = child.machine.spawnFailed(at: now, jitter: Double.random(in: 0...1))
            if child.spawnError != error.description {
                let fields = [
                    "process": id, "error": error.description, "retry_after_ms": String(wait.wholeMilliseconds),
                ]
                log.write(.error, "process cannot be started", fields)
            }
            child.spawnError = error.description
        }
    }

    /// Asks one child to end.
    func stop(_ id: String, within limit: Duration?, then next: ProcessMachine.AfterStop, at now: MonotonicTime) {
        guard var child = children[id] else { return }
        let action = child.machine.stop(at: now, within: limit ?? child.entry.stopLimit, then: next)
        if case .signal(let pid) = action {
            child.attempt?.end()
            child.attempt = nil
            kill(pid, child.entry.stopSignal)
            // A process that was stopped (SIGSTOP) must run to hear of it.
            kill(pid, SIGCONT)
        }
        children[id] = child
        noteChange()
    }

    /// Starts to stop everything.
    func beginShutdown(at now: MonotonicTime) {
        log.write(.info, "stopping all processes")
        shutdown = ShutdownPlan(table, at: now)
        for id in order where children[id]?.machine.run == nil {
            stop(id, within: nil, then: .stay, at: now)
        }
    }

    /// Goes on with stopping everything; returns whether nothing is left.
    func advanceShutdown(at now: MonotonicTime) -> Bool {
        let alive = Set(order.filter { children[$0]?.machine.run != nil })
        guard !alive.isEmpty else { return true }
        let limits = children.mapValues(\.entry.stopLimit)
        for (id, limit) in shutdown?.due(at: now, alive: alive, limits: limits) ?? [] {
            stop(id, within: limit, then: .stay, at: now)
        }
        return false
    }
}
