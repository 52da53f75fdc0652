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
        var job = FlushJob()
        /// The error that ended the file for good.
        var failure: StorageError?
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
        func load(_ count: Int) throws(StorageError) {
            guard buffer.readableBytes < count else { return }
            buffer = try file.read(at: position, count: min(max(1 << 20, count), size - position))
        }
        while true {
            try load(frameHeader)
            var header = buffer
            guard let (length, crc) = header.readMultipleIntegers(as: (UInt32, UInt32).self), length >= 1,
                length <= maxPayload
            else { return position }
            let frameSize = frameHeader + Int(length)
            try load(frameSize)
            guard var payload = buffer.readSlice(length: frameSize)?.getSlice(at: frameHeader, length: Int(length)),
                Checksum.crc32c(payload, from: 0, count: payload.readableBytes) == crc,
                payload.readInteger(as: UInt8.self) == version
            else { return position }
            try body(payload)
            position += frameSize
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
        let (refusal, mustSchedule) = state.withLock { state -> (StorageError?, Bool) in
            if let failure = state.failure { return (failure, false) }
            guard state.pendingBytes + frames.readableBytes <= Self.maxPendingBytes else {
                return (StorageError(.other, "append", name, "too much is waiting"), false)
            }
            state.pendingBytes += frames.readableBytes
            state.pending.append(Pending(frames: frames, completion: completion))
            return (nil, state.job.begin())
        }
        if let refusal { return completion(refusal) }
        if mustSchedule { scheduleFlush() }
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
        let round = state.withLock { state -> (any LogFile, Int, [Pending])? in
            if state.pending.isEmpty {
                state.job.finish()
                return nil
            }
            defer { (state.pending, state.pendingBytes) = ([], 0) }
            return (state.file, state.size, state.pending)
        }
        guard let (file, size, pending) = round else { return }
        let error = write(pending, to: file, at: size)
        for item in pending { item.completion(error) }
        scheduleFlush()
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
        let mayCompact = state.withLock { state in
            state.failure == nil && state.size > Self.compactionFloor && state.job.begin()
        }
        guard mayCompact else { return }
        defer { scheduleFlush() }
        var frames = ByteBuffer()
        for payload in live() { Self.frame(payload, into: &frames) }
        guard frames.readableBytes * 2 < size else { return }
        let files = environment.files
        let file = try files.renameOver(name, in: directory, with: frames)
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

    /// Returns when nothing is on its way to the disk. Blocks.
    func waitUntilIdle() { state.withLock { $0.job.end }.wait() }
}
