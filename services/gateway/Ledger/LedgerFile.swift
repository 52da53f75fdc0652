import Dispatch
import Failpoints
import Foundation
import Synchronization

/// The ledger on disk: lines are appended by one thread that writes whatever has come together and then syncs once.
///
/// Append-only; nothing is ever rewritten. A line counts from the moment its sync returned: nobody is told of it before. After
/// a failed write or sync nothing more is accepted, since what the file holds is no longer certain.
///
/// `@unchecked Sendable`: `descriptor` is set once and closed after the thread has ended; everything else is in `state`.
public final class LedgerFile: @unchecked Sendable {
    private struct State {
        var pending: [UInt8] = []
        var pendingSeq: Int64 = 0
        var durableSeq: Int64 = 0
        /// Where each line begins, and where the next one will.
        var offsets: [Int]
        var waiters: [(seq: Int64, continuation: CheckedContinuation<Void, any Error>)] = []
        var failure: LedgerFault?
        var isClosing = false
    }

    private let descriptor: Int32
    private let state: Mutex<State>
    private let signal = DispatchSemaphore(value: 0)
    private let finished = DispatchSemaphore(value: 0)
    private let reader = DispatchQueue(label: "ledger.reader")

    /// The most bytes that wait for the writer; an append beyond is refused.
    public static let maximumPending = 16 << 20

