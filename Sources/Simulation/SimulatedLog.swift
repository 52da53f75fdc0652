public import Messaging

/// An event log in memory: topics with partitions, records that never change, one partition per key.
public struct SimulatedLog: Sendable {
    /// One record.
    public struct Record: Sendable {
        /// The topic.
        public let topic: String
        /// The partition.
        public let partition: Int32
        /// The offset.
        public let offset: Int64
        /// The key.
        public let key: String
        /// Headers as they were written.
        public let headers: [(name: String, value: String)]
        /// The event.
        public let envelope: Envelope
    }

    private let topics: [String]
    private let partitions: Int32
    private var records: [[Record]]

    /// Makes a log.
    public init(topics: [String], partitions: Int32) {
        self.topics = topics
        self.partitions = max(1, partitions)
        records = Array(repeating: [], count: topics.count * Int(self.partitions))
    }

    /// The partitions of a topic.
    public func lanes(of topic: String) -> [Int] {
        guard let index = topics.firstIndex(of: topic) else { return [] }
        let first = index * Int(partitions)
        return Array(first..<first + Int(partitions))
    }

    /// How many lanes there are, over all topics.
    public var laneCount: Int { records.count }

    /// Topic and partition of a lane.
    public func place(of lane: Int) -> (topic: String, partition: Int32) {
        (topics[lane / Int(partitions)], Int32(lane % Int(partitions)))
    }

    /// Records in a lane.
    public func end(of lane: Int) -> Int64 { Int64(records[lane].count) }

    /// Appends a message; `nil` when there is no such topic.
    public mutating func append(_ message: OutgoingMessage) -> Int? {
        guard let lane = lane(for: message) else { return nil }
        let place = place(of: lane)
        var headers = EnvelopeHeaders.encode(message.envelope)
        for (name, value) in message.extraHeaders.sorted(by: { $0.key < $1.key }) { headers.append((name, value)) }
        records[lane].append(
            Record(
                topic: place.topic,
                partition: place.partition,
                offset: Int64(records[lane].count),
                key: message.envelope.subject,
                headers: headers,
                envelope: message.envelope
            )
        )
        return lane
    }

    /// The lane that a message goes to.
    public func lane(for message: OutgoingMessage) -> Int? {
        guard case .topic(let topic) = message.destination, let index = topics.firstIndex(of: topic) else { return nil }
        var hash = TraceHash()
        hash.add(message.envelope.subject)
        return index * Int(partitions) + Int(hash.value % UInt64(partitions))
    }

    /// Records of a lane from an offset on.
    public func read(_ lane: Int, from offset: Int64, limit: Int) -> ArraySlice<Record> {
        let start = Int(min(max(0, offset), end(of: lane)))
        return records[lane][start..<min(start + max(1, limit), records[lane].count)]
    }

    /// Every record, lane after lane.
    public var all: [Record] { records.flatMap { $0 } }
}

extension ReceivedMessage {
    /// A record as a consumer gets it.
    public init(simulated record: SimulatedLog.Record) {
        self.init(
            source: .record(topic: record.topic, partition: record.partition, offset: record.offset),
            headers: record.headers,
            body: record.envelope.body
        )
    }

    /// A delivery as a consumer gets it.
    public init(simulated stored: SimulatedBroker.Stored, queue: String) {
        self.init(
            source: .queue(queue),
            headers: stored.headers,
            body: stored.message.envelope.body,
            redelivered: stored.isRedelivered
        )
    }
}
