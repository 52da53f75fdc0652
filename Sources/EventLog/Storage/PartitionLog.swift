import NIOCore
import Synchronization
import Telemetry

/// One partition's log: sealed segments, one active segment, and appends that wait for their flush.
///
/// Offsets are given out in memory, in the order of arrival; a flush job (one at a time per partition) writes what is
/// pending, synchronises it, and only then moves the high watermark, answers producers and wakes fetches. So nothing is
/// acknowledged or served that a crash could take away, and appends that arrive during a flush share the next one.
///
/// Thread-safe: the mutable state is behind one lock that is never held during I/O. Segment files are written by the
/// flush job only.
final class PartitionLog: Sendable {
    /// What became of an append. Delivered once, on a flush thread or (refusals) on the caller's.
    enum Outcome: Sendable {
        case appended(baseOffset: Int64, appendTime: Int64)
        case refused(ErrorCode)
        /// Nothing was appended and sequence numbers of later batches no longer fit: the connection is to be closed, so
        /// that the producer sends everything again in order.
        case lost(ErrorCode)
    }

    struct Pending {
        /// The batch's parts; empty for a repetition of one that is on disk or on its way there.
        var parts: [ByteBuffer] = []
        var size = 0
        var header: BatchHeader?
        var baseOffset: Int64
        var appendTime: Int64
        var completion: @Sendable (Outcome) -> Void
    }

    /// A segment and what is known of it. The entry of the active segment changes with every flush.
    struct SegmentEntry {
        let segment: Segment
        /// Durable bytes.
        var size: Int
        var nextOffset: Int64
        var maxTimestamp: Int64

        init(_ segment: Segment, _ summary: SegmentIndex.Summary) {
            self.segment = segment
            (size, nextOffset, maxTimestamp) = (summary.logSize, summary.nextOffset, summary.maxTimestamp)
        }

        /// What the segment's index file says of it.
        var summary: SegmentIndex.Summary {
            .init(baseOffset: segment.baseOffset, logSize: size, nextOffset: nextOffset, maxTimestamp: maxTimestamp)
        }
    }

    struct State {
        /// Oldest first, never empty; the last is the active one.
        var segments: [SegmentEntry]
        var activeIndex: SegmentIndex
        /// Bytes reserved in the active segment's file.
        var allocated: Int
        var activeSince: Int64
        var logStart: Int64
        /// The high watermark: everything below is on disk.
        var durableEnd: Int64
        /// The next offset to give out.
        var logEnd: Int64
        var pending: [Pending] = []
        var pendingBytes = 0
        var isFlushing = false
        var rollRequested = false
        /// With and without the batches that are not durable yet.
        var producers: ProducerTable
        var durableProducers: ProducerTable
        var epochs: EpochHistory
        var waiters = WaiterList()
        /// Set for good when synchronising failed or the topic was deleted.
        var isOffline = false
        /// Called when the flush job that runs has ended.
        var onIdle: [@Sendable () -> Void] = []

        mutating func takePending() -> [Pending] {
            defer { (pending, pendingBytes) = ([], 0) }
            return pending
        }

        /// Notes that no flush job runs; answers who wants to know.
        mutating func takeIdleCallbacks() -> [@Sendable () -> Void] {
            defer { (isFlushing, onIdle) = (false, []) }
            return onIdle
        }
    }

    /// Bytes that one flush writes at most; more wait for the next.
    static let maxFlushBytes = 16 << 20
    /// Bytes and batches that may wait in one partition before producers are refused for the moment.
    static let maxPendingBytes = 128 << 20

    let topic: String
    let index: Int32
    let directory: String
    let settings: TopicSettings
    let leaderEpoch: Int32
    let environment: StorageEnvironment
    let state: Mutex<State>

    init(
        topic: String,
        index: Int32,
        directory: String,
        settings: TopicSettings,
        leaderEpoch: Int32,
        environment: StorageEnvironment,
        recovered: consuming State
    ) {
        self.topic = topic
        self.index = index
        self.directory = directory
        self.settings = settings
        self.leaderEpoch = leaderEpoch
        self.environment = environment
        state = Mutex(recovered)
    }

