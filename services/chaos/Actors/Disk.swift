import Foundation
import Glibc

/// Small file systems in memory, one for each database, for the gateway's ledger and for the event log, so that one of them can be
/// full while the others are not.
enum Disk {
    /// How large they are when they are well, in bytes. Only what is used takes memory.
    static let size: UInt64 = 8 << 30

    /// Mounts one on a new folder.
    /// - Throws: ``FaultRefusal`` where that is not allowed: it takes root, or a user namespace with one's own mounts.
    static func mount(_ folder: String) async throws(FaultRefusal) {
        try? FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        try await run("/bin/mount", ["-t", "tmpfs", "-o", "size=\(size),mode=700", "tmpfs", folder])
    }

    /// Changes its size.
    static func resize(_ folder: String, to bytes: UInt64) async throws(FaultRefusal) {
        try await run("/bin/mount", ["-o", "remount,size=\(bytes)", folder])
    }

    /// Makes it as small as what lies on it, and returns that in bytes.
    static func fill(_ folder: String) async throws(FaultRefusal) -> UInt64 {
        var status = statvfs()
        guard statvfs(folder, &status) == 0 else { throw FaultRefusal("\(folder) cannot be looked at") }
        let used = UInt64(status.f_blocks - status.f_bfree) * UInt64(status.f_frsize)
        try await resize(folder, to: max(used, 4096))
        return used
    }

    /// Frees what is reserved behind the last byte that was ever written to each `.log` file. It reads as zeros before and after.
    static func giveReservedSpaceAway(_ folder: String) async {
        let names = FileManager.default.enumerator(atPath: folder)?.compactMap { $0 as? String } ?? []
        for file in names where file.hasSuffix(".log") {
            let path = "\(folder)/\(file)"
            guard let reserved = reserved(path) else { continue }
            // Where a file system cannot do it the disk is full all the same, and noticed later.
            try? await run(
                "/usr/bin/fallocate",
                ["--punch-hole", "--offset", "\(reserved.lowerBound)", "--length", "\(reserved.count)", path]
            )
        }
    }

    /// What lies behind the last byte that was ever written to a file; `nil` when there is nothing.
    private static func reserved(_ path: String) -> Range<Int>? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        let size = lseek(descriptor, 0, SEEK_END)
        var end = 0
        // SEEK_DATA and SEEK_HOLE, which Swift does not see: pages that were only reserved are holes.
        while case let data = lseek(descriptor, end, 3), data >= 0 {
            let hole = lseek(descriptor, data, 4)
            guard hole > data else { break }
            end = hole
        }
        return end < size ? end..<size : nil
    }

    private static func run(_ program: String, _ arguments: [String]) async throws(FaultRefusal) {
        guard let result = try? await Shell.run(program, arguments), result.code == 0 else {
            throw FaultRefusal("\(program) refuses to do this")
        }
    }
}
