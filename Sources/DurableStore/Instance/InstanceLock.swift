import Foundation
import Messaging
import Synchronization

#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// The right to write a database file: an exclusive lock (`flock(2)`) on a file beside it, held by one process at a time.
///
/// The operating system releases it when the process ends, however it ends. Waiting is polling (every 50 ms), since a
/// blocked `flock` could not be cancelled.
public final class InstanceLock: Sendable {
    /// The lock file.
    public let path: String
    private let descriptor: Mutex<Int32?>

    private init(path: String, descriptor: Int32) {
        self.path = path
        self.descriptor = Mutex(descriptor)
    }

    deinit { release() }

    /// Waits until the lock is free, on a thread of its own, and takes it.
    ///
    /// - Parameter path: the lock file, by custom the database's path with `.lock` added; created with mode 0600.
    /// - Throws: `CancellationError` when the task is cancelled; a ``Failure`` of class fatal when the file cannot be opened.
    public static func acquire(path: String) async throws -> InstanceLock {
        let cancelled = CancellationFlag()
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                let thread = Thread {
                    continuation.resume(with: Result { try wait(path: path, until: cancelled) })
                }
                thread.name = "instance-lock"
                thread.start()
            }
        } onCancel: {
            cancelled.set()
        }
    }

    /// Takes the lock if it is free.
    ///
    /// - Returns: `nil` when another process (or another lock of this process) holds it.
    public static func tryAcquire(path: String) throws -> InstanceLock? {
        let descriptor = try PrivateFile.descriptor(path)
        if flock(descriptor, LOCK_EX | LOCK_NB) == 0 { return InstanceLock(path: path, descriptor: descriptor) }
        let reason = errno
        close(descriptor)
        guard reason == EWOULDBLOCK || reason == EINTR else {
            throw Failure(
                .fatal,
                code: "lock-failed",
                "The file \(path) cannot be locked: \(String(cString: strerror(reason)))."
            )
        }
        return nil
    }

    /// Gives the lock up; the end of the object or of the process does the same.
    public func release() {
        let descriptor = descriptor.withLock { descriptor in
            defer { descriptor = nil }
            return descriptor
        }
        if let descriptor { close(descriptor) }
    }

    private static func wait(path: String, until cancelled: CancellationFlag) throws -> InstanceLock {
        while true {
            if cancelled.isSet { throw CancellationError() }
            if let lock = try tryAcquire(path: path) { return lock }
            Thread.sleep(forTimeInterval: 0.05)
        }
    }
}

private final class CancellationFlag: Sendable {
    private let flag = Mutex(false)
    var isSet: Bool { flag.withLock { $0 } }
    func set() { flag.withLock { $0 = true } }
}
