import NIOCore

/// What `meta.log` remembers: topics, reserved producer ids, the leader epoch and moved log starts.
enum MetaRecord: Equatable, Sendable {
    struct Topic: Equatable, Sendable {
        var name: String
        var id: TopicID
        var partitionCount: Int32
        var overrides: [String: String]
        /// Wall time of creation, milliseconds.
        var createdAt: Int64
    }

    case topicCreated(Topic)
    case partitionsAdded(TopicID, count: Int32)
    /// Written before anything of the topic is removed.
    case topicDeleted(TopicID)
    /// Nothing of a deleted topic is left on disk.
    case topicPurged(TopicID)
    /// Producer ids below this one may have been given out.
    case producerIds(below: Int64)
    case leaderEpoch(Int32)
    case logStart(TopicID, partition: Int32, offset: Int64)

    func encoded() -> ByteBuffer {
        var writer = ByteBuffer()
        switch self {
        case .topicCreated(let topic):
            writer.writeInteger(UInt8(1))
            writer.writeText(topic.name)
            let id = topic.id
            let count = UInt16(topic.overrides.count)
            writer.writeMultipleIntegers(id.high, id.low, topic.partitionCount, topic.createdAt, count)
            for (name, value) in topic.overrides.sorted(by: { $0.key < $1.key }) {
                writer.writeText(name)
                writer.writeText(value)
            }
        case .partitionsAdded(let id, let count): writer.writeMultipleIntegers(UInt8(2), id.high, id.low, count)
        case .topicDeleted(let id): writer.writeMultipleIntegers(UInt8(3), id.high, id.low)
        case .topicPurged(let id): writer.writeMultipleIntegers(UInt8(4), id.high, id.low)
        case .producerIds(let below): writer.writeMultipleIntegers(UInt8(5), below)
        case .leaderEpoch(let epoch): writer.writeMultipleIntegers(UInt8(6), epoch)
        case .logStart(let id, let partition, let offset):
            writer.writeMultipleIntegers(UInt8(7), id.high, id.low, partition, offset)
        }
        return writer
    }

    /// Nil for a payload of another form.
    static func decode(_ payload: ByteBuffer) -> MetaRecord? {
        var reader = payload
        switch reader.readInteger(as: UInt8.self) {
        case 1:
            guard let name = reader.readText(), let id = reader.readTopicID(),
                let count = reader.readInteger(as: Int32.self), count >= 1,
                let created = reader.readInteger(as: Int64.self), let settings = reader.readInteger(as: UInt16.self)
            else { return nil }
            var overrides: [String: String] = [:]
            for _ in 0..<settings {
                guard let key = reader.readText(), let value = reader.readText() else { return nil }
                overrides[key] = value
            }
            return .topicCreated(
                Topic(name: name, id: id, partitionCount: count, overrides: overrides, createdAt: created)
            )
        case 2:
            guard let id = reader.readTopicID(), let count = reader.readInteger(as: Int32.self) else { return nil }
            return .partitionsAdded(id, count: count)
        case 3: return reader.readTopicID().map { .topicDeleted($0) }
        case 4: return reader.readTopicID().map { .topicPurged($0) }
        case 5: return reader.readInteger(as: Int64.self).map { .producerIds(below: $0) }
        case 6: return reader.readInteger(as: Int32.self).map { .leaderEpoch($0) }
        case 7:
            guard let id = reader.readTopicID(), let partition = reader.readInteger(as: Int32.self),
                let offset = reader.readInteger(as: Int64.self)
            else { return nil }
            return .logStart(id, partition: partition, offset: offset)
        default: return nil
        }
    }
}

extension ByteBuffer {
    /// A text of at most 65 535 bytes; longer ones are cut (nothing stored comes near).
    mutating func writeText(_ text: String) {
        let utf8 = text.utf8.prefix(Int(UInt16.max))
        writeInteger(UInt16(utf8.count))
        writeBytes(utf8)
    }

    mutating func readText() -> String? {
        guard let length = readInteger(as: UInt16.self), let slice = readSlice(length: Int(length)) else { return nil }
        return String(validating: slice.readableBytesView, as: UTF8.self)
    }

    mutating func readTopicID() -> TopicID? {
        guard let high = readInteger(as: UInt64.self), let low = readInteger(as: UInt64.self) else { return nil }
        return TopicID(high: high, low: low)
    }
}
