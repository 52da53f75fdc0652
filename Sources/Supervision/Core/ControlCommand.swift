/// A command of the control socket: one JSON object per line, answered by one JSON object per line.
///
/// `{"command":"status"}`, `{"command":"reload"}`, `{"command":"stop","process":"payment-1"}`, the same with `start` and `restart`.
public enum ControlCommand: Sendable, Equatable {
    /// The most bytes of one command line.
    public static let lineLimit = 4096

    /// Answer with the status document.
    case status
    /// Read the process table again; start what is new, stop what is gone, restart what has changed.
    case reload
    /// Ask one process to end and keep it stopped.
    case stop(String)
    /// Start one process if it does not run.
    case start(String)
    /// Ask one process to end and start it again.
    case restart(String)

    /// Makes a command from its words; `nil` when they are not one.
    public init?(command: String, process: String?) {
        switch (command, process) {
        case ("status", nil): self = .status
        case ("reload", nil): self = .reload
        case ("stop", let id?): self = .stop(id)
        case ("start", let id?): self = .start(id)
        case ("restart", let id?): self = .restart(id)
        default: return nil
        }
    }
}

/// The JSON form of a ``ControlCommand``.
public struct ControlRequest: Codable, Sendable {
    /// The verb.
    public var command: String
    /// The process id, for the verbs that need one.
    public var process: String?

    /// Makes a request.
    public init(command: String, process: String?) {
        self.command = command
        self.process = process
    }
}

/// The answer to a ``ControlCommand`` other than `status`.
public struct ControlReply: Codable, Sendable, Equatable {
    /// Whether the command was carried out, or is on its way.
    public var ok: Bool
    /// What was done, or why not.
    public var message: String

    /// Makes a reply.
    public init(ok: Bool, message: String) {
        self.ok = ok
        self.message = message
    }
}
