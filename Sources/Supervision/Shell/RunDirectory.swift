import Glibc

/// A run directory and the files that the supervisor keeps in it.
///
/// Paths are absolute except those of the control socket, which is always named relative to the run directory: a socket's path
/// may have no more than 107 bytes.
public struct RunDirectory: Sendable {
    /// Absolute path, without links.
    public let path: String

    /// Resolves an existing directory.
    ///
    /// - Throws: ``SupervisionError`` when there is no such directory.
    public init(_ path: String) throws(SupervisionError) {
        guard let resolved = realpath(path, nil) else {
            throw SupervisionError("there is no run directory at \(path)")
        }
        defer { free(resolved) }
        self.path = String(cString: resolved)
    }

    /// The process table.
    public var tableFile: String { path + "/supervisor.json" }
    /// The status document.
    public var statusFile: String { path + "/status.json" }
    /// Holds the supervisor's process id.
    public var pidFile: String { path + "/pids/supervisor.pid" }
    /// Held locked by the one supervisor of this directory.
    public var lockFile: String { path + "/supervisor.lock" }
    /// The supervisor's own log, when it was started with its output there.
    public var logFile: String { path + "/logs/supervisor.log" }
    /// The control socket, relative to the run directory.
    public static let socketName = "supervisor.sock"

    /// A path of the process table as an absolute path.
    public func absolute(_ file: String) -> String {
        file.hasPrefix("/") ? file : path + "/" + file
    }

    /// Makes this directory the working directory, for the control socket and for the children.
    public func enter() throws(SupervisionError) {
        guard chdir(path) == 0 else { throw SupervisionError("cannot enter \(path): \(Files.errorText())") }
    }

    /// Reads the process table.
    public func readTable() throws(SupervisionError) -> ProcessTable {
        try JSONText.decode(ProcessTable.self, from: Files.read(tableFile, limit: 1 << 20), named: "process table")
    }

    /// Reads the status document, however old it is.
    public func readStatus() throws(SupervisionError) -> SupervisorStatus {
        try JSONText.decode(SupervisorStatus.self, from: Files.read(statusFile, limit: 1 << 20), named: "status")
    }

    /// The status if its supervisor is alive, judged by process id and start time; `nil` when none runs.
    public func liveStatus() throws(SupervisionError) -> SupervisorStatus? {
        guard access(statusFile, F_OK) == 0 else { return nil }
        let status = try readStatus()
        guard let identity = ProcessIdentity(pid: status.supervisorPid), !identity.isZombie,
            status.supervisorStartTicks == nil || identity.startTicks == status.supervisorStartTicks
        else { return nil }
        return status
    }
}