    /// Appends one checked batch. `completion` is called exactly once, after the batch is durable.
    func append(_ records: ByteBuffer, header: BatchHeader, completion: @escaping @Sendable (Outcome) -> Void) {
        var records = records
        var header = header
        let now = environment.now()
        let appendTime: Int64 = settings.stampsAppendTime ? now : -1
        if settings.stampsAppendTime {
            BatchCheck.stampAppendTime(&records, attributes: header.attributes, time: now)
            header.maxTimestamp = now
        }
        enum Step {
            case refuse(ErrorCode)
            case lose
            case schedule
            case wait
        }
        let step = state.withLock { state -> Step in
            if state.isOffline { return .refuse(.storageError) }
            if state.pendingBytes > Self.maxPendingBytes {
                // A refused batch would leave a gap for the producer's next one.
                return header.hasProducer ? .lose : .refuse(.storageError)
            }
            switch state.producers.check(header) {
            case .refuse(let code):
                return .refuse(code)
            case .duplicate(let baseOffset):
                environment.metrics.duplicateBatches.increment(by: 1)
                state.pending.append(
                    Pending(baseOffset: baseOffset, appendTime: appendTime, completion: completion)
                )
            case .append:
                let base = state.logEnd
                header.baseOffset = base
                header.leaderEpoch = leaderEpoch
                state.logEnd = header.nextOffset
                state.producers.note(header, baseOffset: base, now: now)
                state.pendingBytes += header.totalSize
                state.pending.append(
                    Pending(
                        parts: BatchCheck.stamped(records, baseOffset: base, leaderEpoch: leaderEpoch),
                        size: header.totalSize,
                        header: header,
                        baseOffset: base,
                        appendTime: appendTime,
                        completion: completion
                    )
                )
            }
            if state.isFlushing { return .wait }
            state.isFlushing = true
            return .schedule
        }
        switch step {
        case .refuse(let code): completion(.refused(code))
        case .lose: completion(.lost(.storageError))
        case .schedule: scheduleFlush()
        case .wait: break
        }
    }

    /// The offsets that a client may ask about.
    struct Bounds: Sendable {
        var logStart: Int64
        var highWatermark: Int64
        var logEnd: Int64
        var isOffline: Bool
    }

    var bounds: Bounds {
        state.withLock {
            Bounds(logStart: $0.logStart, highWatermark: $0.durableEnd, logEnd: $0.logEnd, isOffline: $0.isOffline)
        }
    }

    /// Durable bytes of all segments.
    var size: Int { state.withLock { $0.segments.reduce(0) { $0 + $1.size } } }

    /// Where a leader epoch ended; the current epoch ends at the high watermark.
    func end(ofEpoch epoch: Int32) -> (epoch: Int32, offset: Int64)? {
        state.withLock { state in
            if epoch == leaderEpoch { return (leaderEpoch, state.durableEnd) }
            return state.epochs.end(of: epoch, logEnd: state.durableEnd)
        }
    }

    /// Ends service: pending appends and waiters are answered, later appends refused. For deleted topics.
    func takeOffline() {
        let (pending, waiters) = state.withLock { state -> ([Pending], [FetchWaiter]) in
            state.isOffline = true
            // What a running flush holds is answered by it.
            return (state.takePending(), state.waiters.takeAll())
        }
        for item in pending { item.completion(.refused(.unknownTopicOrPartition)) }
        for waiter in waiters { waiter.wake() }
    }
}

/// The file of one segment: concatenated batches as they are on the wire, nothing else.
final class Segment: Sendable {
    let baseOffset: Int64
    let file: any LogFile
    let directory: String

    init(baseOffset: Int64, file: any LogFile, directory: String) {
        self.baseOffset = baseOffset
        self.file = file
        self.directory = directory
    }

    /// A segment's file name without suffix: its base offset in 20 digits.
    static func name(_ baseOffset: Int64) -> String {
        let digits = String(baseOffset)
        return String(repeating: "0", count: max(0, 20 - digits.count)) + digits
    }

    /// The offset in a file name of this form, or nil.
    static func baseOffset(ofName name: String, suffix: String) -> Int64? {
        guard name.hasSuffix(suffix) else { return nil }
        let digits = name.dropLast(suffix.count)
        guard digits.count == 20, digits.utf8.allSatisfy({ $0 >= 0x30 && $0 <= 0x39 }) else { return nil }
        return Int64(digits)
    }

    var logPath: String { "\(directory)/\(Self.name(baseOffset)).log" }
    var indexPath: String { "\(directory)/\(Self.name(baseOffset)).index" }
}

/// A parked fetch, woken once by any of its partitions.
final class FetchWaiter: Sendable {
    private let isDone = Atomic(false)
    private let onWake: @Sendable () -> Void

    /// `onWake` is called at most once, on any thread.
    init(onWake: @escaping @Sendable () -> Void) { self.onWake = onWake }

    var hasEnded: Bool { isDone.load(ordering: .relaxed) }

    func wake() {
        if end() { onWake() }
    }

    /// Marks the waiter as no longer interested; true for the caller that did it.
    @discardableResult
    func end() -> Bool {
        isDone.compareExchange(expected: false, desired: true, ordering: .acquiringAndReleasing).exchanged
    }
}

/// The waiters of a partition. Ended ones are swept out when the list has doubled, so that adding stays cheap and
/// nobody has to take a waiter out of ten thousand lists.
struct WaiterList {
    private var waiters: [FetchWaiter] = []
    private var sweepAt = 16

    mutating func add(_ waiter: FetchWaiter) {
        if waiters.count >= sweepAt {
            waiters.removeAll { $0.hasEnded }
            sweepAt = max(16, waiters.count * 2)
        }
        waiters.append(waiter)
    }

    mutating func takeAll() -> [FetchWaiter] {
        let all = waiters
        waiters = []
        return all
    }
}
