import NIOCore

/// The file operations that the log is built on. The server uses ``PosixFileLayer``; tests use layers that lose what was
/// not synchronised, tear pages, run out of space or fail at the n-th call.
///
/// Every call may block; none is made on an event loop.
protocol FileLayer: Sendable {
    /// Creates one directory (mode 0700); an existing one is no error.
    func makeDirectory(_ path: String) throws(StorageError)
    /// The names in a directory, without `.` and `..`, in no order.
    func entries(of directory: String) throws(StorageError) -> [String]
    /// Opens a file for reading and writing; `create` makes it if it is missing.
    func open(_ path: String, create: Bool) throws(StorageError) -> any LogFile
    func exists(_ path: String) -> Bool
    func rename(_ source: String, to target: String) throws(StorageError)
    func remove(_ path: String) throws(StorageError)
    func removeDirectory(_ path: String) throws(StorageError)
    /// Makes creations, renames and removals in a directory durable.
    func synchronizeDirectory(_ path: String) throws(StorageError)
    /// Takes an exclusive lock that dies with the process; throws when another holds it.
    func lock(_ path: String) throws(StorageError) -> any FileLock
}

/// An open file. Reads may run beside a write; writes are made by one thread at a time.
protocol LogFile: AnyObject, Sendable {
    func size() throws(StorageError) -> Int
    /// Reads up to `count` bytes at `position`; fewer only at the end of the file.
    func read(at position: Int, count: Int) throws(StorageError) -> ByteBuffer
    /// Writes all buffers one after the other from `position` on.
    func write(_ buffers: [ByteBuffer], at position: Int) throws(StorageError)
    /// Makes the file's contents and size durable. An error is final: the same call is never repeated.
    func synchronize() throws(StorageError)
    /// Reserves space up to `size` and extends the file to it with zeros.
    func allocate(to size: Int) throws(StorageError)
    func truncate(to size: Int) throws(StorageError)
}

/// A held lock; released when the object goes or `release` is called.
protocol FileLock: AnyObject, Sendable {
    func release()
}

/// A failed file operation.
struct StorageError: Error, CustomStringConvertible {
    enum Kind: Equatable {
        /// The disk is full or the quota used up: what was asked was not done, and may work later.
        case outOfSpace
        /// Another process holds the lock.
        case locked
        /// Synchronising failed: what the file holds is unknown from here on.
        case synchronization
        /// Stored data contradicts itself where it was known to be durable.
        case corruption
        case other
    }

    let kind: Kind
    let operation: String
    let path: String
    let detail: String

    init(_ kind: Kind, _ operation: String, _ path: String, _ detail: String) {
        (self.kind, self.operation, self.path, self.detail) = (kind, operation, path, detail)
    }

    var description: String { "\(operation) failed for \(path): \(detail)" }
}

extension FileLayer {
    /// Replaces a small file as a whole: written aside, synchronised, renamed over.
    func replace(_ name: String, in directory: String, with contents: ByteBuffer) throws(StorageError) {
        _ = try renameOver(name, in: directory, with: contents)
        try synchronizeDirectory(directory)
    }

    /// The same, but for the last step: after a power cut the name may still stand for the old file.
    func renameOver(
        _ name: String,
        in directory: String,
        with contents: ByteBuffer
    ) throws(StorageError) -> any LogFile {
        let temporary = "\(directory)/\(name).tmp"
        let file = try open(temporary, create: true)
        try file.truncate(to: 0)
        try file.write([contents], at: 0)
        try file.synchronize()
        try rename(temporary, to: "\(directory)/\(name)")
        return file
    }

    func openIfPresent(_ path: String) throws(StorageError) -> (any LogFile)? {
        exists(path) ? try open(path, create: false) : nil
    }

    /// A small file as a whole, or nil when it is missing.
    func contents(_ path: String, limit: Int = 64 << 20) throws(StorageError) -> ByteBuffer? {
        guard let file = try openIfPresent(path) else { return nil }
        let size = try file.size()
        guard size <= limit else { throw StorageError(.other, "read", path, "\(size) bytes are too many") }
        return try file.read(at: 0, count: size)
    }
}
