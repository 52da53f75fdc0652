import Foundation
import GRDB

/// A copy of a service's database, made with SQLite's backup API: one consistent moment, and the original is never written,
/// checkpointed or locked for longer than a page copy takes.
struct DatabaseCopy {
    /// Runs `body` on a copy, which is deleted afterwards.
    ///
    /// - Returns: `nil` when there is no such file.
    static func read<Value>(_ path: String, _ body: (Database) throws -> Value) throws -> Value? {
        guard FileManager.default.fileExists(atPath: path) else { return nil }
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent(
            "waybill-verify-" + UUID().uuidString
        )
        try FileManager.default.createDirectory(
            at: folder,
            withIntermediateDirectories: true,
            attributes: [.posixPermissions: 0o700]
        )
        defer { try? FileManager.default.removeItem(at: folder) }
        var reading = Configuration()
        reading.readonly = true
        reading.busyMode = .timeout(10)
        let copy = try DatabaseQueue(path: folder.appendingPathComponent("copy.db").path)
        try DatabaseQueue(path: path, configuration: reading).backup(to: copy)
        return try copy.read(body)
    }
}
