import NIOCore

/// What `meta.log` remembers: topics, reserved producer ids, the leader epoch and moved log starts.
enum MetaRecord: Equatable, Sendable {
    struct Topic: Equatable, WireStruct {
        var name = ""
        var id = TopicID.zero
        var partitionCount: Int32 = 0
        var overrides: [String: String] = [:]
        /// Wall time of creation, milliseconds.
        var createdAt: Int64 = 0

        static let fields: Fields = [
            .init(\.name), .init(\.id), .init(\.partitionCount), .init(\.createdAt), .init(\.overrides),
        ]
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
        switch self {
        case .topicCreated(let topic): .record(1, topic)
        case .partitionsAdded(let id, let count): .record(2, id, count)
        case .topicDeleted(let id): .record(3, id)
        case .topicPurged(let id): .record(4, id)
        case .producerIds(let below): .record(5, below)
        case .leaderEpoch(let epoch): .record(6, epoch)
        case .logStart(let id, let partition, let offset): .record(7, id, partition, offset)
        }
    }

    /// Nil for a payload of another form.
    static func decode(_ payload: ByteBuffer) -> MetaRecord? {
        payload.readRecord { (kind, reader) throws(WireError) in
            switch kind {
            case 1:
                let topic: Topic = try reader.value()
                return topic.partitionCount >= 1 ? .topicCreated(topic) : nil
            case 2: return .partitionsAdded(try reader.value(), count: try reader.value())
            case 3: return .topicDeleted(try reader.value())
            case 4: return .topicPurged(try reader.value())
            case 5: return .producerIds(below: try reader.value())
            case 6: return .leaderEpoch(try reader.value())
            case 7:
                return .logStart(try reader.value(), partition: try reader.value(), offset: try reader.value())
            default: return nil
            }
        }
    }
}

/// Records of the small logs: the number of their kind, then values as messages without compact lengths have them.
extension ByteBuffer {
    static func record(_ kind: UInt8, _ values: any WireValue...) -> ByteBuffer {
        var writer = WireWriter(version: 0, isFlexible: false)
        writer.integer(kind)
        for value in values { value.put(into: &writer) }
        return writer.finishContiguous()
    }

    /// Nil when `body` cannot read it, or answers nil for a kind that it does not know.
    func readRecord<Record>(_ body: (_ kind: UInt8, inout WireReader) throws(WireError) -> Record?) -> Record? {
        var reader = WireReader(self, version: 0, isFlexible: false)
        do throws(WireError) {
            return try body(try reader.integer(), &reader)
        } catch {
            return nil
        }
    }
}

/// Names and values of settings, after their number (16 bits).
extension [String: String]: WireValue {
    static func take(from reader: inout WireReader) throws(WireError) -> [String: String] {
        var values: [String: String] = [:]
        for _ in 0..<(try reader.integer(UInt16.self)) {
            let name: String = try reader.value()
            values[name] = try reader.value()
        }
        return values
    }

    func put(into writer: inout WireWriter) {
        writer.integer(UInt16(count))
        for (name, value) in sorted(by: { $0.key < $1.key }) {
            name.put(into: &writer)
            value.put(into: &writer)
        }
    }
}
