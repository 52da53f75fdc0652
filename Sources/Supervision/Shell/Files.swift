import Glibc

/// Small whole-file operations on POSIX calls. They block; the supervisor has one thread and its files are small.
enum Files {
    /// The text of `errno`.
    static func errorText(_ code: Int32 = errno) -> String {
        guard let text = strerror(code) else { return "error \(code)" }
        return String(cString: text)
    }

    /// Reads a file of at most `limit` bytes.
    static func read(_ path: String, limit: Int) throws(SupervisionError) -> [UInt8] {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw SupervisionError("cannot read \(path): \(errorText())") }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 16_384)
        while true {
            let count = Glibc.read(descriptor, &chunk, chunk.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw SupervisionError("cannot read \(path): \(errorText())") }
            if count == 0 { return bytes }
            bytes.append(contentsOf: chunk[..<count])
            guard bytes.count <= limit else { throw SupervisionError("\(path) is larger than \(limit) bytes") }
        }
    }

    /// Replaces a file in one step: written beside it, then renamed. Not synced: these files mean nothing after a power loss.
    static func replace(_ path: String, with bytes: [UInt8]) throws(SupervisionError) {
        let temporary = path + ".new"
        let descriptor = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw SupervisionError("cannot write \(temporary): \(errorText())") }
        let complete = write(descriptor, bytes)
        let code = errno
        close(descriptor)
        guard complete else { throw SupervisionError("cannot write \(temporary): \(errorText(code))") }
        guard rename(temporary, path) == 0 else { throw SupervisionError("cannot write \(path): \(errorText())") }
    }

    /// Writes everything; false on an error, told by `errno`.
    static func write(_ descriptor: Int32, _ bytes: [UInt8]) -> Bool {
        bytes.withUnsafeBytes { buffer in
            var offset = 0
            while offset < buffer.count {
                let count = Glibc.write(descriptor, buffer.baseAddress?.advanced(by: offset), buffer.count - offset)
                if count < 0, errno == EINTR { continue }
                guard count > 0 else { return false }
                offset += count
            }
            return true
        }
    }

    /// Makes a descriptor non-blocking and keeps it from children. Safe only because one thread both opens and spawns.
    static func makePrivate(_ descriptor: Int32) {
        _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
        _ = fcntl(descriptor, F_SETFL, O_NONBLOCK)
    }

    /// Keeps every descriptor that this process was started with, beyond the standard three, from its children.
    static func keepInheritedPrivate() {
        guard let listing = opendir("/proc/self/fd") else { return }
        defer { closedir(listing) }
        while let entry = readdir(listing) {
            let name = withUnsafePointer(to: entry.pointee.d_name) { pointer in
                pointer.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if let descriptor = Int32(name), descriptor > 2 { _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC) }
        }
    }

    /// Opens and locks a file for as long as the process lives; `nil` when another process holds it.
    static func lock(_ path: String) throws(SupervisionError) -> Int32? {
        let descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw SupervisionError("cannot open \(path): \(errorText())") }
        if flock(descriptor, LOCK_EX | LOCK_NB) == 0 { return descriptor }
        close(descriptor)
        return nil
    }
}
