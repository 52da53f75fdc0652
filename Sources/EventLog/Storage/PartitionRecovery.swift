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
    /// Opens a partition and repairs what a crash left.
    ///
    /// Sealed segments were synchronised before the next one was begun: they are trusted if their index says the same,
    /// read otherwise, and refused when they are damaged. The last segment is read from its start unless the server
    /// stopped cleanly; it is cut at the first byte that is not part of a whole, intact batch (a zero length is reserved
    /// space). What producers' last batches were is taken from the newest snapshot and the batch headers after it.
    static func open(
        topic: String,
        index: Int32,
        directory: String,
        settings: TopicSettings,
        leaderEpoch: Int32,
        logStart: Int64,
        stoppedCleanly: Bool,
        environment: StorageEnvironment
    ) throws(StorageError) -> (PartitionLog, RecoveryReport) {
        let files = environment.files
        var report = RecoveryReport()
        try files.makeDirectory(directory)
        let names = try files.entries(of: directory)
        for name in names where name.hasSuffix(".tmp") { try files.remove("\(directory)/\(name)") }
        var bases = names.compactMap { Segment.baseOffset(ofName: $0, suffix: ".log") }.sorted()
        if bases.isEmpty {
            let base = max(0, logStart)
            _ = try files.open("\(directory)/\(Segment.name(base)).log", create: true)
            try files.synchronizeDirectory(directory)
            bases = [base]
        }
        var entries: [SegmentEntry] = []
        var activeIndex = SegmentIndex()
        for (place, base) in bases.enumerated() {
            let file = try files.open("\(directory)/\(Segment.name(base)).log", create: false)
            let segment = Segment(baseOffset: base, file: file, directory: directory)
            if place < bases.count - 1 {
                let next = bases[place + 1]
                entries.append(
                    try openSealed(segment, nextBase: next, isTrusted: stoppedCleanly, files: files, report: &report)
                )
            } else {
                let (entry, index) = try openActive(segment, isTrusted: stoppedCleanly, files: files, report: &report)
                entries.append(entry)
                activeIndex = index
            }
        }
        // Unlinking that was begun is finished; what starts where follows from the first segment that stays.
        while entries.count > 1, entries[0].nextOffset <= logStart {
            try files.remove(entries[0].segment.logPath)
            try files.remove(entries[0].segment.indexPath)
            entries.removeFirst()
        }
        let end = entries[entries.count - 1].nextOffset
        let snapshot = try rebuildMemory(
            directory: directory,
            entries: entries,
            end: end,
            now: environment.now(),
            files: files
        )
        let state = State(
            segments: entries,
            activeIndex: activeIndex,
            allocated: entries[entries.count - 1].size,
            activeSince: environment.now(),
            logStart: min(max(logStart, entries[0].segment.baseOffset), end),
            durableEnd: end,
            logEnd: end,
            producers: snapshot.producers,
            durableProducers: snapshot.producers,
            epochs: snapshot.epochs
        )
        let log = PartitionLog(
            topic: topic,
            index: index,
            directory: directory,
            settings: settings,
            leaderEpoch: leaderEpoch,
            environment: environment,
            recovered: state
        )
        return (log, report)
    }

    private static func openSealed(
        _ segment: Segment,
        nextBase: Int64,
        isTrusted: Bool,
        files: any FileLayer,
        report: inout RecoveryReport
    ) throws(StorageError) -> SegmentEntry {
        let size = try segment.file.size()
        if files.exists(segment.indexPath) {
            let file = try files.open(segment.indexPath, create: false)
            if let summary = try SegmentIndex.summary(file, checkEntries: !isTrusted),
                summary.baseOffset == segment.baseOffset, summary.logSize == size, summary.nextOffset == nextBase
            {
                return SegmentEntry(segment, summary)
            }
        }
        let (entry, index, end) = try scan(segment, limit: size, report: &report)
        guard end == .clean, entry.nextOffset == nextBase else {
            let place = "byte \(entry.size) (offset \(entry.nextOffset))"
            throw StorageError(
                .corruption,
                "recovery",
                segment.logPath,
                "a sealed segment is damaged at \(place); `event-log verify` shows more, and nothing was changed"
            )
        }
        try writeIndex(of: entry, index, files: files)
        return entry
    }

    private static func openActive(
        _ segment: Segment,
        isTrusted: Bool,
        files: any FileLayer,
        report: inout RecoveryReport
    ) throws(StorageError) -> (SegmentEntry, SegmentIndex) {
        let size = try segment.file.size()
        if isTrusted, files.exists(segment.indexPath) {
            let file = try files.open(segment.indexPath, create: false)
            if let (summary, index) = try SegmentIndex.decode(file), summary.baseOffset == segment.baseOffset,
                summary.logSize == size
            {
                return (SegmentEntry(segment, summary), index)
            }
        }
        let (entry, index, end) = try scan(segment, limit: size, report: &report)
        if entry.size < size {
            if try !isZero(segment.file, from: entry.size, to: size) {
                report.bytesCut += size - entry.size
                if case .damaged(let reason) = end { report.reason = reason }
            }
            try segment.file.truncate(to: entry.size)
            try segment.file.synchronize()
        }
        return (entry, index)
    }

    /// Reads a segment up to the first byte that is not part of a whole, intact batch.
    private static func scan(
        _ segment: Segment,
        limit: Int,
        report: inout RecoveryReport
    ) throws(StorageError) -> (SegmentEntry, SegmentIndex, SegmentScanner.End) {
        let base = segment.baseOffset
        var index = SegmentIndex()
        let scanner = SegmentScanner(file: segment.file, limit: limit, verifyChecksums: true)
        let result = try scanner.scan(from: 0, expecting: base) {
            (header, position, _, _) throws(StorageError) -> Bool in
            index.add(header, baseOffset: base, position: position)
            return true
        }
        report.bytesScanned += result.validSize
        let summary = SegmentIndex.Summary(
            baseOffset: base,
            logSize: result.validSize,
            nextOffset: result.nextOffset,
            maxTimestamp: index.maxTimestamp
        )
        return (SegmentEntry(segment, summary), index, result.end)
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
        directory: String,
        entries: [SegmentEntry],
        end: Int64,
        now: Int64,
        files: any FileLayer
    ) throws(StorageError) -> PartitionSnapshot {
        let offsets = try files.entries(of: directory).compactMap {
            Segment.baseOffset(ofName: $0, suffix: ".snapshot")
        }.sorted(by: >)
        var memory = PartitionSnapshot(offset: entries[0].segment.baseOffset)
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
        for entry in entries where entry.nextOffset > memory.offset {
            let scanner = SegmentScanner(file: entry.segment.file, limit: entry.size, verifyChecksums: false)
            _ = try scanner.scan(from: 0, expecting: entry.segment.baseOffset) {
                (header, _, _, _) throws(StorageError) -> Bool in
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
