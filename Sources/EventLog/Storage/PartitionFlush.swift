import Dispatch
import Failpoints
import Logging
import NIOCore
import NIOPosix
import Synchronization
import Telemetry

/// The flush job: at most one per partition at a time, on a flush thread.
extension PartitionLog {
    /// What one flush writes.
    private struct Round {
        var items: [Pending]
        var bytes: Int
        var active: Segment
        var allocated: Int
        var mustRoll: Bool
    }

    func scheduleFlush() {
        environment.flushers.submit { [self] state in
            if case .active = state { flush() } else { failPending() }
        }
    }

    private func flush() {
        guard let round = takeRound() else { return }
        do {
            var active = round.active
            var allocated = round.allocated
            if round.mustRoll {
                active = try roll()
                allocated = 0
            }
            if round.bytes > 0 {
                try write(round, to: active, allocated: &allocated)
            }
            finish(round, allocated: allocated)
        } catch {
            fail(round, error)
        }
    }

    private func takeRound() -> Round? {
        let now = environment.now()
        return state.withLock { state -> Round? in
            guard !state.isOffline, !state.pending.isEmpty || state.rollRequested else {
                state.job.finish()
                return nil
            }
            let active = state.active
            // As much as one write and the segment take, but at least one batch.
            var bytes = 0
            var count = 0
            let firstSize = state.pending.first { $0.size > 0 }?.size ?? 0
            let isAged = active.size > 0 && now - state.activeSince >= settings.segmentMs
            let isFull = active.size > 0 && active.size + firstSize > settings.segmentBytes
            let isFar = state.logEnd - active.baseOffset > Int64(Int32.max)
            let mustRoll = active.size > 0 && (isAged && firstSize > 0 || isFull || isFar || state.rollRequested)
            state.rollRequested = false
            let room = mustRoll ? settings.segmentBytes : settings.segmentBytes - active.size
            for item in state.pending {
                if bytes > 0, bytes + item.size > min(room, Self.maxFlushBytes) { break }
                bytes += item.size
                count += 1
            }
            let items = Array(state.pending.prefix(count))
            state.pending.removeFirst(count)
            return Round(items: items, bytes: bytes, active: active, allocated: state.allocated, mustRoll: mustRoll)
        }
    }

    /// Reserves space, writes everything in one gathering write, synchronises.
    private func write(_ round: Round, to active: Segment, allocated: inout Int) throws(StorageError) {
        let needed = active.size + round.bytes
        if needed > allocated {
            // Space grows with the segment, so that an idle partition costs a megabyte and a busy one few calls.
            let step = min(max(active.size, 1 << 20), 32 << 20)
            let target = max(needed, min(active.size + step, settings.segmentBytes))
            do {
                try active.file.allocate(to: target)
                allocated = target
            } catch {
                guard error.kind == .outOfSpace, target > needed else { throw error }
                try active.file.allocate(to: needed)
                allocated = needed
            }
        }
        let start = ContinuousClock.now
        Failpoints.reach("log.before-write")
        try active.file.write(round.items.flatMap(\.parts), at: active.size)
        Failpoints.reach("log.before-sync")
        try active.file.synchronize()
        Failpoints.reach("log.before-ack")
        environment.metrics.syncDuration.observe(ContinuousClock.now - start)
        environment.metrics.syncedBytes.increment(by: round.bytes)
    }

    /// Publishes a durable round: watermark first, then answers, then waiters.
    private func finish(_ round: Round, allocated: Int) {
        let now = environment.now()
        let waiters = state.withLock { state -> [FetchWaiter] in
            state.allocated = allocated
            if round.bytes > 0 {
                var active = state.active
                if active.size == 0 { state.activeSince = now }
                for item in round.items {
                    guard let header = item.header else { continue }
                    state.activeIndex.add(header, after: active.summary)
                    active.summary.add(header)
                    state.durableProducers.note(header, baseOffset: item.baseOffset, now: now)
                    state.epochs.note(epoch: header.leaderEpoch, offset: header.baseOffset)
                }
                state.active = active
                state.durableEnd = active.nextOffset
                state.pendingBytes -= round.bytes
            }
            return round.bytes > 0 ? state.waiters.takeAll() : []
        }
        environment.metrics.batches.increment(by: round.items.count)
        for item in round.items {
            item.completion(.appended(baseOffset: item.baseOffset, appendTime: item.appendTime))
        }
        for waiter in waiters { waiter.wake() }
        // The next round (or the end of the job) goes behind other partitions' jobs.
        scheduleFlush()
    }

