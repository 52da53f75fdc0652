import NIOCore

/// One segment of a partition's log: a file of concatenated batches as they are on the wire, nothing else. Copies share
/// the file.
struct Segment: Sendable {
    let directory: String
    let file: any LogFile
    /// What of it is durable; that of the active segment changes with every flush.
    var summary: SegmentIndex.Summary

    /// Opens the file; nothing is known of its content yet.
    init(
        _ baseOffset: Int64,
        in directory: String,
        _ files: any FileLayer,
        create: Bool = false
    ) throws(StorageError) {
        self.directory = directory
        file = try files.open("\(directory)/\(Self.name(baseOffset)).log", create: create)
        summary = .init(baseOffset: baseOffset, logSize: 0, nextOffset: baseOffset, maxTimestamp: .min)
    }

    var baseOffset: Int64 { summary.baseOffset }
    /// Durable bytes.
    var size: Int { summary.logSize }
    var nextOffset: Int64 { summary.nextOffset }
    var logPath: String { "\(directory)/\(Self.name(baseOffset)).log" }
    var indexPath: String { "\(directory)/\(Self.name(baseOffset)).index" }

    /// A segment's file name without suffix: its base offset in 20 digits.
    static func name(_ baseOffset: Int64) -> String { String(baseOffset, radix: 10, digits: 20) }

    /// The offsets in those file names that have this form, in order.
    static func baseOffsets(in names: [String], suffix: String) -> [Int64] {
        names.compactMap { name in
            guard name.hasSuffix(suffix) else { return nil }
            let digits = name.dropLast(suffix.count)
            guard digits.count == 20, digits.utf8.allSatisfy({ $0 >= 0x30 && $0 <= 0x39 }) else { return nil }
            return Int64(digits)
        }.sorted()
    }
}

/// Streaming over the batches, holding at most one read buffer (or one batch, if that is larger).
extension Segment {
    /// Why a scan ended.
    enum End: Equatable {
        /// At the limit, exactly after a batch.
        case clean
        /// At bytes that are no whole, intact batch.
        case damaged(reason: String)
        /// The visitor asked to stop.
        case stopped
    }

    struct Scan {
        /// Bytes of whole, intact batches from the start of the file.
        var validSize: Int
        var nextOffset: Int64
        var end = End.clean

        fileprivate func ended(_ end: End) -> Scan { Scan(validSize: validSize, nextOffset: nextOffset, end: end) }
    }

    private static let readSize = 1 << 20
    /// No stored batch is larger: a request frame never is.
    private static let maxBatchSize = 256 << 20

    /// Visits the batches from byte `start` on, up to `limit` (the durable size, if not given). The visitor gets each
    /// header, the buffer it is in and its index there (whole batch when checksums are verified, at least the header
    /// otherwise), and answers whether to go on.
    func scan(
        from start: Int = 0,
        upTo limit: Int? = nil,
        verifyChecksums: Bool = false,
        visit: (BatchHeader, _ position: Int, _ buffer: ByteBuffer, _ index: Int) throws(StorageError) -> Bool
    ) throws(StorageError) -> Scan {
        let limit = limit ?? size
        var scan = Scan(validSize: start, nextOffset: baseOffset)
        var buffer = ByteBuffer()
        var bufferStart = start
        var position = start
        func load(_ count: Int) throws(StorageError) {
            guard bufferStart + buffer.writerIndex - position < count else { return }
            buffer = try file.read(at: position, count: min(max(Self.readSize, count), limit - position))
            bufferStart = position
        }
        while position < limit {
            try load(BatchHeader.size)
            guard let header = BatchHeader(buffer, at: position - bufferStart) else {
                return scan.ended(.damaged(reason: "no batch header"))
            }
            guard header.isPlausible, header.totalSize <= limit - position, header.totalSize <= Self.maxBatchSize else {
                return scan.ended(.damaged(reason: "a batch does not fit"))
            }
            // Offsets have no gaps here. A base offset is not under the checksum, so this is what guards it.
            guard header.baseOffset == scan.nextOffset || !verifyChecksums && header.baseOffset > scan.nextOffset
            else { return scan.ended(.damaged(reason: "an offset does not follow the one before")) }
            if verifyChecksums {
                try load(header.totalSize)
                guard BatchCheck.isIntact(buffer, at: position - bufferStart, header: header) else {
                    return scan.ended(.damaged(reason: "a checksum is wrong"))
                }
            }
            let goOn = try visit(header, position, buffer, position - bufferStart)
            position += header.totalSize
            scan.validSize = position
            scan.nextOffset = header.nextOffset
            if !goOn { return scan.ended(.stopped) }
        }
        return scan
    }
}

extension String {
    /// A number with leading zeros.
    init(_ number: some BinaryInteger, radix: Int, digits count: Int) {
        let digits = String(number, radix: radix)
        self = String(repeating: "0", count: Swift.max(0, count - digits.count)) + digits
    }
}
