import NIOCore

/// Streams over the batches of a segment file, holding at most one read buffer (or one batch, if that is larger).
struct SegmentScanner {
    /// Why a scan ended.
    enum End: Equatable {
        /// At the limit, exactly after a batch.
        case clean
        /// At bytes that are no whole, intact batch.
        case damaged(reason: String)
        /// The visitor asked to stop.
        case stopped
    }

    struct Result {
        /// Bytes of whole, intact batches from the start of the file.
        var validSize: Int
        var nextOffset: Int64
        var end: End
    }

    static let readSize = 1 << 20
    /// No stored batch is larger: a request frame never is.
    static let maxBatchSize = 256 << 20

    let file: any LogFile
    /// Bytes of the file to look at.
    let limit: Int
    let verifyChecksums: Bool

    /// Visits the batches from `position` on. The visitor gets each header, the buffer it is in and its index there
    /// (whole batch when checksums are verified, at least the header otherwise), and answers whether to go on.
    func scan(
        from start: Int,
        expecting firstOffset: Int64,
        visit: (BatchHeader, _ position: Int, _ buffer: ByteBuffer, _ index: Int) throws(StorageError) -> Bool
    ) throws(StorageError) -> Result {
        var result = Result(validSize: start, nextOffset: firstOffset, end: .clean)
        var buffer = ByteBuffer()
        var bufferStart = start
        var position = start
        while position < limit {
            if bufferStart + buffer.writerIndex - position < BatchHeader.size || position < bufferStart {
                buffer = try file.read(at: position, count: min(Self.readSize, limit - position))
                bufferStart = position
            }
            guard let header = BatchHeader(buffer, at: position - bufferStart) else {
                result.end = .damaged(reason: "no batch header")
                return result
            }
            guard header.isPlausible, header.totalSize <= limit - position, header.totalSize <= Self.maxBatchSize else {
                result.end = .damaged(reason: "a batch does not fit")
                return result
            }
            // Offsets have no gaps here. A base offset is not under the checksum, so this is what guards it.
            guard header.baseOffset == result.nextOffset || !verifyChecksums && header.baseOffset > result.nextOffset
            else {
                result.end = .damaged(reason: "an offset does not follow the one before")
                return result
            }
            if verifyChecksums {
                if position - bufferStart + header.totalSize > buffer.writerIndex {
                    let count = min(max(Self.readSize, header.totalSize), limit - position)
                    buffer = try file.read(at: position, count: count)
                    bufferStart = position
                }
                guard BatchCheck.isIntact(buffer, at: position - bufferStart, header: header) else {
                    result.end = .damaged(reason: "a checksum is wrong")
                    return result
                }
            }
            let goOn = try visit(header, position, buffer, position - bufferStart)
            position += header.totalSize
            result.validSize = position
            result.nextOffset = header.nextOffset
            if !goOn {
                result.end = .stopped
                return result
            }
        }
        return result
    }
}
