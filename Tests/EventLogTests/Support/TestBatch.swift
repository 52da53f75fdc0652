import NIOCore

@testable import EventLog

/// Builds record batches.
enum TestBatch {
    static func make(
        _ values: [String],
        producerId: Int64 = -1,
        epoch: Int16 = -1,
        sequence: Int32 = -1,
        timestamps: [Int64]? = nil,
        baseOffset: Int64 = 0,
        attributes: Int16 = 0,
        payload: [UInt8]? = nil
    ) -> ByteBuffer {
        let times = timestamps ?? values.map { _ in 1000 }
        let base = times.first ?? 0
        var records = ByteBuffer()
        for (place, value) in values.enumerated() {
            var body = ByteBuffer()
            body.writeInteger(UInt8(0))
            writeZigZag(times[place] - base, &body)
            writeZigZag(Int64(place), &body)
            writeZigZag(-1, &body)
            writeZigZag(Int64(value.utf8.count), &body)
            body.writeString(value)
            writeZigZag(0, &body)
            writeZigZag(Int64(body.readableBytes), &records)
            records.writeBuffer(&body)
        }
        if let payload { records = ByteBuffer(bytes: payload) }
        var batch = ByteBuffer()
        batch.writeInteger(baseOffset)
        batch.writeInteger(Int32(BatchHeader.size - 12 + records.readableBytes))
        batch.writeInteger(Int32(-1))
        batch.writeInteger(Int8(2))
        batch.writeInteger(UInt32(0))
        batch.writeInteger(attributes)
        batch.writeInteger(Int32(values.count - 1))
        batch.writeInteger(base)
        batch.writeInteger(times.max() ?? 0)
        batch.writeInteger(producerId)
        batch.writeInteger(epoch)
        batch.writeInteger(sequence)
        batch.writeInteger(Int32(values.count))
        batch.writeBuffer(&records)
        seal(&batch)
        return batch
    }

    /// Sets the checksum.
    static func seal(_ batch: inout ByteBuffer) {
        let crc = Checksum.crc32c(
            batch,
            from: BatchHeader.crcStart,
            count: batch.readableBytes - BatchHeader.crcStart
        )
        batch.setInteger(crc, at: BatchHeader.crcPosition)
    }

    /// The record bytes of a batch without compression.
    static func records(_ values: [String], timestamps: [Int64]) -> [UInt8] {
        let batch = make(values, timestamps: timestamps)
        return Array(batch.readableBytesView.dropFirst(BatchHeader.size))
    }

    /// The values in one or more uncompressed batches, with their offsets.
    static func values(_ batches: ByteBuffer) -> [Int64: String] {
        var found: [Int64: String] = [:]
        var position = batches.readerIndex
        while let header = BatchHeader(batches, at: position), position + header.totalSize <= batches.writerIndex {
            var records =
                batches.getSlice(at: position + BatchHeader.size, length: header.totalSize - BatchHeader.size)
                ?? ByteBuffer()
            for _ in 0..<header.recordCount {
                guard let length = records.readZigZag(), var body = records.readSlice(length: Int(length)) else {
                    break
                }
                _ = body.readInteger(as: Int8.self)
                _ = body.readZigZag()
                let delta = body.readZigZag() ?? 0
                let keyLength = body.readZigZag() ?? -1
                if keyLength > 0 { _ = body.readSlice(length: Int(keyLength)) }
                let valueLength = Int(body.readZigZag() ?? 0)
                found[header.baseOffset + delta] = body.readString(length: max(0, valueLength))
            }
            position += header.totalSize
        }
        return found
    }

    static func writeZigZag(_ value: Int64, _ buffer: inout ByteBuffer) {
        var rest = UInt64(bitPattern: (value << 1) ^ (value >> 63))
        while rest >= 0x80 {
            buffer.writeInteger(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        buffer.writeInteger(UInt8(truncatingIfNeeded: rest))
    }
}