    /// A failed round: what was given out since the last durable batch is taken back. A failed synchronisation (or a
    /// file that cannot be cut back) ends the partition and the server; a full disk only refuses the appends.
    private func fail(_ round: Round, _ error: StorageError) {
        environment.metrics.appendFailures.increment(by: 1)
        environment.logger.error(
            "An append failed",
            metadata: ["partition": "\(topic)-\(index)", "error": "\(error)"]
        )
        var isFinal = error.kind == .synchronization
        if !isFinal {
            let active = state.withLock { $0.active }
            do { try active.file.truncate(to: active.size) } catch { isFinal = true }
        }
        let (pending, waiters) = state.withLock { state -> ([Pending], [FetchWaiter]) in
            let pending = round.items + state.takePending()
            state.logEnd = state.durableEnd
            state.producers = state.durableProducers
            state.allocated = state.active.size
            if isFinal { state.isOffline = true }
            return (pending, isFinal ? state.waiters.takeAll() : [])
        }
        for item in pending {
            item.completion(item.header?.hasProducer ?? true ? .lost : .refused(.storageError))
        }
        for waiter in waiters { waiter.wake() }
        if isFinal { environment.onFatal(error) }
        scheduleFlush()
    }

    private func failPending() {
        let pending = state.withLock { state in
            state.job.finish()
            return state.takePending()
        }
        for item in pending { item.completion(.lost) }
    }

    /// Seals the active segment (all of it is durable) and begins the next.
    private func roll() throws(StorageError) -> Segment {
        let segment = try Segment(try seal().nextOffset, in: directory, environment.files, create: true)
        try segment.file.truncate(to: 0)
        try environment.files.synchronizeDirectory(directory)
        let now = environment.now()
        state.withLock { state in
            state.segments.append(segment)
            state.activeIndex = SegmentIndex()
            state.allocated = 0
            state.activeSince = now
            state.durableProducers.forgetIdle(now: now)
        }
        return segment
    }

    /// Cuts the active segment to its length and writes its index and a snapshot.
    private func seal() throws(StorageError) -> Segment {
        let (active, index, snapshot) = state.withLock { state in
            (
                state.active, state.activeIndex,
                PartitionSnapshot(offset: state.durableEnd, producers: state.durableProducers, epochs: state.epochs)
            )
        }
        try active.file.truncate(to: active.size)
        try active.file.synchronize()
        try Self.writeIndex(of: active, index, files: environment.files)
        try writeSnapshot(snapshot)
        return active
    }

    static func writeIndex(of segment: Segment, _ index: SegmentIndex, files: any FileLayer) throws(StorageError) {
        let file = try files.open(segment.indexPath, create: true)
        try file.truncate(to: 0)
        try file.write([index.encoded(segment.summary)], at: 0)
    }

    /// Writes a snapshot and removes all but the one before it.
    func writeSnapshot(_ snapshot: PartitionSnapshot) throws(StorageError) {
        let files = environment.files
        try files.replace("\(Segment.name(snapshot.offset)).snapshot", in: directory, with: snapshot.encoded())
        let offsets = Segment.baseOffsets(in: try files.entries(of: directory), suffix: ".snapshot")
        for old in offsets.dropLast(2) { try files.remove("\(directory)/\(Segment.name(old)).snapshot") }
    }

    /// Asks for a new segment as soon as possible (retention of an expired active segment).
    func requestRoll() {
        let mustSchedule = state.withLock { state in
            state.rollRequested = true
            return state.job.begin()
        }
        if mustSchedule { scheduleFlush() }
    }

    /// Returns when everything pending is durable or failed. Appends must have stopped before. Blocks.
    func waitUntilIdle() { state.withLock { $0.job.end }.wait() }

    /// Seals the active segment, so that the next start reads nothing. Only when idle.
    func closeCleanly() throws(StorageError) {
        if bounds.isOffline { throw StorageError(.synchronization, "close", directory, "the partition is offline") }
        _ = try seal()
    }
}
