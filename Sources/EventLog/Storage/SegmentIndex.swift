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
    }

    static let interval = 4096
    static let headerSize = 56
    static let entrySize = 16
    private static let magic: UInt64 = 0x5742_4C49_4458_3031

    private(set) var entries: [Entry] = []
    private(set) var maxTimestamp = Int64.min

    /// Notes a batch that was appended at `position`.
    mutating func add(_ header: BatchHeader, baseOffset: Int64, position: Int) {
        if entries.last.map({ position - Int($0.position) >= Self.interval }) ?? true {
            entries.append(
                Entry(
                    relativeOffset: UInt32(clamping: header.baseOffset - baseOffset),
                    position: UInt32(clamping: position),
                    maxTimestampBefore: maxTimestamp
                )
            )
        }
        maxTimestamp = max(maxTimestamp, header.maxTimestamp)
    }

    /// Where to start scanning for `relativeOffset`.
    func position(of relativeOffset: Int64) -> Int {
        let after = entries.partitioningIndex { Int64($0.relativeOffset) > relativeOffset }
        return after == 0 ? 0 : Int(entries[after - 1].position)
    }

    /// Where to start scanning for the first batch with a timestamp of at least `timestamp`.
    func position(ofTime timestamp: Int64) -> Int {
        let after = entries.partitioningIndex { $0.maxTimestampBefore >= timestamp }
        return after == 0 ? 0 : Int(entries[after - 1].position)
    }

    /// The file's bytes.
    func encoded(_ summary: Summary) -> ByteBuffer {
        var body = ByteBufferAllocator().buffer(capacity: entries.count * Self.entrySize)
        for entry in entries {
            body.writeMultipleIntegers(entry.relativeOffset, entry.position, entry.maxTimestampBefore)
        }
        var file = ByteBufferAllocator().buffer(capacity: Self.headerSize + body.readableBytes)
        let (size, count) = (Int64(summary.logSize), Int64(entries.count))
        file.writeMultipleIntegers(
            Self.magic,
            summary.baseOffset,
            size,
            summary.nextOffset,
            summary.maxTimestamp,
            count
        )
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
        index.maxTimestamp = summary.maxTimestamp
        return (summary, index)
    }

    private static func readEntry(_ bytes: inout ByteBuffer) -> Entry? {
        bytes.readMultipleIntegers(as: (UInt32, UInt32, Int64).self).map {
            Entry(relativeOffset: $0, position: $1, maxTimestampBefore: $2)
        }
    }

    /// Searches an index file without loading it: the position of the last entry for which `isAfter` is false.
    static func search(_ file: any LogFile, isAfter: (Entry) -> Bool) throws(StorageError) -> Int {
        var low = 0
        var high = max(0, (try file.size() - headerSize) / entrySize)
        var position = 0
        while low < high {
            let middle = (low + high) / 2
            var bytes = try file.read(at: headerSize + middle * entrySize, count: entrySize)
            guard let entry = readEntry(&bytes) else { return 0 }
            if isAfter(entry) {
                high = middle
            } else {
                position = Int(entry.position)
                low = middle + 1
            }
        }
        return position
    }
}

extension Array {
    /// The first index whose element satisfies a predicate that, once true, stays true.
    func partitioningIndex(where predicate: (Element) -> Bool) -> Int {
        var low = 0
        var high = count
        while low < high {
            let middle = (low + high) / 2
            if predicate(self[middle]) { high = middle } else { low = middle + 1 }
        }
        return low
    }
}
