import Glibc

/// The supervisor's own log: one JSON object per line on standard error.
struct SupervisorLog {
    /// How much a line matters.
    enum Level: String {
        case info
        case warning
        case error
    }

    /// Writes a line. Values are facts about processes, never what they print.
    func write(_ level: Level, _ message: String, _ fields: [String: String] = [:]) {
        var line = fields
        line["time"] = SupervisorClock.wallText()
        line["level"] = level.rawValue
        line["service.name"] = "supervisor"
        line["message"] = message
        // A log that cannot be written (a full disk) must not stop the supervisor.
        _ = Files.write(STDERR_FILENO, JSONText.encode(line) + [0x0a])
    }
}
