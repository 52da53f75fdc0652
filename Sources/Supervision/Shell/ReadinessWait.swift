import Glibc

/// What is known of the terminal.
enum Terminal {
    /// Whether the descriptor is a terminal that takes escape sequences.
    static func isInteractive(_ descriptor: Int32) -> Bool {
        guard isatty(descriptor) == 1 else { return false }
        guard let name = getenv("TERM") else { return false }
        return String(cString: name) != "dumb"
    }

    /// Whether to colour: a terminal, and NO_COLOR is not set or empty (https://no-color.org).
    static func usesColour(_ descriptor: Int32) -> Bool {
        isInteractive(descriptor) && (getenv("NO_COLOR").map { $0.pointee == 0 } ?? true)
    }

    /// Columns of the terminal, 0 when unknown.
    static func width(_ descriptor: Int32) -> Int {
        var size = winsize()
        guard ioctl(descriptor, UInt(TIOCGWINSZ), &size) == 0 else { return 0 }
        return Int(size.ws_col)
    }
}

/// Waits until everything is ready, and shows how far it is: a table that redraws itself on a terminal, else a line per change.
struct ReadinessWait {
    private let directory: RunDirectory
    private let timeout: Duration
    private let isLive: Bool

    /// Prepares waiting; nothing is read yet.
    init(_ directory: RunDirectory, timeout: Duration) {
        self.directory = directory
        self.timeout = timeout
        isLive = Terminal.isInteractive(STDOUT_FILENO)
    }

    /// Waits; 0 when all were ready in time, else 1.
    func run() throws(SupervisionError) -> Int32 {
        let begin = SupervisorClock.now()
        var drawn = 0
        var shown: [String: ProcessStatus.State] = [:]
        var wasSeen = false
        // What stands there may be from before a reload that was just answered: only what is written from now on counts. The
        // supervisor writes at least once a second.
        let stale = (try? directory.liveStatus())?.updatedAt
        while true {
            let now = SupervisorClock.now()
            let status = (try? directory.liveStatus()).flatMap { $0.updatedAt == stale ? nil : $0 }
            if let status {
                wasSeen = true
                if isLive {
                    drawn = draw(status, over: drawn)
                } else {
                    report(status, &shown, begin, now)
                }
                if status.isHealthy { return 0 }
            }
            // A supervisor that is starting may have written nothing yet; one that was there and is gone will not come back.
            let isAlive = (try? directory.liveStatus()) != nil
            let isGone = status == nil && !isAlive && (wasSeen || now - begin > .seconds(10))
            if isGone || now - begin >= timeout { return fail(status, isGone: isGone) }
            usleep(100_000)
        }
    }

    private func draw(_ status: SupervisorStatus, over drawn: Int) -> Int {
        let width = Terminal.width(STDOUT_FILENO)
        let table = StatusTable(usesColour: Terminal.usesColour(STDOUT_FILENO), width: width)
        let lines = table.lines(status)
        var text = drawn > 0 ? "\u{1b}[\(drawn)A" : ""
        for line in lines { text += "\u{1b}[2K" + line + "\n" }
        // A table that became shorter leaves lines below: clear to the end of the screen.
        text += "\u{1b}[J"
        SupervisorCommandLine.write(STDOUT_FILENO, text)
        return lines.count
    }

    private func report(
        _ status: SupervisorStatus,
        _ shown: inout [String: ProcessStatus.State],
        _ begin: MonotonicTime,
        _ now: MonotonicTime
    ) {
        for process in status.processes where shown[process.id] != process.state {
            shown[process.id] = process.state
            let time = StatusTable.uptime((now - begin).fractionalSeconds)
            SupervisorCommandLine.write(STDOUT_FILENO, "  \(time)  \(process.id) \(process.state.rawValue)\n")
        }
    }

    private func fail(_ status: SupervisorStatus?, isGone: Bool) -> Int32 {
        if isGone {
            SupervisorCommandLine.write(STDERR_FILENO, "The supervisor is not running; see \(directory.logFile)\n")
            return 1
        }
        let seconds = timeout.components.seconds
        for process in status?.processes ?? [] where !process.healthy {
            let why = process.answer ?? process.lastExit.map { "ended with \($0.status)" } ?? "no answer"
            let log = directory.absolute(process.logFile)
            let text = "\(process.id) is \(process.state.rawValue) after \(seconds) s (\(why)); its log: \(log)\n"
            SupervisorCommandLine.write(STDERR_FILENO, text)
        }
        return 1
    }
}
