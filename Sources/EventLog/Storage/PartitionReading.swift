import NIOCore
import Synchronization

/// Reading batches and looking up offsets. Plans are made under the lock; files are read on a reader thread.
extension PartitionLog {
    /// Where a read begins.
    struct ReadPlan: Sendable {
        let segment: Segment
        /// Nil when the position has to be searched in the index file of a sealed segment.
        let position: Int?
        let offset: Int64
        /// About how many durable bytes follow in the whole log.
        let available: Int
    }

    enum FetchState: Sendable {
        case outOfRange
        case offline
        /// At the high watermark: nothing to read yet.
        case atEnd
        case ready(ReadPlan)
    }

    /// What a fetch at `offset` finds, with the offsets that its answer carries. At the end of the log `waiter` is noted
    /// in the same step, so that no append can slip in between.
    func fetchState(at offset: Int64, waiter: FetchWaiter?) -> (FetchState, Bounds) {
        state.withLock { state in
            let bounds = state.bounds
            if state.isOffline { return (.offline, bounds) }
            if offset < state.logStart || offset > state.logEnd { return (.outOfRange, bounds) }
            if offset >= state.durableEnd {
                if let waiter { state.waiters.add(waiter) }
                return (.atEnd, bounds)
            }
            let place = max(0, state.segments.partitioningIndex { $0.baseOffset > offset } - 1)
            let segment = state.segments[place]
            let isActive = place == state.segments.count - 1
            let relative = offset - segment.baseOffset
            let position = isActive ? state.activeIndex.position { Int64($0.relativeOffset) > relative } : nil
            let available = segment.size - (position ?? 0) + (isActive ? 0 : state.active.size)
            let plan = ReadPlan(segment: segment, position: position, offset: offset, available: available)
            return (.ready(plan), bounds)
        }
    }

    /// Reads whole batches from the one that holds the plan's offset on, up to `maxBytes`; at least one when
    /// `atLeastOne`. Blocks; for reader threads.
    func read(_ plan: ReadPlan, maxBytes: Int, atLeastOne: Bool) throws(StorageError) -> ByteBuffer {
        let relative = plan.offset - plan.segment.baseOffset
        var position: Int
        if let known = plan.position {
            position = known
        } else {
            position = try self.position(in: plan.segment) { Int64($0.relativeOffset) > relative }
        }
        // Index entries lie up to 4096 bytes and one batch before the offset.
        let count = max(maxBytes, 0) + 2 * SegmentIndex.interval
        var buffer = ByteBuffer()
        while true {
            if buffer.readableBytes < BatchHeader.size {
                buffer = try plan.segment.file.read(at: position, count: min(count, plan.segment.size - position))
            }
            guard let header = BatchHeader(buffer, at: buffer.readerIndex), header.isPlausible else {
                throw StorageError(.corruption, "read", plan.segment.logPath, "no batch at byte \(position)")
            }
            if header.nextOffset > plan.offset { break }
            // A batch before the wanted one.
            position += header.totalSize
            guard position < plan.segment.size else { return ByteBuffer() }
            buffer.moveReaderIndex(forwardBy: min(header.totalSize, buffer.readableBytes))
        }
        return try cut(&buffer, position: position, plan: plan, maxBytes: maxBytes, atLeastOne: atLeastOne)
    }

    /// Cuts `buffer`, which starts at a wanted batch, after the last whole batch within `maxBytes`.
    private func cut(
        _ buffer: inout ByteBuffer,
        position: Int,
        plan: ReadPlan,
        maxBytes: Int,
        atLeastOne: Bool
    ) throws(StorageError) -> ByteBuffer {
        var size = 0
        while let header = BatchHeader(buffer, at: buffer.readerIndex + size), header.isPlausible,
            size + header.totalSize <= min(maxBytes, buffer.readableBytes)
        {
            size += header.totalSize
        }
        if size == 0, let first = BatchHeader(buffer, at: buffer.readerIndex) {
            // The first batch is larger than asked for (KIP-74: a consumer must get past it), or was not read whole.
            guard atLeastOne || first.totalSize <= maxBytes else { return ByteBuffer() }
            guard first.totalSize <= plan.segment.size - position else { return ByteBuffer() }
            if first.totalSize > buffer.readableBytes {
                return try plan.segment.file.read(at: position, count: first.totalSize)
            }
            size = first.totalSize
        }
        return buffer.readSlice(length: size) ?? ByteBuffer()
    }

    /// Where to begin to scan a sealed segment: by its index file, or at its start.
    private func position(in segment: Segment, isAfter: (SegmentIndex.Entry) -> Bool) throws(StorageError) -> Int {
        guard let file = try environment.files.openIfPresent(segment.indexPath) else { return 0 }
        let position = try SegmentIndex.position(file, isAfter: isAfter)
        return position < segment.size ? position : 0
    }

    /// The first record with a timestamp of at least `timestamp`, or nil. Blocks; for reader threads.
    func lookUp(timestamp: Int64) throws(StorageError) -> RecordWalk.Record? {
        let (segments, activeIndex, logStart) = state.withLock { ($0.segments, $0.activeIndex, $0.logStart) }
        func isAfter(_ entry: SegmentIndex.Entry) -> Bool { entry.maxTimestampBefore >= timestamp }
        for (place, segment) in segments.enumerated()
        where segment.size > 0 && segment.summary.maxTimestamp >= timestamp && segment.nextOffset > logStart {
            let isActive = place == segments.count - 1
            let start = try isActive ? activeIndex.position(isAfter: isAfter) : position(in: segment, isAfter: isAfter)
            let found = try firstRecord(in: segment, from: start) { record in
                record.timestamp >= timestamp && record.offset >= logStart
            } batchMayMatch: { header in
                header.maxTimestamp >= timestamp && header.nextOffset > logStart
            }
            if let found { return found }
        }
        return nil
    }

    /// The first record that has the log's greatest timestamp, or nil in an empty log. Blocks; for reader threads.
    func lookUpMaxTimestamp() throws(StorageError) -> RecordWalk.Record? {
        let (segments, logStart) = state.withLock { ($0.segments, $0.logStart) }
        let candidates = segments.filter { $0.size > 0 && $0.nextOffset > logStart }
        guard let greatest = candidates.map(\.summary.maxTimestamp).max(),
            let segment = candidates.first(where: { $0.summary.maxTimestamp == greatest })
        else { return nil }
        return try firstRecord(in: segment, from: 0) {
            $0.timestamp == greatest && $0.offset >= logStart
        } batchMayMatch: {
            $0.maxTimestamp == greatest
        }
    }

    private func firstRecord(
        in segment: Segment,
        from start: Int,
        matching isMatch: (RecordWalk.Record) -> Bool,
        batchMayMatch: (BatchHeader) -> Bool
    ) throws(StorageError) -> RecordWalk.Record? {
        var found: RecordWalk.Record?
        _ = try segment.scan(from: start) { (header, position, _, _) throws(StorageError) -> Bool in
            guard batchMayMatch(header) else { return true }
            let batch = try segment.file.read(at: position, count: header.totalSize)
            guard let records = Decompression.records(of: batch, header: header) else {
                // Records that cannot be unfolded: the batch's first one stands for the one that was asked for.
                found = RecordWalk.Record(offset: header.baseOffset, timestamp: header.maxTimestamp)
                return false
            }
            var walk = RecordWalk(records: records, header: header)
            while let record = walk.next() {
                if isMatch(record) {
                    found = record
                    return false
                }
            }
            return true
        }
        return found
    }
}
