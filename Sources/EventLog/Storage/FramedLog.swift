import Dispatch
import Failpoints
import Logging
import NIOCore
import NIOPosix
import Synchronization
import Telemetry

/// An append-only file of checksummed entries with group commit: the form of `meta.log` and `offsets.log`.
///
/// Frame: length u32 (of version and payload) · CRC-32C u32 of what follows · version u8 · payload. Entries that arrive
/// while a synchronisation runs share the next one. When most of the file is garbage it is written anew aside and
/// renamed over.
///
/// Thread-safe: state is behind one lock; the file is written by one flush job at a time.
final class FramedLog: Sendable {
    /// Called on the flush thread when the entries are durable, or with the error.
    typealias Completion = @Sendable (StorageError?) -> Void

    private struct Pending {
        var frames: ByteBuffer
        var completion: Completion
    }

    private struct State {
        var file: any LogFile
        var size: Int
        var pending: [Pending] = []
        var pendingBytes = 0
        var isFlushing = false
        /// The error that ended the file for good.
        var failure: StorageError?
        var onIdle: [@Sendable () -> Void] = []
    }

    static let frameHeader = 8
    static let version: UInt8 = 1
    static let maxPayload = 16 << 20
    /// Files below this size are not compacted.
    static let compactionFloor = 8 << 20
    static let maxPendingBytes = 64 << 20

    private let directory: String
    private let name: String
    private let environment: StorageEnvironment
    private let state: Mutex<State>

    /// Opens the file, hands every intact entry to `replay`, and cuts what follows the last one.
    init(
        directory: String,
        name: String,
        environment: StorageEnvironment,
        replay: (ByteBuffer) throws(StorageError) -> Void
    ) throws(StorageError) {
        self.directory = directory
        self.name = name
        self.environment = environment
        let files = environment.files
        let path = "\(directory)/\(name)"
        let isNew = !files.exists(path)
        let file = try files.open(path, create: true)
        if isNew { try files.synchronizeDirectory(directory) }
        let size = try file.size()
        let valid = try Self.replay(file, size: size, replay)
        if valid < size {
            environment.logger.warning(
                "Cut a torn tail",
                metadata: ["file": "\(path)", "bytes": "\(size - valid)"]
            )
            try file.truncate(to: valid)
            try file.synchronize()
        }
        state = Mutex(State(file: file, size: valid))
    }

    /// Reads entries until the first that is not intact; answers where that is.
    static func replay(
        _ file: any LogFile,
        size: Int,
        _ body: (ByteBuffer) throws(StorageError) -> Void
    ) throws(StorageError) -> Int {
        var position = 0
        var buffer = ByteBuffer()
        while true {
            let wanted = buffer.getInteger(at: buffer.readerIndex, as: UInt32.self).map { Int($0) } ?? 0
            if wanted > maxPayload { return position }
            if buffer.readableBytes < frameHeader + wanted || wanted == 0 {
                let count = min(max(1 << 20, frameHeader + wanted), size - position)
                buffer = try file.read(at: position, count: max(0, count))
            }
            guard let length = buffer.readInteger(as: UInt32.self), let crc = buffer.readInteger(as: UInt32.self),
                length >= 1, length <= maxPayload
            else { return position }
            if buffer.readableBytes < Int(length) {
                // The entry is longer than what was read with it; its length is known now.
                buffer = try file.read(
                    at: position + frameHeader,
                    count: min(Int(length), size - position - frameHeader)
                )
            }
            guard var payload = buffer.readSlice(length: Int(length)),
                Checksum.crc32c(payload, from: 0, count: payload.readableBytes) == crc,
                payload.readInteger(as: UInt8.self) == version
            else { return position }
            try body(payload)
            position += frameHeader + Int(length)
        }
    }

    private static func frame(_ payload: ByteBuffer, into buffer: inout ByteBuffer) {
        var body = ByteBuffer()
        body.writeInteger(version)
        body.writeImmutableBuffer(payload)
        buffer.writeInteger(UInt32(body.readableBytes))
        buffer.writeInteger(Checksum.crc32c(body, from: 0, count: body.readableBytes))
        buffer.writeBuffer(&body)
    }

    /// Bytes in the file.
    var size: Int { state.withLock { $0.size } }

