import Dispatch
import Synchronization

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// Where log lines go.
public protocol LogOutput: Sendable {
    /// Takes one line without its line feed. Must return at once and must not log.
    func write(line: [UInt8])
}

/// Writes lines to a file descriptor from a queue of its own, so that a slow reader never holds up the caller.
///
/// At most ``maxBufferedBytes`` wait; lines that do not fit are dropped and counted, and once there is room again a line
/// `{"level":"warning","msg":"log lines dropped","dropped":N}` says so. Safe to use from any thread.
public final class FileDescriptorLogOutput: LogOutput {
    private struct State {
        var buffer: [UInt8] = []
        var isDraining = false
        var droppedSinceNotice: UInt64 = 0
        var dropped: UInt64 = 0
    }

    /// Bytes that may wait for the reader.
    public let maxBufferedBytes: Int

    private let descriptor: Int32
    private let state = Mutex(State())
    /// Only here `write(2)` may block.
    private let queue = DispatchQueue(label: "telemetry.log-output")

    /// Writes to `descriptor`, which stays the caller's to close.
    public init(descriptor: Int32, maxBufferedBytes: Int = 1 << 20) {
        self.descriptor = descriptor
        self.maxBufferedBytes = maxBufferedBytes
    }

    /// Standard output.
    public static let standardOutput = FileDescriptorLogOutput(descriptor: STDOUT_FILENO)

    /// Lines dropped since the start.
    public var droppedLines: UInt64 { state.withLock { $0.dropped } }

    /// Takes one line, or drops it when the buffer is full.
    public func write(line: [UInt8]) {
        let mustDrain = state.withLock { state -> Bool in
            var notice: [UInt8] = []
            if state.droppedSinceNotice > 0 {
                notice = Array(
                    "{\"level\":\"warning\",\"msg\":\"log lines dropped\",\"dropped\":\(state.droppedSinceNotice)}\n"
                        .utf8
                )
            }
            guard state.buffer.count + notice.count + line.count + 1 <= maxBufferedBytes else {
                state.dropped += 1
                state.droppedSinceNotice += 1
                return false
            }
            state.droppedSinceNotice = 0
            state.buffer += notice
            state.buffer += line
            state.buffer.append(0x0A)
            if state.isDraining { return false }
            state.isDraining = true
            return true
        }
        if mustDrain { queue.async { self.drain() } }
    }

    /// Waits until everything that was taken so far is written; false when `timeout` passes first.
    ///
    /// Blocks the calling thread: for the end of `main`, not for tasks.
    @discardableResult
    public func flush(timeout: Duration = .seconds(2)) -> Bool {
        let done = DispatchSemaphore(value: 0)
        queue.async { done.signal() }
        let milliseconds = timeout.components.seconds * 1000 + timeout.components.attoseconds / 1_000_000_000_000_000
        return done.wait(timeout: .now() + .milliseconds(Int(milliseconds))) == .success
    }

    private func drain() {
        while true {
            let chunk = state.withLock { state -> [UInt8] in
                if state.buffer.isEmpty { state.isDraining = false }
                let chunk = state.buffer
                state.buffer = []
                return chunk
            }
            if chunk.isEmpty { return }
            writeAll(chunk)
        }
    }

    private func writeAll(_ chunk: [UInt8]) {
        var offset = 0
        while offset < chunk.count {
            let written = chunk[offset...].withUnsafeBytes { systemWrite(descriptor, $0.baseAddress, $0.count) }
            if written > 0 {
                offset += written
                continue
            }
            switch errno {
            case EINTR: continue
            case EAGAIN:
                // Somebody made the descriptor non-blocking; wait for room here, on our own queue.
                var poller = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
                _ = poll(&poller, 1, 1000)
            default:
                // The reader is gone (EPIPE) or the file is full: nobody is left to tell.
                let lines = chunk[offset...].count { $0 == 0x0A }
                state.withLock { $0.dropped += UInt64(lines) }
                return
            }
        }
    }
}

/// `write(2)` under a name of its own: the class has a method called write.
private func systemWrite(_ descriptor: Int32, _ bytes: UnsafeRawPointer?, _ count: Int) -> Int {
    guard let bytes else { return 0 }
    return write(descriptor, bytes, count)
}
