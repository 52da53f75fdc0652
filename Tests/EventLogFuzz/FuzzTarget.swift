import NIOCore

@testable import EventLog

/// The libFuzzer target of everything that a client's bytes reach: frame headers, messages, record batches. Built and
/// run by `scripts/fuzz-event-log.sh`; a trap, a broken expectation or a sanitizer's report is the failure.
///
/// First byte of an input: which message, or a whole frame, or a batch. Second byte: version, or whether the checksum of
/// the batch is to be made right. The rest is what a client would send.
enum FuzzTarget {
    struct Message {
        let row: ApiVersionRow
        let type: any WireStruct.Type
    }

    /// All messages by name; `scripts/fuzz-event-log.sh` numbers the seeds in the same order.
    static let messages = ApiTable.rows.flatMap {
        [Message(row: $0, type: $0.handler.request), Message(row: $0, type: $0.handler.response)]
    }
    .sorted { "\($0.type)" < "\($1.type)" }

    static func run(_ input: UnsafeRawBufferPointer) {
        var bytes = ByteBuffer(bytes: input)
        guard let selector = bytes.readInteger(as: UInt8.self), let second = bytes.readInteger(as: UInt8.self) else {
            return
        }
        switch Int(selector) % (messages.count + 2) {
        case messages.count: frame(bytes.slice())
        case messages.count + 1: batch(bytes.slice(), seals: second & 1 == 1)
        case let index:
            let versions = messages[index].row.advertised
            let version = versions.lowerBound + Int16(second) % Int16(versions.count)
            message(messages[index].type, messages[index].row, version, bytes.slice())
        }
    }

    /// What can be read can be written, and what was written reads the same.
    static func message<Value: WireStruct>(
        _ type: Value.Type,
        _ row: ApiVersionRow,
        _ version: Int16,
        _ bytes: ByteBuffer
    ) {
        func read(_ bytes: ByteBuffer) -> (value: Value, rest: Int)? {
            var reader = WireReader(bytes, version: version, isFlexible: row.isFlexible(version))
            return (try? reader.message(type)).map { ($0, reader.buffer.readableBytes) }
        }
        func written(_ value: Value) -> ByteBuffer {
            var writer = WireWriter(version: version, isFlexible: row.isFlexible(version))
            writer.message(value)
            let count = writer.byteCount
            let bytes = writer.finishContiguous()
            expect(bytes.readableBytes == count, "the writer miscounted")
            return bytes
        }
        guard let first = read(bytes) else { return }
        let once = written(first.value)
        guard let second = read(once) else { return expect(false, "\(type) \(version) cannot be read again") }
        expect(second.rest == 0 && written(second.value) == once, "\(type) \(version) reads differently again")
    }

    /// A request as it comes from the socket, after its length.
    static func frame(_ bytes: ByteBuffer) {
        var body = bytes
        guard let header = try? RequestHeader.read(&body), let row = ApiTable.row(key: header.key),
            row.advertised.contains(header.version)
        else { return }
        message(row.handler.request, row, header.version, body)
    }

    /// The checks of a produced batch, and what later trusts them.
    static func batch(_ bytes: ByteBuffer, seals: Bool) {
        var bytes = bytes
        if seals, bytes.readableBytes > BatchHeader.size {
            let covered = bytes.readableBytes - BatchHeader.crcStart
            let crc = Checksum.crc32c(bytes, from: BatchHeader.crcStart, count: covered)
            bytes.setInteger(crc, at: BatchHeader.crcPosition)
        }
        if let header = BatchHeader(bytes, at: 0), header.isPlausible, header.totalSize <= bytes.readableBytes {
            _ = records(bytes, header)
        }
        guard let header = try? BatchCheck.produced(bytes, maxBytes: 1 << 20) else { return }
        expect(header.nextOffset == Int64(header.recordCount), "offsets and count disagree")
        if header.codec == 0 {
            expect(records(bytes, header) == Int(header.recordCount), "a record that was counted is not there")
        }
        var table = ProducerTable()
        expect(table.check(header) == .append, "an unknown producer is refused")
        table.note(header, baseOffset: 7, now: 0)
        let again: ProducerTable.Verdict = header.hasProducer ? .duplicate(baseOffset: 7) : .append
        expect(table.check(header) == again, "a repetition is not recognised")
        var stored = ByteBuffer()
        for part in BatchCheck.stamped(bytes, baseOffset: 1 << 40, leaderEpoch: 3) { stored.writeImmutableBuffer(part) }
        guard let found = BatchHeader(stored, at: 0) else { return expect(false, "a stored batch has no header") }
        expect(found.baseOffset == 1 << 40 && found.leaderEpoch == 3, "the stamp is not there")
        expect(found.isPlausible && BatchCheck.isIntact(stored, at: 0, header: found), "stamping broke the batch")
    }

    /// Walks the records; how many there are.
    private static func records(_ batch: ByteBuffer, _ header: BatchHeader) -> Int {
        guard let whole = batch.getSlice(at: 0, length: header.totalSize),
            let records = Decompression.records(of: whole, header: header)
        else { return 0 }
        var walk = RecordWalk(records: records, header: header)
        var count = 0
        while walk.next() != nil, count <= records.readableBytes { count += 1 }
        return count
    }

    private static func expect(_ condition: Bool, _ failure: @autoclosure () -> String) {
        if !condition { fatalError(failure()) }
    }
}
