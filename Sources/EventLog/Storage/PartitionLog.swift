import Logging
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
        case lost
    }

    struct Pending {
        /// The batch's header and parts; none for a repetition of one that is on disk or on its way there.
        var header: BatchHeader?
        var parts: [ByteBuffer] = []
        var baseOffset: Int64 = -1
        let appendTime: Int64
        let completion: @Sendable (Outcome) -> Void

        var size: Int { header?.totalSize ?? 0 }
    }

    struct State {
        /// Oldest first, never empty; the last is the active one.
        var segments: [Segment]
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
        var job = FlushJob()
        var rollRequested = false
        /// With and without the batches that are not durable yet.
        var producers: ProducerTable
        var durableProducers: ProducerTable
        var epochs: EpochHistory
        var waiters = WaiterList()
        /// Set for good when synchronising failed or the topic was deleted.
        var isOffline = false

        /// The offsets that a client may ask about.
        var bounds: Bounds {
            Bounds(logStart: logStart, highWatermark: durableEnd, logEnd: logEnd, isOffline: isOffline)
        }

        /// The segment that is written to.
        var active: Segment {
            get { segments[segments.count - 1] }
            set { segments[segments.count - 1] = newValue }
        }

        mutating func takePending() -> [Pending] {
            defer { (pending, pendingBytes) = ([], 0) }
            return pending
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
    /// What opening found.
    let recovery: RecoveryReport
    let state: Mutex<State>

    /// Opens a partition and repairs what a crash left; see ``recover(_:logStart:isTrusted:_:)``. Blocks.
    init(
        topic: String,
        index: Int32,
        directory: String,
        settings: TopicSettings,
        leaderEpoch: Int32,
        logStart: Int64,
        isTrusted: Bool,
        environment: StorageEnvironment
    ) throws(StorageError) {
        self.topic = topic
        self.index = index
        self.directory = directory
        self.settings = settings
        self.leaderEpoch = leaderEpoch
        self.environment = environment
        let (recovered, report) = try Self.recover(directory, logStart: logStart, isTrusted: isTrusted, environment)
        recovery = report
        state = Mutex(recovered)
        guard report.bytesCut > 0 else { return }
        environment.logger.warning(
            "Cut an unfinished write off a partition",
            metadata: [
                "partition": "\(topic)-\(index)", "bytes": "\(report.bytesCut)", "reason": "\(report.reason)",
                "end": "\(recovered.logEnd)",
            ]
        )
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
        var item = Pending(appendTime: appendTime, completion: completion)
        let (refusal, mustSchedule) = state.withLock { state -> (Outcome?, Bool) in
            if state.isOffline { return (.refused(.storageError), false) }
            if state.pendingBytes > Self.maxPendingBytes {
                // A refused batch would leave a gap for the producer's next one.
                return (header.hasProducer ? .lost : .refused(.storageError), false)
            }
            switch state.producers.check(header) {
            case .refuse(let code): return (.refused(code), false)
            case .duplicate(let baseOffset):
                environment.metrics.duplicateBatches.increment(by: 1)
                item.baseOffset = baseOffset
            case .append:
                item.baseOffset = state.logEnd
                header.baseOffset = state.logEnd
                header.leaderEpoch = leaderEpoch
                item.header = header
                item.parts = BatchCheck.stamped(records, baseOffset: state.logEnd, leaderEpoch: leaderEpoch)
                state.logEnd = header.nextOffset
                state.producers.note(header, baseOffset: item.baseOffset, now: now)
                state.pendingBytes += header.totalSize
            }
            state.pending.append(item)
            return (nil, state.job.begin())
        }
        if let refusal { return completion(refusal) }
        if mustSchedule { scheduleFlush() }
    }

    struct Bounds: Sendable {
        var logStart: Int64
        var highWatermark: Int64
        var logEnd: Int64
        var isOffline: Bool
    }

    var bounds: Bounds { state.withLock { $0.bounds } }

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
