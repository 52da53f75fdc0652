import Dispatch
import Foundation
import NIOCore
import NIOPosix
import Synchronization

/// What is done to a data directory as a whole: identity, opening of every partition, deletion of topics.
struct DataDirectory: Sendable {
    /// What opening found, for the log and the metrics.
    struct Summary: Sendable {
        var stoppedCleanly = false
        var partitions = 0
        var bytesScanned = 0
        var bytesCut = 0
    }

    private struct ClusterFile: Codable {
        var clusterId: String
        var nodeId: Int32
        var format: Int
    }

    let path: String
    /// The defaults that topics' settings fall back to.
    let settingDefaults: [String: String]
    let environment: StorageEnvironment

    private var files: any FileLayer { environment.files }

    /// Where a partition's files are.
    func partition(_ topic: String, _ index: Int32) -> String { "\(path)/\(topic)-\(index)" }

    /// The cluster's id; made up at the first start.
    func clusterId() throws(StorageError) -> String {
        if let bytes = try files.contents("\(path)/cluster.json") {
            if let file = try? JSONDecoder().decode(ClusterFile.self, from: Data(bytes.readableBytesView)),
                file.format == 1
            {
                return file.clusterId
            }
            throw StorageError(.corruption, "start", "\(path)/cluster.json", "unreadable")
        }
        let random = (0..<16).map { _ in UInt8.random(in: .min ... .max) }
        let id = Data(random).base64EncodedString()
            .replacingOccurrences(of: "+", with: "-").replacingOccurrences(of: "/", with: "_")
            .replacingOccurrences(of: "=", with: "")
        let text = "{\"clusterId\":\"\(id)\",\"nodeId\":\(LogStore.nodeId),\"format\":1}\n"
        try files.replace("cluster.json", in: path, with: ByteBuffer(string: text))
        return id
    }

    // MARK: Opening

    func topic(_ record: MetaRecord.Topic, _ partitions: [PartitionLog]) -> Topic {
        Topic(name: record.name, id: record.id, settings: settings(record), partitions: partitions)
    }

    private func settings(_ topic: MetaRecord.Topic) -> TopicSettings {
        TopicSettings(defaults: settingDefaults, overrides: topic.overrides)
    }

    /// Opens one partition; `isTrusted` after a clean stop, when files are as long as they say.
    func open(
        _ topic: MetaRecord.Topic,
        _ index: Int32,
        _ meta: MetaState,
        isTrusted: Bool
    ) throws(StorageError) -> PartitionLog {
        try PartitionLog(
            topic: topic.name,
            index: index,
            directory: partition(topic.name, index),
            settings: settings(topic),
            leaderEpoch: meta.leaderEpoch,
            logStart: meta.logStarts[topic.id]?[index] ?? 0,
            isTrusted: isTrusted,
            environment: environment
        )
    }

    /// Opens every partition of every topic, as many at a time as there are flush threads.
    func open(_ meta: MetaState, isTrusted: Bool) throws(StorageError) -> ([String: Topic], Summary) {
        let places = meta.topics.values.flatMap { topic in (0..<topic.partitionCount).map { (topic, $0) } }
        let logs = try environment.flushers.mapAndWait(places) { (place) throws(StorageError) in
            try open(place.0, place.1, meta, isTrusted: isTrusted)
        }
        var topics: [String: Topic] = [:]
        for record in meta.topics.values { topics[record.name] = topic(record, []) }
        var summary = Summary(stoppedCleanly: isTrusted, partitions: logs.count)
        for log in logs {
            topics[log.topic]?.partitions.append(log)
            summary.bytesScanned += log.recovery.bytesScanned
            summary.bytesCut += log.recovery.bytesCut
        }
        return (topics, summary)
    }

    // MARK: Deleting

    /// Finishes the deletions that a crash cut off.
    func finishDeletions(_ meta: inout MetaState, log: FramedLog, offsets: OffsetStore) throws(StorageError) {
        let liveNames = Set(meta.topics.values.map(\.name))
        // A topic of the same name can only have been created after the old one's directories were renamed.
        for topic in meta.doomed.values where !liveNames.contains(topic.name) {
            _ = try renameForDeletion(topic)
            try offsets.forget(topic: topic.name)
        }
        for name in try files.entries(of: path) where name.hasSuffix(".deleted") { try removeTree("\(path)/\(name)") }
        guard !meta.doomed.isEmpty else { return }
        try files.synchronizeDirectory(path)
        let records = meta.doomed.keys.map { MetaRecord.topicPurged($0) }
        try log.appendAndWait(records.map { $0.encoded() })
        for record in records { meta.apply(record) }
    }

    /// Gives a topic's directories names that no topic has, durably. Answers the new paths.
    func renameForDeletion(_ topic: MetaRecord.Topic) throws(StorageError) -> [String] {
        var renamed: [String] = []
        for index in 0..<topic.partitionCount {
            let old = partition(topic.name, index)
            guard files.exists(old) else { continue }
            let new = "\(old).\(String(topic.id.low, radix: 16)).deleted"
            try files.rename(old, to: new)
            renamed.append(new)
        }
        try files.synchronizeDirectory(path)
        return renamed
    }

    func removeTree(_ path: String) throws(StorageError) {
        for name in try files.entries(of: path) { try files.remove("\(path)/\(name)") }
        try files.removeDirectory(path)
    }
}

extension NIOThreadPool {
    /// Does something with every element, in parallel, and waits until all is done, whatever fails. The results are in
    /// the elements' order; of several failures the first in that order is thrown. Blocks.
    func mapAndWait<Element: Sendable, Value: Sendable>(
        _ elements: [Element],
        _ body: @escaping @Sendable (Element) throws(StorageError) -> Value
    ) throws(StorageError) -> [Value] {
        let results = Mutex([Result<Value, StorageError>?](repeating: nil, count: elements.count))
        let group = DispatchGroup()
        for (place, element) in elements.enumerated() {
            group.enter()
            submit { _ in
                let result = Result { () throws(StorageError) in try body(element) }
                results.withLock { $0[place] = result }
                group.leave()
            }
        }
        group.wait()
        var values: [Value] = []
        for result in results.withLock({ $0 }) {
            if let result { values.append(try result.get()) }
        }
        return values
    }
}
