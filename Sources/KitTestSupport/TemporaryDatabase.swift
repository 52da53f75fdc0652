import Foundation

/// A folder of its own for a test's database, removed with the object.
public final class TemporaryDatabase: Sendable {
    /// The folder, mode 0700.
    public let folder: String
    /// The database file; not created yet.
    public var path: String { folder + "/test.db" }

    /// Makes the folder.
    public init() throws {
        folder = FileManager.default.temporaryDirectory.appendingPathComponent("store-" + UUID().uuidString).path
        try FileManager.default.createDirectory(
            atPath: folder,
            withIntermediateDirectories: true,
            attributes: [.posixPermissions: 0o700]
        )
    }

    deinit { try? FileManager.default.removeItem(atPath: folder) }
}
