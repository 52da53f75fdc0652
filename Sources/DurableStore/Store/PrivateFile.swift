import Messaging

#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// Files that only their owner may read.
enum PrivateFile {
    /// Opens a file, creating it with mode 0600.
    ///
    /// - Returns: a descriptor that child processes do not inherit; the caller closes it.
    static func descriptor(_ path: String) throws -> Int32 {
        let descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else {
            let reason = String(cString: strerror(errno))
            throw Failure(.fatal, code: "store-unwritable", "The file \(path) cannot be opened: \(reason).")
        }
        return descriptor
    }

    /// Makes sure that a file is there. SQLite gives its log and shared-memory files the mode of the database file.
    static func create(_ path: String) throws { close(try descriptor(path)) }
}
