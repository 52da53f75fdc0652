import Glibc
import NIOCore

/// What opening a partition found.
struct RecoveryReport: Sendable {
    /// Bytes that were no whole, intact batch and were cut off the end; reserved zeros do not count.
    var bytesCut = 0
    var reason = ""
    /// Bytes whose checksums were verified.
    var bytesScanned = 0
}

extension PartitionLog {
    /// Repairs what a crash left, and answers what the partition's memory begins with.
    ///
    /// Sealed segments were synchronised before the next one was begun: they are trusted if their index says the same,
    /// read otherwise, and refused when they are damaged. The last segment is read from its start unless the server
    /// stopped cleanly (`isTrusted`); it is cut at the first byte that is not part of a whole, intact batch (a zero
    /// length is reserved space). What producers' last batches were is taken from the newest snapshot and the batch
    /// headers after it.
    static func recover(
        _ directory: String,
        logStart: Int64,
        isTrusted: Bool,
        _ environment: StorageEnvironment
    ) throws(StorageError) -> (State, RecoveryReport) {
        let files = environment.files
        var report = RecoveryReport()
        try files.makeDirectory(directory)
        let names = try files.entries(of: directory)
        for name in names where name.hasSuffix(".tmp") { try files.remove("\(directory)/\(name)") }
        var bases = Segment.baseOffsets(in: names, suffix: ".log")
        if bases.isEmpty {
            bases = [max(0, logStart)]
            _ = try Segment(bases[0], in: directory, files, create: true)
            try files.synchronizeDirectory(directory)
        }
        var segments: [Segment] = []
        for (base, next) in zip(bases, bases.dropFirst()) {
            let segment = try Segment(base, in: directory, files)
            segments.append(try sealed(segment, nextBase: next, isTrusted: isTrusted, files: files, report: &report))
        }
        let last = try Segment(bases[bases.count - 1], in: directory, files)
        let (active, activeIndex) = try unsealed(last, isTrusted: isTrusted, files: files, report: &report)
        segments.append(active)
        // Unlinking that was begun is finished; what starts where follows from the first segment that stays.
        while segments.count > 1, segments[0].nextOffset <= logStart {
            try files.remove(segments[0].logPath)
            try files.remove(segments[0].indexPath)
            segments.removeFirst()
        }
        let now = environment.now()
        let snapshot = try rebuildMemory(directory, segments, end: active.nextOffset, now: now, files: files)
        let state = State(
            segments: segments,
            activeIndex: activeIndex,
            allocated: active.size,
            activeSince: now,
            logStart: min(max(logStart, segments[0].baseOffset), active.nextOffset),
            durableEnd: active.nextOffset,
            logEnd: active.nextOffset,
            producers: snapshot.producers,
            durableProducers: snapshot.producers,
            epochs: snapshot.epochs
        )
        return (state, report)
    }

    private static func sealed(
        _ segment: Segment,
        nextBase: Int64,
        isTrusted: Bool,
        files: any FileLayer,
        report: inout RecoveryReport
    ) throws(StorageError) -> Segment {
        var segment = segment
        let size = try segment.file.size()
        if let file = try files.openIfPresent(segment.indexPath),
            let summary = try SegmentIndex.summary(file, checkEntries: !isTrusted),
            summary.baseOffset == segment.baseOffset, summary.logSize == size, summary.nextOffset == nextBase
        {
            segment.summary = summary
            return segment
        }
        let (index, end) = try scan(&segment, size: size, report: &report)
        guard end == .clean, segment.nextOffset == nextBase else {
            let place = "byte \(segment.size) (offset \(segment.nextOffset))"
            let detail =
                "a sealed segment is damaged at \(place); `event-log verify` shows more, and nothing was changed"
            throw StorageError(.corruption, "recovery", segment.logPath, detail)
        }
        try writeIndex(of: segment, index, files: files)
        return segment
    }

    private static func unsealed(
        _ segment: Segment,
        isTrusted: Bool,
        files: any FileLayer,
        report: inout RecoveryReport
    ) throws(StorageError) -> (Segment, SegmentIndex) {
        var segment = segment
        let size = try segment.file.size()
        if isTrusted, let file = try files.openIfPresent(segment.indexPath),
            let (summary, index) = try SegmentIndex.decode(file), summary.baseOffset == segment.baseOffset,
            summary.logSize == size
        {
            segment.summary = summary
            return (segment, index)
        }
        let (index, end) = try scan(&segment, size: size, report: &report)
        if segment.size < size {
            if try !isZero(segment.file, from: segment.size, to: size) {
                report.bytesCut += size - segment.size
                if case .damaged(let reason) = end { report.reason = reason }
            }
            try segment.file.truncate(to: segment.size)
            try segment.file.synchronize()
        }
        return (segment, index)
    }

    /// Reads a segment up to the first byte that is not part of a whole, intact batch, and notes what is there.
    private static func scan(
        _ segment: inout Segment,
        size: Int,
        report: inout RecoveryReport
    ) throws(StorageError) -> (SegmentIndex, Segment.End) {
        var index = SegmentIndex()
        var summary = segment.summary
        let scan = try segment.scan(upTo: size, verifyChecksums: true) {
            (header, _, _, _) throws(StorageError) -> Bool in
            index.add(header, after: summary)
            summary.add(header)
            return true
        }
        segment.summary = summary
        report.bytesScanned += summary.logSize
        return (index, scan.end)
    }

    private static func isZero(_ file: any LogFile, from start: Int, to end: Int) throws(StorageError) -> Bool {
        var position = start
        while position < end {
            let chunk = try file.read(at: position, count: min(1 << 20, end - position))
            if chunk.readableBytes == 0 { return true }
            if !chunk.isZero { return false }
            position += chunk.readableBytes
        }
        return true
    }

    /// Producers and epochs at `end`: the newest usable snapshot, then the headers after it.
    private static func rebuildMemory(
        _ directory: String,
        _ segments: [Segment],
        end: Int64,
        now: Int64,
        files: any FileLayer
    ) throws(StorageError) -> PartitionSnapshot {
        let offsets = Segment.baseOffsets(in: try files.entries(of: directory), suffix: ".snapshot").reversed()
        var memory = PartitionSnapshot(offset: segments[0].baseOffset)
        for offset in offsets {
            let path = "\(directory)/\(Segment.name(offset)).snapshot"
            guard offset <= end else {
                try files.remove(path)
                continue
            }
            if let bytes = try files.contents(path), let found = PartitionSnapshot.decode(bytes),
                found.offset == offset
            {
                memory = found
                break
            }
        }
        for segment in segments where segment.nextOffset > memory.offset {
            _ = try segment.scan { (header, _, _, _) throws(StorageError) -> Bool in
                guard header.baseOffset >= memory.offset else { return true }
                memory.producers.note(header, baseOffset: header.baseOffset, now: now)
                memory.epochs.note(epoch: header.leaderEpoch, offset: header.baseOffset)
                return true
            }
        }
        memory.offset = end
        return memory
    }
}

extension ByteBuffer {
    /// Whether every readable byte is zero.
    var isZero: Bool {
        withUnsafeReadableBytes { bytes in
            guard let start = bytes.baseAddress, bytes.count > 0 else { return true }
            // All bytes equal their neighbour, and the first is zero.
            return bytes[0] == 0 && memcmp(start, start + 1, bytes.count - 1) == 0
        }
    }
}
