extension Supervisor {
    /// Carries out a command of the control socket and returns the line to answer.
    func answer(_ request: ControlRequest, at now: MonotonicTime) -> [UInt8] {
        guard let command = ControlCommand(command: request.command, process: request.process) else {
            let text =
                "unknown command; there are status, reload, stop, start and restart (the last three with a process)"
            return JSONText.encode(ControlReply(ok: false, message: text))
        }
        if case .status = command { return JSONText.encode(status(at: now)) }
        return JSONText.encode(carryOut(command, at: now))
    }

    private func carryOut(_ command: ControlCommand, at now: MonotonicTime) -> ControlReply {
        guard shutdown == nil else { return ControlReply(ok: false, message: "everything is being stopped") }
        switch command {
        case .status:
            return ControlReply(ok: true, message: "")
        case .reload:
            return reload(at: now)
        case .stop(let id), .start(let id), .restart(let id):
            guard children[id] != nil else {
                let known = order.joined(separator: ", ")
                return ControlReply(ok: false, message: "there is no process '\(id.prefix(60))'; there are \(known)")
            }
            switch command {
            case .stop: stop(id, within: nil, then: .stay, at: now)
            case .restart: stop(id, within: nil, then: .start, at: now)
            default: children[id]?.machine.start(at: now)
            }
            noteChange()
            log.write(.info, "command carried out", ["command": Self.verb(command), "process": id])
            return ControlReply(ok: true, message: "\(Self.verb(command)) of \(id) is on its way")
        }
    }

    /// Reads the process table again and does what has changed.
    func reload(at now: MonotonicTime) -> ControlReply {
        let new: ProcessTable
        do {
            new = try directory.readTable()
        } catch {
            log.write(.error, "reload refused", ["error": error.description])
            return ControlReply(ok: false, message: error.description)
        }
        let change = ProcessTableChange(from: table, to: new)
        table = new
        for id in change.removed {
            children[id]?.isRemoved = true
            stop(id, within: nil, then: .stay, at: now)
            if children[id]?.machine.run == nil { children[id] = nil }
        }
        for id in change.changed {
            guard let entry = new[id] else { continue }
            if children[id]?.machine.run == nil {
                adopt(entry, at: now)
            } else {
                children[id]?.replacement = entry
                stop(id, within: nil, then: .start, at: now)
            }
        }
        for id in change.added {
            guard let entry = new[id] else { continue }
            if children[id]?.machine.run != nil {
                // Removed a moment ago and still ending: comes back after its end.
                children[id]?.isRemoved = false
                children[id]?.replacement = entry
            } else {
                adopt(entry, at: now)
            }
        }
        let ids = new.processes.map(\.id)
        order = ids.filter { children[$0] != nil } + order.filter { !ids.contains($0) && children[$0] != nil }
        noteChange()
        let counts = (change.added.count, change.removed.count, change.changed.count)
        let text = "\(counts.0) added, \(counts.1) removed, \(counts.2) changed"
        log.write(.info, "process table read again", ["change": text])
        return ControlReply(ok: true, message: text)
    }

    private static func verb(_ command: ControlCommand) -> String {
        switch command {
        case .status: "status"
        case .reload: "reload"
        case .stop: "stop"
        case .start: "start"
        case .restart: "restart"
        }
    }
}
