import NIOCore
import Synchronization
import Telemetry

/// Removing records from the log's start. Only the administration thread comes here.
extension PartitionLog {
    /// The log start that retention asks for now, or nil. Sealed segments only; an expired active segment is rolled
    /// first and goes the next time.
    func retentionStart() -> Int64? {
        let now = environment.now()
        let ageLimit = settings.retentionMs
        let sizeLimit = settings.retentionBytes
        guard ageLimit >= 0 || sizeLimit >= 0 else { return nil }
        let (target, expireActive) = state.withLock { state -> (Int64?, Bool) in
            var total = state.segments.reduce(Int64(0)) { $0 + Int64($1.size) }
            var target: Int64?
            for entry in state.segments.dropLast() {
                // A clock that ran ahead must not make records immortal.
                let time = min(entry.summary.maxTimestamp, now + 24 * 3600 * 1000)
                let isOld = ageLimit >= 0 && time >= 0 && now - time > ageLimit
                let isTooMuch = sizeLimit >= 0 && total - Int64(entry.size) >= sizeLimit
                guard isOld || isTooMuch else { break }
                total -= Int64(entry.size)
                target = entry.nextOffset
            }
            let (size, time) = (state.active.size, state.active.summary.maxTimestamp)
            return (target, ageLimit >= 0 && size > 0 && time >= 0 && now - time > ageLimit)
        }
        if expireActive { requestRoll() }
        return target
    }

    /// Moves the log's start up, never down and never above the high watermark. The caller has made the new start
    /// durable in the metadata log before.
    func trim(to offset: Int64) throws(StorageError) {
        let removed = state.withLock { state -> [Segment] in
            state.logStart = max(state.logStart, min(offset, state.durableEnd))
            var removed: [Segment] = []
            while state.segments.count > 1, state.segments[0].nextOffset <= state.logStart {
                removed.append(state.segments.removeFirst())
            }
            return removed
        }
        guard !removed.isEmpty else { return }
        for segment in removed {
            try environment.files.remove(segment.logPath)
            try environment.files.remove(segment.indexPath)
        }
        try environment.files.synchronizeDirectory(directory)
        environment.metrics.segmentsRemoved.increment(by: removed.count)
    }
}
