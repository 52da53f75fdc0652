import Foundation

/// Small file systems in memory, one for each database, so that one of them can be full while the others are not.
enum Disk {
    /// How large they are when they are well, in bytes. Only what is used takes memory.
    static let size: UInt64 = 1 << 30

    /// Mounts one on a new folder.
    /// - Throws: ``FaultRefusal`` where that is not allowed: it takes root, or a user namespace with one's own mounts.
    static func mount(_ folder: String) async throws(FaultRefusal) {
        try? FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        try await run(["-t", "tmpfs", "-o", "size=\(size),mode=700", "tmpfs", folder])
    }

    /// Changes its size.
    static func resize(_ folder: String, to bytes: UInt64) async throws(FaultRefusal) {
        try await run(["-o", "remount,size=\(bytes)", folder])
    }

    private static func run(_ arguments: [String]) async throws(FaultRefusal) {
        guard let result = try? await Shell.run("/bin/mount", arguments), result.code == 0 else {
            throw FaultRefusal("mount refuses to do this")
        }
    }
}
