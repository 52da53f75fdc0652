import Glibc

/// What the kernel says about a process: enough to tell it from another one that got the same id later.
struct ProcessIdentity: Equatable {
    /// The process id.
    var pid: Int32
    /// Start time in clock ticks since boot.
    var startTicks: UInt64
    /// Whether it has ended and only waits to be reaped.
    var isZombie: Bool

    /// Reads `/proc/<pid>/stat`; `nil` when there is no such process.
    init?(pid: Int32) {
        guard pid > 0, let bytes = try? Files.read("/proc/\(pid)/stat", limit: 4096) else { return nil }
        // The second field is the command in parentheses and may hold anything, also parentheses: fields count from the last one.
        guard let close = bytes.lastIndex(of: 0x29) else { return nil }
        let fields = bytes[(close + 1)...].split(separator: 0x20)
        guard fields.count > 19, let ticks = UInt64(String(decoding: fields[19], as: UTF8.self)) else { return nil }
        self.pid = pid
        startTicks = ticks
        isZombie = fields[0].elementsEqual([0x5a])
    }
}

/// Finds and ends processes that an earlier supervisor of the same run directory left behind.
///
/// Every child carries the variable ``Marker/variable`` with its run directory in its environment, and so do its descendants: only
/// processes with exactly this mark are ever touched, whatever a stale pid file says.
struct StaleProcesses {
    /// The mark in a child's environment.
    enum Marker {
        /// The variable's name.
        static let variable = "WAYBILL_SUPERVISED"
        /// Its value: the run directory, a bar (which ends the path) and the process's id.
        static func value(_ directory: RunDirectory, id: String) -> String { "\(directory.path)|\(id)" }
    }

    let directory: RunDirectory

    /// The marked processes that are alive, except the calling one.
    func find() -> [ProcessIdentity] {
        guard let listing = opendir("/proc") else { return [] }
        defer { closedir(listing) }
        let prefix = Array("\(Marker.variable)=\(directory.path)|".utf8)
        var found: [ProcessIdentity] = []
        while let entry = readdir(listing) {
            let name = withUnsafePointer(to: entry.pointee.d_name) { pointer in
                pointer.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            guard let pid = Int32(name), pid != getpid(), let identity = ProcessIdentity(pid: pid) else { continue }
            guard !identity.isZombie, isMarked(pid, prefix) else { continue }
            found.append(identity)
        }
        return found
    }

    /// Kills the marked processes and waits until they are gone.
    ///
    /// - Returns: the ids that were killed.
    func clear(within milliseconds: Int64 = 3000) -> [Int32] {
        var killed: Set<Int32> = []
        let end = SupervisorClock.now() + .milliseconds(milliseconds)
        while true {
            let alive = find()
            // Looked up and killed in one breath, and only with the start time still the same.
            for process in alive where ProcessIdentity(pid: process.pid) == process {
                if kill(process.pid, SIGKILL) == 0 { killed.insert(process.pid) }
            }
            if alive.isEmpty || SupervisorClock.now() >= end { return killed.sorted() }
            usleep(20_000)
        }
    }

    private func isMarked(_ pid: Int32, _ prefix: [UInt8]) -> Bool {
        guard let environment = try? Files.read("/proc/\(pid)/environ", limit: 4 << 20) else { return false }
        return environment.split(separator: 0).contains { $0.starts(with: prefix) }
    }
}
