import Glibc

/// Spawning and reaping of children.
///
/// Each child leads its own process group, has default signal handling and an empty signal mask, reads from `/dev/null`, appends its
/// output to its log file, and gets SIGKILL from the kernel when the supervisor ends (`setpriv --pdeathsig`, part of util-linux; where
/// it is missing, the next supervisor clears up).
struct ChildProcess {
    private static let setpriv = "/usr/bin/setpriv"
    /// What a child sees of the supervisor's environment; everything else comes from its environment file.
    private static let inherited: Set<String> = [
        "PATH", "HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "TZ", "TMPDIR", "LD_LIBRARY_PATH", "SWIFT_BACKTRACE",
    ]

    let directory: RunDirectory

    /// Starts the program of an entry.
    ///
    /// - Returns: the process id.
    /// - Throws: ``SupervisionError`` when the program, its environment file or its log file cannot be used.
    func spawn(_ entry: ProcessSpecification) throws(SupervisionError) -> Int32 {
        guard access(entry.executable, X_OK) == 0 else {
            throw SupervisionError("cannot run \(entry.executable): \(Files.errorText())")
        }
        let environment = try environment(of: entry)
        var arguments = [entry.executable] + entry.arguments
        var program = entry.executable
        if access(Self.setpriv, X_OK) == 0 {
            program = Self.setpriv
            arguments = [program, "--pdeathsig", "KILL", "--"] + arguments
        }

        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var every = sigset_t()
        sigfillset(&every)
        var none = sigset_t()
        sigemptyset(&none)
        posix_spawnattr_setsigdefault(&attributes, &every)
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setpgroup(&attributes, 0)
        let flags = POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK
        posix_spawnattr_setflags(&attributes, Int16(truncatingIfNeeded: flags))

        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        let log = directory.absolute(entry.logFile)
        posix_spawn_file_actions_addopen(&actions, 1, log, O_WRONLY | O_CREAT | O_APPEND, 0o600)
        posix_spawn_file_actions_adddup2(&actions, 1, 2)

        var pid: pid_t = 0
        let code = Self.withCStrings(arguments) { argv in
            Self.withCStrings(environment) { envp in
                posix_spawn(&pid, program, &actions, &attributes, argv, envp)
            }
        }
        guard code == 0 else {
            throw SupervisionError("cannot start \(entry.id) (log file \(log)): \(Files.errorText(code))")
        }
        return pid
    }

    /// Looks whether a child has ended; if so, ends what is left of its process group and reaps it.
    static func reap(_ pid: Int32) -> ProcessExit? {
        var info = siginfo_t()
        let looked = waitid(P_PID, UInt32(bitPattern: pid), &info, WEXITED | WNOHANG | WNOWAIT)
        // Not our child any more (ECHILD): gone, with an unknown result.
        if looked != 0 { return errno == ECHILD ? .code(-1) : nil }
        guard info._sifields._sigchld.si_pid == pid else { return nil }
        // While the leader is unreaped its id cannot be given away, so the group is certainly this child's.
        kill(-pid, SIGKILL)
        var status: Int32 = 0
        guard waitpid(pid, &status, WNOHANG) == pid else { return nil }
        let signal = status & 0x7f
        return signal == 0 ? .code((status >> 8) & 0xff) : .signal(signal)
    }

    private func environment(of entry: ProcessSpecification) throws(SupervisionError) -> [String] {
        var values: [String: String] = [:]
        var cursor = environ
        while let pointer = cursor.pointee {
            let text = String(cString: pointer)
            cursor = cursor.advanced(by: 1)
            guard let equals = text.firstIndex(of: "=") else { continue }
            let key = String(text[..<equals])
            if Self.inherited.contains(key) { values[key] = String(text[text.index(after: equals)...]) }
        }
        if let file = entry.environmentFile {
            let bytes = try Files.read(directory.absolute(file), limit: EnvironmentFile.limit)
            for (key, value) in try EnvironmentFile(String(decoding: bytes, as: UTF8.self)).entries {
                values[key] = value
            }
        }
        values[StaleProcesses.Marker.variable] = StaleProcesses.Marker.value(directory, id: entry.id)
        return values.map { "\($0.key)=\($0.value)" }.sorted()
    }

    private static func withCStrings<Result>(
        _ strings: [String],
        _ body: ([UnsafeMutablePointer<CChar>?]) -> Result
    ) -> Result {
        let pointers = strings.map { strdup($0) }
        defer { for pointer in pointers { free(pointer) } }
        return body(pointers + [nil])
    }
}