    /// Appends entries as one unit of work.
    func append(_ payloads: [ByteBuffer], completion: @escaping Completion) {
        var frames = ByteBuffer()
        for payload in payloads { Self.frame(payload, into: &frames) }
        enum Step {
            case refuse(StorageError)
            case schedule
            case wait
        }
        let step = state.withLock { state -> Step in
            if let failure = state.failure { return .refuse(failure) }
            guard state.pendingBytes + frames.readableBytes <= Self.maxPendingBytes else {
                return .refuse(StorageError(.other, "append", name, "too much is waiting"))
            }
            state.pendingBytes += frames.readableBytes
            state.pending.append(Pending(frames: frames, completion: completion))
            if state.isFlushing { return .wait }
            state.isFlushing = true
            return .schedule
        }
        switch step {
        case .refuse(let error): completion(error)
        case .schedule: scheduleFlush()
        case .wait: break
        }
    }

    /// Appends and blocks until the entries are durable. For the administration thread and for start.
    func appendAndWait(_ payloads: [ByteBuffer]) throws(StorageError) {
        let result = Mutex<StorageError?>(nil)
        let done = DispatchSemaphore(value: 0)
        append(payloads) { error in
            result.withLock { $0 = error }
            done.signal()
        }
        done.wait()
        if let error = result.withLock({ $0 }) { throw error }
    }

    private func scheduleFlush() {
        environment.flushers.submit { [self] _ in flush() }
    }

    private func flush() {
        enum Step {
            case work(any LogFile, Int, [Pending])
            case idle([@Sendable () -> Void])
        }
        let step = state.withLock { state -> Step in
            if state.pending.isEmpty {
                state.isFlushing = false
                let callbacks = state.onIdle
                state.onIdle = []
                return .idle(callbacks)
            }
            let pending = state.pending
            state.pending = []
            state.pendingBytes = 0
            return .work(state.file, state.size, pending)
        }
        switch step {
        case .idle(let callbacks):
            for callback in callbacks { callback() }
        case .work(let file, let size, let pending):
            let error = write(pending, to: file, at: size)
            for item in pending { item.completion(error) }
            scheduleFlush()
        }
    }

    private func write(_ pending: [Pending], to file: any LogFile, at size: Int) -> StorageError? {
        let bytes = pending.reduce(0) { $0 + $1.frames.readableBytes }
        do throws(StorageError) {
            Failpoints.reach("log.journal.before-write")
            try file.write(pending.map(\.frames), at: size)
            Failpoints.reach("log.journal.before-sync")
            let start = ContinuousClock.now
            try file.synchronize()
            environment.metrics.syncDuration.observe(ContinuousClock.now - start)
            Failpoints.reach("log.journal.before-ack")
            state.withLock { $0.size = size + bytes }
            return nil
        } catch {
            environment.logger.error("A write failed", metadata: ["file": "\(name)", "error": "\(error)"])
            var final = error.kind == .synchronization ? error : nil
            if final == nil {
                do throws(StorageError) { try file.truncate(to: size) } catch { final = error }
            }
            if let final {
                state.withLock { $0.failure = final }
                environment.onFatal(final)
            }
            return error
        }
    }

    /// Writes the file anew with `live` only, when it is large and mostly garbage. `live` is called when no append is
    /// on its way, and appends wait until it is done. Call from a thread that may block.
    func compactIfWorthwhile(live: () -> [ByteBuffer]) throws(StorageError) {
        let mayCompact = state.withLock { state -> Bool in
            guard state.failure == nil, !state.isFlushing, state.size > Self.compactionFloor else { return false }
            state.isFlushing = true
            return true
        }
        guard mayCompact else { return }
        defer { scheduleFlush() }
        var frames = ByteBuffer()
        for payload in live() { Self.frame(payload, into: &frames) }
        guard frames.readableBytes * 2 < size else { return }
        let files = environment.files
        let temporary = "\(directory)/\(name).tmp"
        let file = try files.open(temporary, create: true)
        try file.truncate(to: 0)
        try file.write([frames], at: 0)
        try file.synchronize()
        try files.rename(temporary, to: "\(directory)/\(name)")
        state.withLock { state in
            state.file = file
            state.size = frames.readableBytes
        }
        // Appends go to the new file from here on, so its name has to be durable before the next one is acknowledged.
        do throws(StorageError) {
            try files.synchronizeDirectory(directory)
        } catch {
            state.withLock { $0.failure = error }
            environment.onFatal(error)
            throw error
        }
    }

    /// Calls back when nothing is on its way to the disk.
    func whenIdle(_ callback: @escaping @Sendable () -> Void) {
        let isIdle = state.withLock { state -> Bool in
            if state.isFlushing {
                state.onIdle.append(callback)
                return false
            }
            return true
        }
        if isIdle { callback() }
    }
}
