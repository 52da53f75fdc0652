import NIOCore

/// A sparse index of one segment: one entry about every 4096 bytes of log.
///
/// It serves lookups by offset and by time. It is a cache: never synchronised, and built again from the log when it is
/// missing or does not fit. On disk: a header of 56 bytes with two checksums, then 16 bytes per entry.
struct SegmentIndex: Sendable {
    struct Entry: Equatable, Sendable {
        /// Offset of the batch at `position`, from the segment's base.
        var relativeOffset: UInt32
        var position: UInt32
        /// The greatest timestamp in the segment before `position`; `Int64.min` at its start.
        var maxTimestampBefore: Int64
    }

    /// What is known of a segment without reading it.
    struct Summary: Equatable, Sendable {
        var baseOffset: Int64
        var logSize: Int
        var nextOffset: Int64
        var maxTimestamp: Int64

        /// Counts in a batch that was appended.
        mutating func add(_ header: BatchHeader) {
            logSize += header.totalSize
            nextOffset = header.nextOffset
            maxTimestamp = max(maxTimestamp, header.maxTimestamp)
        }
    }

    static let interval = 4096
    static let headerSize = 56
    static let entrySize = 16
    private static let magic: UInt64 = 0x5742_4C49_4458_3031

    private(set) var entries: [Entry] = []

    /// Notes a batch that follows what `summary` tells of.
    mutating func add(_ header: BatchHeader, after summary: Summary) {
        if let last = entries.last, summary.logSize - Int(last.position) < Self.interval { return }
        entries.append(
            Entry(
                relativeOffset: UInt32(clamping: header.baseOffset - summary.baseOffset),
                position: UInt32(clamping: summary.logSize),
                maxTimestampBefore: summary.maxTimestamp
            )
        )
    }

    /// Where to start scanning: the position of the last entry for which `isAfter` is false.
    func position(isAfter: (Entry) -> Bool) -> Int {
        let after = entries.partitioningIndex(where: isAfter)
        return after == 0 ? 0 : Int(entries[after - 1].position)
    }

    /// The file's bytes.
    func encoded(_ summary: Summary) -> ByteBuffer {
        var body = ByteBufferAllocator().buffer(capacity: entries.count * Self.entrySize)
        for entry in entries {
            body.writeMultipleIntegers(entry.relativeOffset, entry.position, entry.maxTimestampBefore)
        }
        var file = ByteBufferAllocator().buffer(capacity: Self.headerSize + body.readableBytes)
        file.writeMultipleIntegers(Self.magic, summary.baseOffset, Int64(summary.logSize), summary.nextOffset)
        file.writeMultipleIntegers(summary.maxTimestamp, Int64(entries.count))
        file.writeInteger(Checksum.crc32c(body, from: 0, count: body.readableBytes))
        file.writeInteger(Checksum.crc32c(file, from: 0, count: 52))
        file.writeBuffer(&body)
        return file
    }

    /// Reads an index file's header; with `checkEntries` also the checksum of what follows.
    static func summary(_ file: any LogFile, checkEntries: Bool) throws(StorageError) -> Summary? {
        typealias Fields = (UInt64, Int64, Int64, Int64, Int64, Int64, UInt32, UInt32)
        let header = try file.read(at: 0, count: headerSize)
        var reader = header
        guard let (found, base, size, next, time, count, bodyCRC, crc) = reader.readMultipleIntegers(as: Fields.self),
            found == magic, crc == Checksum.crc32c(header, from: 0, count: 52), count >= 0, count <= 1 << 28, size >= 0,
            try file.size() == headerSize + Int(count) * entrySize
        else { return nil }
        if checkEntries {
            let body = try file.read(at: headerSize, count: Int(count) * entrySize)
            guard body.readableBytes == Int(count) * entrySize,
                Checksum.crc32c(body, from: 0, count: body.readableBytes) == bodyCRC
            else { return nil }
        }
        return Summary(baseOffset: base, logSize: Int(size), nextOffset: next, maxTimestamp: time)
    }

    /// Reads a whole index file, or nil when it cannot be trusted.
    static func decode(_ file: any LogFile) throws(StorageError) -> (Summary, SegmentIndex)? {
        guard let summary = try summary(file, checkEntries: true) else { return nil }
        var body = try file.read(at: headerSize, count: try file.size() - headerSize)
        var index = SegmentIndex()
        while let entry = readEntry(&body) { index.entries.append(entry) }
        return (summary, index)
    }

    private static func readEntry(_ bytes: inout ByteBuffer) -> Entry? {
        bytes.readMultipleIntegers(as: (UInt32, UInt32, Int64).self).map {
            Entry(relativeOffset: $0, position: $1, maxTimestampBefore: $2)
        }
    }

    /// The same of an index file, without loading it.
    static func position(_ file: any LogFile, isAfter: (Entry) -> Bool) throws(StorageError) -> Int {
        let count = max(0, (try file.size() - headerSize) / entrySize)
        var position = 0
        _ = try (0..<count).partitioningIndex { (place) throws(StorageError) in
            var bytes = try file.read(at: headerSize + place * entrySize, count: entrySize)
            guard let entry = readEntry(&bytes), !isAfter(entry) else { return true }
            position = Int(entry.position)
            return false
        }
        return position
    }
}

extension Range<Int> {
    /// The first number that satisfies a predicate that, once true, stays true; the upper bound when none does.
    func partitioningIndex<Failure>(where predicate: (Int) throws(Failure) -> Bool) throws(Failure) -> Int {
        var (low, high) = (lowerBound, upperBound)
        while low < high {
            let middle = (low + high) / 2
            if try predicate(middle) { high = middle } else { low = middle + 1 }
        }
        return low
    }
}

extension Array {
    /// The first index whose element satisfies a predicate that, once true, stays true.
    func partitioningIndex(where predicate: (Element) -> Bool) -> Int {
        indices.partitioningIndex { predicate(self[$0]) }
    }
}
