import NIOCore

/// Looks into a data directory without changing it and without its lock: beside a running server the last bytes of a
/// partition may be in the middle of being written.
public struct EventLogInspector: Sendable {
    /// A topic as `meta.log` has it.
    public struct TopicInfo: Codable, Sendable {
        /// The topic's name.
        public var name: String
        /// The 16 bytes that name it for its whole life, in hexadecimal.
        public var id: String
        /// The number of its partitions.
        public var partitions: Int
        /// Settings of its own.
        public var settings: [String: String]
    }

    /// What verifying one partition found.
    public struct PartitionReport: Codable, Sendable {
        /// The topic's name.
        public var topic: String
        /// The partition's number.
        public var partition: Int
        /// Segment files.
        public var segments = 0
        /// Whole, intact batches.
        public var batches = 0
        /// Records in them, by their headers.
        public var records = 0
        /// Bytes in them.
        public var bytes = 0
        /// The first offset on disk.
        public var firstOffset: Int64 = 0
        /// The offset after the last.
        public var endOffset: Int64 = 0
        /// Bytes at the end of the last segment that are neither a batch nor reserved zeros: an unfinished write.
        public var unfinishedBytes = 0
        /// Damage: a sentence per place. An unfinished write is none.
        public var problems: [String] = []
    }

    /// One batch, as ``batches(topic:partition:from:limit:)`` lists it.
    public struct BatchInfo: Codable, Sendable {
        /// Offset of its first record.
        public var baseOffset: Int64
        /// Offset of its last record.
        public var lastOffset: Int64
        /// Bytes.
        public var size: Int
        /// Where it is in its segment file.
        public var position: Int
        /// The segment file's base offset.
        public var segment: Int64
        /// 0 none, 1 gzip, 2 snappy, 3 lz4, 4 zstd.
        public var codec: Int
        /// Producer id, or −1.
        public var producerId: Int64
        /// Producer epoch, or −1.
        public var producerEpoch: Int
        /// Sequence of the first record, or −1.
        public var baseSequence: Int
        /// The leader epoch that wrote it.
        public var leaderEpoch: Int
        /// The greatest timestamp, milliseconds since 1970.
        public var maxTimestamp: Int64
        /// Whether its checksum is right.
        public var isIntact: Bool
    }

    private let directory: String
    private let files = PosixFileLayer()
    private let meta: MetaState

    /// Reads the directory's `meta.log`.
    ///
    /// - Throws: ``EventLogError`` when there is none.
    public init(dataDirectory: String) throws {
        directory = dataDirectory
        let path = "\(dataDirectory)/meta.log"
        guard files.exists(path) else { throw EventLogError("There is no event log in \(dataDirectory).") }
        do {
            let file = try files.open(path, create: false)
            var state = MetaState()
            _ = try FramedLog.replay(file, size: try file.size()) { payload in
                if let record = MetaRecord.decode(payload) { state.apply(record) }
            }
            meta = state
        } catch {
            throw EventLogError(error)
        }
    }

    /// All topics by name.
    public var topics: [TopicInfo] {
        meta.topics.values.sorted { $0.name < $1.name }.map { topic in
            TopicInfo(
                name: topic.name,
                id: String(topic.id.high, radix: 16, digits: 16) + String(topic.id.low, radix: 16, digits: 16),
                partitions: Int(topic.partitionCount),
                settings: topic.overrides
            )
        }
    }

    /// Reads every byte of every partition and checks sizes, checksums, the order of offsets and the record structure of
    /// uncompressed batches.
    ///
    /// - Throws: ``EventLogError`` when a file cannot be read.
    public func verify() throws -> [PartitionReport] {
        do {
            var reports: [PartitionReport] = []
            for topic in meta.topics.values.sorted(by: { $0.name < $1.name }) {
                for index in 0..<topic.partitionCount { reports.append(try verify(topic, index)) }
            }
            return reports
        } catch {
            throw EventLogError(error)
        }
    }

    private func segments(_ topic: String, _ index: Int32) throws(StorageError) -> [Segment] {
        let path = "\(directory)/\(topic)-\(index)"
        guard files.exists(path) else { return [] }
        var segments: [Segment] = []
        for base in Segment.baseOffsets(in: try files.entries(of: path), suffix: ".log") {
            segments.append(try Segment(base, in: path, files))
        }
        return segments
    }

    private func verify(_ topic: MetaRecord.Topic, _ index: Int32) throws(StorageError) -> PartitionReport {
        var report = PartitionReport(topic: topic.name, partition: Int(index))
        let segments = try segments(topic.name, index)
        report.segments = segments.count
        report.firstOffset = segments.first?.baseOffset ?? 0
        report.endOffset = report.firstOffset
        for (place, segment) in segments.enumerated() {
            if segment.baseOffset != report.endOffset {
                report.problems.append(
                    "\(segment.logPath): begins at \(segment.baseOffset), \(report.endOffset) expected"
                )
            }
            let size = try segment.file.size()
            let result = try segment.scan(upTo: size, verifyChecksums: true) {
                (header, position, buffer, start) throws(StorageError) -> Bool in
                if header.baseOffset != report.endOffset {
                    report.problems.append(
                        "\(segment.logPath): offset \(header.baseOffset) at byte \(position), \(report.endOffset) expected"
                    )
                }
                if header.codec == 0, let batch = buffer.getSlice(at: start, length: header.totalSize),
                    !RecordWalk.isConsistent(batch, header: header)
                {
                    report.problems.append("\(segment.logPath): malformed records at byte \(position)")
                }
                report.batches += 1
                report.records += Int(header.recordCount)
                report.bytes += header.totalSize
                report.endOffset = header.nextOffset
                return true
            }
            guard result.validSize < size else { continue }
            if place < segments.count - 1 {
                report.problems.append("\(segment.logPath): damaged at byte \(result.validSize)")
            } else {
                let rest = try segment.file.read(at: result.validSize, count: size - result.validSize)
                if !rest.isZero { report.unfinishedBytes = rest.readableBytes }
            }
        }
        return report
    }

    /// Lists batches from the one that holds `offset` on.
    ///
    /// - Throws: ``EventLogError`` when the partition is unknown or a file cannot be read.
    public func batches(topic: String, partition: Int, from offset: Int64 = 0, limit: Int = 100) throws -> [BatchInfo] {
        guard let known = meta.topics.values.first(where: { $0.name == topic }), partition >= 0,
            partition < Int(known.partitionCount)
        else { throw EventLogError("There is no partition \(topic)-\(partition).") }
        do {
            var found: [BatchInfo] = []
            for segment in try segments(topic, Int32(partition)) where found.count < limit {
                _ = try segment.scan(upTo: try segment.file.size()) {
                    (header, position, _, _) throws(StorageError) -> Bool in
                    guard header.nextOffset > offset else { return true }
                    let bytes = try segment.file.read(at: position, count: header.totalSize)
                    found.append(
                        BatchInfo(
                            baseOffset: header.baseOffset,
                            lastOffset: header.nextOffset - 1,
                            size: header.totalSize,
                            position: position,
                            segment: segment.baseOffset,
                            codec: Int(header.codec),
                            producerId: header.producerId,
                            producerEpoch: Int(header.producerEpoch),
                            baseSequence: Int(header.baseSequence),
                            leaderEpoch: Int(header.leaderEpoch),
                            maxTimestamp: header.maxTimestamp,
                            isIntact: BatchCheck.isIntact(bytes, at: 0, header: header)
                        )
                    )
                    return found.count < limit
                }
            }
            return found
        } catch {
            throw EventLogError(error)
        }
    }
}
