import Glibc

/// Keeps a log file within bounds: at `limit` bytes its content moves to `<file>.1`, replacing the one before.
///
/// The writers keep their descriptor (opened for appending), so the content is copied and the file cut to nothing. A line that is
/// written between the last read and the cut, some microseconds, can be lost; logs are diagnostics, and in return no process
/// depends on the supervisor for writing them.
struct LogRotation {
    /// The size at which a file is rotated: 64 MiB, so a process has at most about twice that.
    var limit: Int64 = 64 << 20

    /// Rotates the file if it has reached the limit; returns whether it did.
    func rotateIfNeeded(_ path: String) -> Bool {
        var info = stat()
        guard stat(path, &info) == 0, Int64(info.st_size) >= limit else { return false }
        let source = open(path, O_RDWR | O_CLOEXEC)
        guard source >= 0 else { return false }
        defer { close(source) }
        let old = path + ".1"
        let target = open(old + ".new", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        guard target >= 0 else { return false }
        var chunk = [UInt8](repeating: 0, count: 1 << 20)
        var intact = true
        var copied = 0
        var wholeLines = 0
        while true {
            let count = read(source, &chunk, chunk.count)
            if count < 0, errno == EINTR { continue }
            if count <= 0 { break }
            if intact, !Files.write(target, Array(chunk[..<count])) { intact = false }
            if let end = chunk[..<count].lastIndex(of: UInt8(ascii: "\n")) { wholeLines = copied + end + 1 }
            copied += count
        }
        // A line that was being written when it was read is not kept in part.
        if intact, wholeLines > 0, wholeLines < copied { _ = ftruncate(target, wholeLines) }
        // Cut in any case: on a full disk the copy fails, and the cut is what gives room again.
        _ = ftruncate(source, 0)
        close(target)
        if intact { rename(old + ".new", old) } else { unlink(old + ".new") }
        return true
    }
}
