import NIOCore

/// The sum of `meta.log`.
struct MetaState: Equatable, Sendable {
    var topics: [TopicID: MetaRecord.Topic] = [:]
    /// Deleted topics of which something may still be on disk.
    var doomed: [TopicID: MetaRecord.Topic] = [:]
    var nextProducerId: Int64 = 0
    var leaderEpoch: Int32 = 0
    var logStarts: [TopicID: [Int32: Int64]] = [:]

    mutating func apply(_ record: MetaRecord) {
        switch record {
        case .topicCreated(let topic):
            topics[topic.id] = topic
        case .partitionsAdded(let id, let count):
            if let current = topics[id]?.partitionCount { topics[id]?.partitionCount = max(current, count) }
        case .topicDeleted(let id):
            if let topic = topics.removeValue(forKey: id) { doomed[id] = topic }
            logStarts[id] = nil
        case .topicPurged(let id):
            doomed[id] = nil
        case .producerIds(let below):
            nextProducerId = max(nextProducerId, below)
        case .leaderEpoch(let epoch):
            leaderEpoch = max(leaderEpoch, epoch)
        case .logStart(let id, let partition, let offset):
            guard topics[id] != nil else { return }
            logStarts[id, default: [:]][partition] = max(offset, logStarts[id]?[partition] ?? 0)
        }
    }

    /// The records that lead to this state.
    var records: [MetaRecord] {
        var records: [MetaRecord] = [.producerIds(below: nextProducerId), .leaderEpoch(leaderEpoch)]
        for topic in topics.values { records.append(.topicCreated(topic)) }
        for topic in doomed.values {
            records.append(.topicCreated(topic))
            records.append(.topicDeleted(topic.id))
        }
        for (id, starts) in logStarts {
            records += starts.map { .logStart(id, partition: $0.key, offset: $0.value) }
        }
        return records
    }
}