    /// Opens or creates a ledger, reads it whole and cuts a torn last line off.
    ///
    /// - Returns: the file, its entries and the hash of the last line.
    /// - Throws: ``LedgerFault`` when a line other than a torn last one is damaged, or the file cannot be used.
    public static func open(path: String) throws(LedgerFault) -> (file: LedgerFile, book: LedgerBook, lastHash: String)
    {
        let descriptor = Foundation.open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw LedgerFault("The ledger \(path) cannot be opened: \(errorText()).") }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            Foundation.close(descriptor)
            throw LedgerFault("The ledger \(path) is in use by another gateway.")
        }
        do throws(LedgerFault) {
            let contents = try readAll(descriptor)
            var book = LedgerBook()
            var offsets = [0]
            var hash = LedgerEntry.genesis
            var start = 0
            while let end = contents[start...].firstIndex(of: 0x0A) {
                let (entry, next) = try LedgerEntry.read(contents[start..<end], seq: book.lastSeq + 1, after: hash)
                book.replay(entry)
                hash = next
                start = end + 1
                offsets.append(start)
            }
            // Whatever follows the last line feed was never synced whole, so nobody was told of it.
            guard ftruncate(descriptor, off_t(start)) == 0, fsync(descriptor) == 0, lseek(descriptor, 0, SEEK_END) >= 0
            else {
                throw LedgerFault("The ledger \(path) cannot be repaired: \(errorText()).")
            }
            syncFolder(of: path)
            return (LedgerFile(descriptor: descriptor, offsets: offsets, durableSeq: book.lastSeq), book, hash)
        } catch {
            Foundation.close(descriptor)
            throw error
        }
    }

    private init(descriptor: Int32, offsets: [Int], durableSeq: Int64) {
        self.descriptor = descriptor
        state = Mutex(State(pendingSeq: durableSeq, durableSeq: durableSeq, offsets: offsets))
        let thread = Thread { [self] in writeLoop() }
        thread.name = "ledger-writer"
        thread.start()
    }

    /// Hands a line over to the writer. Lines must come in the order of their numbers: call it where the number is given.
    ///
    /// - Throws: ``LedgerFault`` after a failure, when closed, or when ``maximumPending`` bytes wait; the line is not taken.
    public func append(_ line: [UInt8], seq: Int64) throws(LedgerFault) {
        let refusal: LedgerFault? = state.withLock { state in
            if let failure = state.failure { return failure }
            if state.isClosing { return LedgerFault("The ledger is closed.") }
            guard state.pending.count < Self.maximumPending else { return LedgerFault("The disk does not keep up.") }
            state.pending.append(contentsOf: line)
            state.pendingSeq = seq
            state.offsets.append((state.offsets.last ?? 0) + line.count)
            return nil
        }
        if let refusal { throw refusal }
        signal.signal()
    }

    /// Whether ``append(_:seq:)`` would take a line now. Whoever serialises the appends may rely on a yes.
    public var isAccepting: Bool {
        state.withLock { $0.failure == nil && !$0.isClosing && $0.pending.count < Self.maximumPending }
    }

    /// Returns when the line `seq` is on disk.
    public func waitUntilDurable(_ seq: Int64) async throws {
        try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Void, any Error>) in
            let ready: Result<Void, any Error>? = state.withLock { state in
                if state.durableSeq >= seq { return .success(()) }
                if let failure = state.failure { return .failure(failure) }
                state.waiters.append((seq, continuation))
                return nil
            }
            if let ready { continuation.resume(with: ready) }
        }
    }

    /// Whether the file still takes lines.
    public var failure: LedgerFault? { state.withLock { $0.failure } }

    /// The number of the last line on disk.
    public var durableSeq: Int64 { state.withLock { $0.durableSeq } }

    /// Lines after number `seq`, whole, at most `limit` of them and at most about 1 MiB.
    public func lines(after seq: Int64, limit: Int) async throws -> [UInt8] {
        let range: Range<Int> = state.withLock { state in
            let first = Int(clamping: max(0, seq))
            let durable = Int(state.durableSeq)
            guard first < durable else { return 0..<0 }
            var last = min(durable, first + max(1, limit))
            let start = state.offsets[first]
            while last > first + 1, state.offsets[last] - start > 1 << 20 { last = first + (last - first) / 2 }
            return start..<state.offsets[last]
        }
        guard !range.isEmpty else { return [] }
        return try await withCheckedThrowingContinuation { continuation in
            reader.async { [self] in
                var bytes = [UInt8](repeating: 0, count: range.count)
                let count = pread(descriptor, &bytes, range.count, off_t(range.lowerBound))
                if count == range.count {
                    continuation.resume(returning: bytes)
                } else {
                    continuation.resume(throwing: LedgerFault("The ledger cannot be read: \(errorText())."))
                }
            }
        }
    }

    /// Writes what waits, ends the thread and closes the file. Blocks; call it once, when nothing appends any more.
    public func close() {
        let isFirst = state.withLock { state in
            defer { state.isClosing = true }
            return !state.isClosing
        }
        guard isFirst else { return }
        signal.signal()
        finished.wait()
        reader.sync {}
        Foundation.close(descriptor)
    }

    private func writeLoop() {
        var isDone = false
        while !isDone {
            signal.wait()
            let (bytes, seq, closing) = state.withLock { state in
                defer { state.pending = [] }
                return (state.pending, state.pendingSeq, state.isClosing)
            }
            isDone = closing
            guard !bytes.isEmpty else { continue }
            Failpoints.reach("card.ledger.before-write")
            var written = writeAll(bytes)
            Failpoints.reach("card.ledger.before-sync")
            written = written && fdatasync(descriptor) == 0
            let fault = LedgerFault("The ledger cannot be written: \(errorText()).")
            let released = state.withLock { state in
                if written { state.durableSeq = seq } else { state.failure = state.failure ?? fault }
                let all = state.waiters
                state.waiters = written ? all.filter { $0.seq > seq } : []
                return written ? all.filter { $0.seq <= seq } : all
            }
            for waiter in released {
                if written { waiter.continuation.resume() } else { waiter.continuation.resume(throwing: fault) }
            }
            if !written { isDone = true }
        }
        finished.signal()
    }

    private func writeAll(_ bytes: [UInt8]) -> Bool {
        bytes.withUnsafeBytes { buffer in
            var done = 0
            while done < buffer.count {
                guard let base = buffer.baseAddress else { return false }
                let count = write(descriptor, base + done, buffer.count - done)
                if count < 0, errno == EINTR { continue }
                guard count > 0 else { return false }
                done += count
            }
            return true
        }
    }
}

private func readAll(_ descriptor: Int32) throws(LedgerFault) -> [UInt8] {
    let size = lseek(descriptor, 0, SEEK_END)
    guard size >= 0, lseek(descriptor, 0, SEEK_SET) == 0 else {
        throw LedgerFault("The ledger cannot be read: \(errorText()).")
    }
    var bytes = [UInt8](repeating: 0, count: Int(size))
    var done = 0
    while done < bytes.count {
        let count = bytes.withUnsafeMutableBytes {
            pread(descriptor, $0.baseAddress.map { $0 + done }, $0.count - done, off_t(done))
        }
        if count < 0, errno == EINTR { continue }
        guard count > 0 else { throw LedgerFault("The ledger cannot be read: \(errorText()).") }
        done += count
    }
    return bytes
}

/// Makes a new file's name durable as well. Best effort: some file systems do not allow it, and the data is synced anyway.
func syncFolder(of path: String) {
    let folder = open((path as NSString).deletingLastPathComponent, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard folder >= 0 else { return }
    fsync(folder)
    close(folder)
}

func errorText() -> String {
    String(cString: strerror(errno))
}
