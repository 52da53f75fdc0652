import NIOCore

/// What a partition remembers of each idempotent producer: its epoch and its last five batches.
///
/// Rules as in Apache Kafka's ProducerAppendInfo: a batch seen before is answered with its first offset again; the next
/// sequence must follow the last; a producer without state may start anywhere (so the state has to survive a restart,
/// and is rebuilt from the batch headers).
struct ProducerTable: Equatable, Sendable {
    struct Batch: Equatable, Sendable {
        var firstSequence: Int32
        var lastSequence: Int32
        var baseOffset: Int64
    }

    struct Producer: Equatable, Sendable {
        var epoch: Int16
        /// Oldest first, at most ``ProducerTable/rememberedBatches``.
        var batches: [Batch]
        /// Wall time of the last append, milliseconds; a producer idle for a day is forgotten.
        var lastUsed: Int64
    }

    enum Verdict: Equatable {
        case append
        /// The batch is already in the log at this offset.
        case duplicate(baseOffset: Int64)
        case refuse(ErrorCode)
    }

    static let rememberedBatches = 5
    static let expiryMs: Int64 = 24 * 3600 * 1000
    /// Producers per partition; above it the ones idle for longest are forgotten.
    static let limit = 20_000

    private(set) var producers: [Int64: Producer] = [:]

    /// Judges a batch of an idempotent producer.
    func check(_ header: BatchHeader) -> Verdict {
        guard header.hasProducer, let producer = producers[header.producerId] else { return .append }
        if header.producerEpoch < producer.epoch { return .refuse(.invalidProducerEpoch) }
        if header.producerEpoch > producer.epoch {
            return header.baseSequence == 0 ? .append : .refuse(.outOfOrderSequence)
        }
        let last = header.lastSequence
        if let seen = producer.batches.last(where: {
            $0.firstSequence == header.baseSequence && $0.lastSequence == last
        }) {
            return .duplicate(baseOffset: seen.baseOffset)
        }
        guard let newest = producer.batches.last else { return .append }
        let expected = BatchHeader.sequence(newest.lastSequence, advancedBy: 1)
        if header.baseSequence == expected { return .append }
        // Distance in the ring of 2^31 sequences: the far half lies behind.
        let distance = (Int64(header.baseSequence) - Int64(expected)) & 0x7FFF_FFFF
        return .refuse(distance >= 0x4000_0000 ? .duplicateSequence : .outOfOrderSequence)
    }

    /// Remembers an appended batch.
    mutating func note(_ header: BatchHeader, baseOffset: Int64, now: Int64) {
        guard header.hasProducer else { return }
        let batch = Batch(
            firstSequence: header.baseSequence,
            lastSequence: header.lastSequence,
            baseOffset: baseOffset
        )
        if producers[header.producerId]?.epoch == header.producerEpoch {
            producers[header.producerId]?.batches.append(batch)
            if let count = producers[header.producerId]?.batches.count, count > Self.rememberedBatches {
                producers[header.producerId]?.batches.removeFirst()
            }
            producers[header.producerId]?.lastUsed = now
        } else {
            if producers.count >= Self.limit, producers[header.producerId] == nil { forgetIdle(now: now) }
            producers[header.producerId] = Producer(epoch: header.producerEpoch, batches: [batch], lastUsed: now)
        }
    }

    /// Forgets expired producers, and a tenth of all when the table is full of others.
    mutating func forgetIdle(now: Int64) {
        producers = producers.filter { now - $0.value.lastUsed < Self.expiryMs }
        guard producers.count >= Self.limit else { return }
        let oldest = producers.sorted { $0.value.lastUsed < $1.value.lastUsed }.prefix(Self.limit / 10)
        for entry in oldest { producers[entry.key] = nil }
    }

    mutating func restore(_ id: Int64, _ producer: Producer) { producers[id] = producer }
}

/// The first offset that each leader epoch wrote. The epoch rises at every start after an unclean stop.
struct EpochHistory: Equatable, Sendable {
    struct Entry: Equatable, Sendable {
        var epoch: Int32
        var startOffset: Int64
    }

    private(set) var entries: [Entry] = []

    mutating func note(epoch: Int32, offset: Int64) {
        if let last = entries.last, last.epoch >= epoch { return }
        entries.append(Entry(epoch: epoch, startOffset: offset))
    }

    /// The greatest epoch not above `epoch` and the offset where it ended; nil when all are above.
    func end(of epoch: Int32, logEnd: Int64) -> (epoch: Int32, offset: Int64)? {
        let after = entries.partitioningIndex { $0.epoch > epoch }
        guard after > 0 else { return nil }
        return (entries[after - 1].epoch, after < entries.count ? entries[after].startOffset : logEnd)
    }
}

/// A partition's memory at one offset, kept in a file so that a restart need not read every batch header.
struct PartitionSnapshot: Equatable, Sendable {
    private static let magic: UInt64 = 0x5742_4C53_4E50_3031

    var offset: Int64
    var producers = ProducerTable()
    var epochs = EpochHistory()

    func encoded() -> ByteBuffer {
        var body = ByteBuffer()
        body.writeMultipleIntegers(offset, Int32(epochs.entries.count))
        for entry in epochs.entries { body.writeMultipleIntegers(entry.epoch, entry.startOffset) }
        body.writeInteger(Int32(producers.producers.count))
        for (id, producer) in producers.producers {
            body.writeMultipleIntegers(id, producer.epoch, producer.lastUsed, UInt8(producer.batches.count))
            for batch in producer.batches {
                body.writeMultipleIntegers(batch.firstSequence, batch.lastSequence, batch.baseOffset)
            }
        }
        var file = ByteBuffer()
        file.writeInteger(Self.magic)
        file.writeInteger(Checksum.crc32c(body, from: 0, count: body.readableBytes))
        file.writeBuffer(&body)
        return file
    }

    /// Nil for anything that is not a whole, intact snapshot.
    static func decode(_ file: ByteBuffer) -> PartitionSnapshot? {
        var file = file
        guard let (found, crc) = file.readMultipleIntegers(as: (UInt64, UInt32).self), found == magic else {
            return nil
        }
        guard Checksum.crc32c(file, from: file.readerIndex, count: file.readableBytes) == crc else { return nil }
        var reader = WireReader(file, version: 0, isFlexible: false)
        return try? read(&reader)
    }

    private static func read(_ reader: inout WireReader) throws(WireError) -> PartitionSnapshot {
        var snapshot = PartitionSnapshot(offset: try reader.value())
        for _ in 0..<(try reader.elementCount() ?? 0) {
            snapshot.epochs.note(epoch: try reader.value(), offset: try reader.value())
        }
        for _ in 0..<(try reader.elementCount() ?? 0) {
            let id: Int64 = try reader.value()
            var producer = ProducerTable.Producer(epoch: try reader.value(), batches: [], lastUsed: try reader.value())
            for _ in 0..<(try reader.integer(UInt8.self)) {
                let (first, last): (Int32, Int32) = (try reader.value(), try reader.value())
                producer.batches.append(.init(firstSequence: first, lastSequence: last, baseOffset: try reader.value()))
            }
            snapshot.producers.restore(id, producer)
        }
        return snapshot
    }
}
