import Foundation
import Glibc
import Testing

@testable import Supervision

/// A run directory of its own with a real supervisor process. Everything is stopped and removed at the end of ``with(_:_:)``.
final class SupervisorWorld {
    /// The run directory: with a blank in its name, and longer than a socket's path may be.
    let path: String
    private var supervisor: Process?

    /// Makes a world, runs the body and clears up, whatever happens.
    static func with(_ entries: [String], _ body: (SupervisorWorld) async throws -> Void) async throws {
        let world = try SupervisorWorld()
        do {
            try world.writeTable(entries)
            try await body(world)
        } catch {
            try await world.end()
            throw error
        }
        try await world.end()
    }

    private init() throws {
        let name = "waybill supervision \(UUID().uuidString)/" + String(repeating: "long-", count: 20)
        path = NSTemporaryDirectory() + name
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    private func end() async throws {
        if let supervisor, supervisor.isRunning {
            kill(supervisor.processIdentifier, SIGKILL)
            await exit(of: supervisor)
        }
        _ = try StaleProcesses(directory: RunDirectory(path)).clear()
        try FileManager.default.removeItem(atPath: (path as NSString).deletingLastPathComponent)
    }

    /// The program under test, built beside the tests.
    static let program: String = {
        let own = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? ""
        return (own as NSString).deletingLastPathComponent + "/waybill-supervisor"
    }()

    /// Writes the process table.
    func writeTable(_ entries: [String]) throws {
        let text = #"{"version":1,"shutdownSeconds":8,"processes":["# + entries.joined(separator: ",") + "]}"
        try text.write(toFile: path + "/supervisor.json", atomically: true, encoding: .utf8)
    }

    /// A table entry that runs a shell script.
    static func shell(_ name: String, _ script: String, _ more: String = "") -> String {
        let quoted = String(decoding: JSONText.encode([script]), as: UTF8.self).dropFirst().dropLast()
        return #"{"name":"\#(name)","executable":"/bin/sh","arguments":["-c",\#(quoted)]\#(more)}"#
    }

    /// Starts the supervisor.
    func start(_ options: [String] = []) throws {
        supervisor = try launch(["run", "--run-dir", path] + options, output: FileHandle.nullDevice)
    }

    /// Sends the supervisor a signal and waits for its end; returns the exit code, or minus the signal that ended it.
    @discardableResult
    func stop(_ signal: Int32 = SIGTERM) async throws -> Int32 {
        let process = try #require(supervisor)
        kill(process.processIdentifier, signal)
        return await exit(of: process)
    }

    /// Runs a client verb; returns exit code and output.
    func command(_ arguments: String...) async throws -> (code: Int32, output: String) {
        let pipe = Pipe()
        let process = try launch(arguments + ["--run-dir", path], output: pipe)
        let data = await Task.detached { pipe.fileHandleForReading.readDataToEndOfFile() }.value
        return (await exit(of: process), String(decoding: data, as: UTF8.self))
    }

    private func launch(_ arguments: [String], output: Any) throws -> Process {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: Self.program)
        process.arguments = arguments
        // A variable that the children must not see.
        process.environment = ProcessInfo.processInfo.environment.merging(["HIDDEN": "not-inherited"]) { $1 }
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = output
        process.standardError = output
        try process.run()
        return process
    }

    @discardableResult
    private func exit(of process: Process) async -> Int32 {
        while process.isRunning { try? await Task.sleep(for: .milliseconds(5)) }
        return process.terminationReason == .exit ? process.terminationStatus : -process.terminationStatus
    }

    /// The text of a file in the run directory, empty when there is none.
    func text(_ file: String) -> String {
        (try? String(contentsOfFile: path + "/" + file, encoding: .utf8)) ?? ""
    }

    /// The process id in a pid file.
    func pid(_ id: String) -> Int32? {
        Int32(text("pids/\(id).pid").trimmingCharacters(in: .whitespacesAndNewlines))
    }

    /// The status of one process.
    func status(_ id: String) -> ProcessStatus? {
        (try? RunDirectory(path).liveStatus())?.flatMap { $0.processes.first { $0.id == id } }
    }

    /// Whether a process exists and is not only waiting to be reaped.
    static func isAlive(_ pid: Int32) -> Bool {
        ProcessIdentity(pid: pid).map { !$0.isZombie } ?? false
    }

    /// Waits until a condition holds, or fails the test.
    func eventually(
        _ what: Comment,
        within limit: Duration = .seconds(15),
        sourceLocation: SourceLocation = #_sourceLocation,
        _ condition: () throws -> Bool
    ) async throws {
        let end = ContinuousClock.now + limit
        while try !condition() {
            if ContinuousClock.now > end {
                Issue.record(what, sourceLocation: sourceLocation)
                throw CancellationError()
            }
            try await Task.sleep(for: .milliseconds(10))
        }
    }
}

/// A listener on a port of the system's choice that answers probes the way the test wants.
final class ProbeAnswerer: Sendable {
    /// What a connection gets.
    enum Mode: Int32, Sendable {
        case ready, unready, hangUp, mute
    }

    let port: UInt16
    private let descriptor: Int32
    private let mode: LockedMode

    private final class LockedMode: @unchecked Sendable {
        // Guarded by `lock`.
        private var value: Mode
        private let lock = NSLock()
        init(_ value: Mode) { self.value = value }
        func get() -> Mode { lock.withLock { value } }
        func set(_ new: Mode) { lock.withLock { value = new } }
    }

    init(_ mode: Mode) throws {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let result = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                bind(descriptor, address, size) == 0 && listen(descriptor, 16) == 0
                    && getsockname(descriptor, address, &size) == 0
            }
        }
        try #require(result)
        port = UInt16(bigEndian: address.sin_port)
        self.descriptor = descriptor
        let locked = LockedMode(mode)
        self.mode = locked
        Thread.detachNewThread {
            var muted: [Int32] = []
            while true {
                let connection = accept(descriptor, nil, nil)
                guard connection >= 0 else { break }
                var request = [UInt8](repeating: 0, count: 1024)
                switch locked.get() {
                case .mute:
                    muted.append(connection)
                    continue
                case .hangUp: break
                case .ready, .unready:
                    _ = recv(connection, &request, request.count, 0)
                    let status = locked.get() == .unready ? "503 Unavailable" : "200 OK"
                    let answer = Array("HTTP/1.1 \(status)\r\nContent-Length: 7\r\n\r\nbecause".utf8)
                    _ = send(connection, answer, answer.count, Int32(MSG_NOSIGNAL))
                }
                close(connection)
            }
            for connection in muted { close(connection) }
        }
    }

    func set(_ mode: Mode) { self.mode.set(mode) }

    deinit {
        // Wakes the thread out of `accept`; it never touches the descriptor again.
        shutdown(descriptor, Int32(SHUT_RDWR))
        close(descriptor)
    }
}
