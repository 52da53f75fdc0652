import Foundation
import Glibc
import Synchronization

/// Programs that are run to their end.
enum Shell {
    /// What came of a program.
    struct Result: Sendable {
        var code: Int32
        var output: [UInt8]
        var text: String { String(decoding: output, as: UTF8.self) }
    }

    /// Children that have not ended.
    private static let running = Mutex<Set<pid_t>>([])

    /// Asks every child to end: we are ending ourselves.
    static func endAll() {
        running.withLock { for pid in $0 { kill(pid, SIGTERM) } }
    }

    /// Runs a program and waits for it.
    ///
    /// - Parameters:
    ///   - environment: its whole environment; ours when `nil`.
    ///   - errors: a file to which its standard error is appended; dropped when `nil`.
    /// - Throws: when it cannot be started.
    static func run(
        _ program: String,
        _ arguments: [String],
        environment: [String: String]? = nil,
        errors: String? = nil
    ) async throws -> Result {
        let folder = FileManager.default.temporaryDirectory
        let output = folder.appendingPathComponent("waybill-chaos-\(UUID().uuidString).out")
        defer { try? FileManager.default.removeItem(at: output) }
        _ = FileManager.default.createFile(atPath: output.path, contents: nil, attributes: [.posixPermissions: 0o600])
        let code = try await Task.detached {
            try spawn(
                program,
                arguments,
                environment ?? ProcessInfo.processInfo.environment,
                output.path,
                errors ?? "/dev/null"
            )
        }.value.waited()
        return Result(code: code, output: [UInt8]((try? Data(contentsOf: output)) ?? Data()))
    }

    /// A child of ours.
    private struct Child: Sendable {
        let pid: pid_t

        /// Waits on a thread of its own; returns the exit code, or 128 and the signal. (Foundation's `Process` waits for everybody
        /// who inherited a descriptor from the child, and so for daemons.)
        func waited() async -> Int32 {
            await withCheckedContinuation { done in
                Thread.detachNewThread {
                    var status: Int32 = 0
                    // Looked at before it is reaped, so that its number is never another's while it is listed.
                    var info = siginfo_t()
                    while waitid(P_PID, id_t(pid), &info, WEXITED | WNOWAIT) < 0, errno == EINTR {}
                    Shell.running.withLock { _ = $0.remove(pid) }
                    while waitpid(pid, &status, 0) < 0, errno == EINTR {}
                    done.resume(returning: status & 0x7f == 0 ? status >> 8 & 0xff : 128 + status & 0x7f)
                }
            }
        }
    }

    private static func spawn(
        _ program: String,
        _ arguments: [String],
        _ environment: [String: String],
        _ output: String,
        _ errors: String
    ) throws -> Child {
        // We handle signals, and chaos.sh may have us ignore some: a child begins with neither.
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var signals = sigset_t()
        sigemptyset(&signals)
        posix_spawnattr_setsigmask(&attributes, &signals)
        for signal in [SIGINT, SIGTERM, SIGHUP, SIGQUIT] { sigaddset(&signals, signal) }
        posix_spawnattr_setsigdefault(&attributes, &signals)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK))
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, output, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
        posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, errors, O_WRONLY | O_CREAT | O_APPEND, 0o600)
        var pid: pid_t = 0
        let words = ([program] + arguments).map { strdup($0) } + [nil]
        let variables = environment.map { strdup("\($0.key)=\($0.value)") } + [nil]
        defer { for text in words + variables { free(text) } }
        let code = posix_spawn(&pid, program, &actions, &attributes, words, variables)
        guard code == 0 else { throw ChaosFailure("\(program) cannot be started: \(String(cString: strerror(code))).") }
        running.withLock { _ = $0.insert(pid) }
        return Child(pid: pid)
    }
}
