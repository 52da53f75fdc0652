import Glibc
import NIOCore

/// Files of the operating system.
struct PosixFileLayer: FileLayer {
    func makeDirectory(_ path: String) throws(StorageError) {
        if mkdir(path, 0o700) != 0, errno != EEXIST { throw .posix("mkdir", path) }
    }

    func entries(of directory: String) throws(StorageError) -> [String] {
        guard let handle = opendir(directory) else { throw .posix("opendir", directory) }
        defer { closedir(handle) }
        var names: [String] = []
        while let entry = readdir(handle) {
            let name = withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
                String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names
    }

    func open(_ path: String, create: Bool) throws(StorageError) -> any LogFile {
        let descriptor = Glibc.open(path, O_RDWR | O_CLOEXEC | (create ? O_CREAT : 0), 0o600)
        guard descriptor >= 0 else { throw .posix("open", path) }
        return PosixFile(descriptor: descriptor, path: path)
    }

    func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }

    func rename(_ source: String, to target: String) throws(StorageError) {
        if Glibc.rename(source, target) != 0 { throw .posix("rename", source) }
    }

    func remove(_ path: String) throws(StorageError) {
        if unlink(path) != 0, errno != ENOENT { throw .posix("unlink", path) }
    }

    func removeDirectory(_ path: String) throws(StorageError) {
        if rmdir(path) != 0, errno != ENOENT { throw .posix("rmdir", path) }
    }

    func synchronizeDirectory(_ path: String) throws(StorageError) {
        let descriptor = Glibc.open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw .posix("open", path) }
        defer { close(descriptor) }
        if fsync(descriptor) != 0 { throw .posix("fsync", path, kind: .synchronization) }
    }

    func lock(_ path: String) throws(StorageError) -> any FileLock {
        let descriptor = Glibc.open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw .posix("open", path) }
        if flock(descriptor, LOCK_EX | LOCK_NB) != 0 {
            let code = errno
            close(descriptor)
            if code == EWOULDBLOCK {
                throw StorageError(.locked, "lock", path, "another server uses this directory")
            }
            errno = code
            throw .posix("flock", path)
        }
        return PosixLock(descriptor: descriptor)
    }
}

/// An open file; the descriptor is closed with the object, so readers of a removed segment finish undisturbed.
private final class PosixFile: LogFile {
    private let descriptor: Int32
    private let path: String

    init(descriptor: Int32, path: String) {
        self.descriptor = descriptor
        self.path = path
    }

    deinit { close(descriptor) }

    func size() throws(StorageError) -> Int {
        var status = stat()
        if fstat(descriptor, &status) != 0 { throw .posix("fstat", path) }
        return Int(status.st_size)
    }

    func read(at position: Int, count: Int) throws(StorageError) -> ByteBuffer {
        var buffer = ByteBufferAllocator().buffer(capacity: count)
        while buffer.readableBytes < count {
            let done = buffer.readableBytes
            var got = 0
            buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: count - done) { target in
                got = pread(descriptor, target.baseAddress, count - done, off_t(position + done))
                return max(got, 0)
            }
            if got == 0 { break }
            if got < 0, errno != EINTR { throw .posix("pread", path) }
        }
        return buffer
    }

    func write(_ buffers: [ByteBuffer], at position: Int) throws(StorageError) {
        var position = position
        var first = 0
        var consumed = 0
        while first < buffers.count {
            // IOV_MAX is 1024 on Linux; a buffer partly written starts the next call at `consumed`.
            let group = buffers[first..<min(first + 512, buffers.count)]
            let written = Self.gather(group, skipping: consumed) { vectors in
                pwritev(descriptor, vectors.baseAddress, Int32(vectors.count), off_t(position))
            }
            if written < 0 {
                if errno == EINTR { continue }
                throw .posix("pwritev", path)
            }
            position += written
            consumed += written
            while first < buffers.count, consumed >= buffers[first].readableBytes {
                consumed -= buffers[first].readableBytes
                first += 1
            }
        }
    }

    /// Calls `body` with the memory of all buffers; nesting keeps every pointer valid for the call.
    private static func gather(
        _ buffers: ArraySlice<ByteBuffer>,
        skipping: Int,
        _ body: (UnsafeMutableBufferPointer<iovec>) -> Int
    ) -> Int {
        withUnsafeTemporaryAllocation(of: iovec.self, capacity: buffers.count) { vectors in
            func fill(_ index: Int) -> Int {
                guard index < buffers.count else { return body(vectors) }
                return buffers[buffers.startIndex + index].withUnsafeReadableBytes { bytes in
                    let skip = index == 0 ? skipping : 0
                    let vector = iovec(
                        iov_base: bytes.baseAddress.map { UnsafeMutableRawPointer(mutating: $0 + skip) },
                        iov_len: bytes.count - skip
                    )
                    (vectors.baseAddress.map { $0 + index })?.initialize(to: vector)
                    return fill(index + 1)
                }
            }
            return fill(0)
        }
    }

    func synchronize() throws(StorageError) {
        if fdatasync(descriptor) != 0 { throw .posix("fdatasync", path, kind: .synchronization) }
    }

    func allocate(to size: Int) throws(StorageError) {
        let code = posix_fallocate(descriptor, 0, off_t(size))
        guard code != 0, code != EOPNOTSUPP, code != EINVAL else { return }
        errno = code
        throw .posix("posix_fallocate", path)
    }

    func truncate(to size: Int) throws(StorageError) {
        if ftruncate(descriptor, off_t(size)) != 0 { throw .posix("ftruncate", path) }
    }
}

private final class PosixLock: FileLock {
    private let descriptor: Int32

    init(descriptor: Int32) { self.descriptor = descriptor }

    func release() { flock(descriptor, LOCK_UN) }

    deinit { close(descriptor) }
}

extension StorageError {
    /// The error that `errno` tells of.
    static func posix(_ operation: String, _ path: String, kind: Kind? = nil) -> StorageError {
        let code = errno
        let isSpace = code == ENOSPC || code == EDQUOT || code == EFBIG
        return StorageError(kind ?? (isSpace ? .outOfSpace : .other), operation, path, String(cString: strerror(code)))
    }
}
