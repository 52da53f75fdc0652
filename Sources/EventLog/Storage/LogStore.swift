import Foundation
import Logging
import NIOCore
import NIOPosix
import Synchronization

/// A topic as the rest of the server sees it.
struct Topic: Sendable {
    let name: String
    let id: TopicID
    let settings: TopicSettings
    /// In order of their index.
    var partitions: [PartitionLog]
}

/// The data directory: topics, their partitions, and what `meta.log` remembers.
///
/// Lookups may come from any thread. Whatever creates, deletes or trims runs on the administration thread, one at a time.
final class LogStore: Sendable {
    struct Options: Sendable {
        var directory: String
        var settingDefaults: [String: String]
        /// Partitions of all topics together; each costs a file descriptor and some memory.
        var maxPartitions: Int
    }

    /// What opening found, for the log and the metrics.
    struct Summary: Sendable {
        var stoppedCleanly = false
        var partitions = 0
        var bytesScanned = 0
        var bytesCut = 0
    }

    private struct State {
        var meta: MetaState
        var topics: [String: Topic] = [:]
        /// The next producer id of the reserved block.
        var nextProducerId: Int64
    }

    private struct ClusterFile: Codable {
        var clusterId: String
        var nodeId: Int32
        var format: Int
    }

    /// The one node's id.
    static let nodeId: Int32 = 1
    /// Producer ids reserved at a time.
    static let producerIdBlock: Int64 = 1000
    static let maxTopicNameLength = 249

    let clusterId: String
    let leaderEpoch: Int32
    let summary: Summary
    let offsets: OffsetStore
    private let options: Options
    private let environment: StorageEnvironment
    private let log: FramedLog
    private let lock: any FileLock
    private let state: Mutex<State>

    /// Takes the directory's lock, repairs what a crash left, finishes half-done deletions and opens every partition.
    /// Blocks; memory stays bounded by the number of partitions, not by their size.
    init(options: Options, environment: StorageEnvironment) throws(StorageError) {
        self.options = options
        self.environment = environment
        let files = environment.files
        let directory = options.directory
        try files.makeDirectory(directory)
        lock = try files.lock("\(directory)/lock")
        let isFirstStart = !files.exists("\(directory)/cluster.json")
        clusterId = try Self.clusterId(directory: directory, files: files)
        let replayed = Mutex(MetaState())
        log = try FramedLog(directory: directory, name: "meta.log", environment: environment) { payload in
            guard let record = MetaRecord.decode(payload) else { return }
            replayed.withLock { $0.apply(record) }
        }
        var meta = replayed.withLock { $0 }
        offsets = try OffsetStore(directory: directory, environment: environment)
        let marker = "\(directory)/clean"
        let stoppedCleanly = files.exists(marker)
        if stoppedCleanly {
            try files.remove(marker)
            try files.synchronizeDirectory(directory)
        } else if !isFirstStart {
            let record = MetaRecord.leaderEpoch(meta.leaderEpoch + 1)
            try log.appendAndWait([record.encoded()])
            meta.apply(record)
        }
        leaderEpoch = meta.leaderEpoch
        try Self.finishDeletions(&meta, directory: directory, log: log, offsets: offsets, files: files)
        var summary = Summary(stoppedCleanly: stoppedCleanly)
        let topics = try Self.openTopics(
            meta,
            options: options,
            stoppedCleanly: stoppedCleanly,
            environment: environment,
            summary: &summary
        )
        self.summary = summary
        let nextProducerId = meta.nextProducerId
        state = Mutex(State(meta: meta, topics: topics, nextProducerId: nextProducerId))
    }

    // MARK: Opening

    private static func clusterId(directory: String, files: any FileLayer) throws(StorageError) -> String {
        if let bytes = try files.contents("\(directory)/cluster.json") {
            if let file = try? JSONDecoder().decode(ClusterFile.self, from: Data(bytes.readableBytesView)),
                file.format == 1
            {
                return file.clusterId
            }
            throw StorageError(.corruption, "start", "\(directory)/cluster.json", "unreadable")
        }
        let random = (0..<16).map { _ in UInt8.random(in: .min ... .max) }
        let id = Data(random).base64EncodedString()
            .replacingOccurrences(of: "+", with: "-").replacingOccurrences(of: "/", with: "_")
            .replacingOccurrences(of: "=", with: "")
        let text = "{\"clusterId\":\"\(id)\",\"nodeId\":\(nodeId),\"format\":1}\n"
        try files.replace("cluster.json", in: directory, with: ByteBuffer(string: text))
        return id
    }

    private static func finishDeletions(
        _ meta: inout MetaState,
        directory: String,
        log: FramedLog,
        offsets: OffsetStore,
        files: any FileLayer
    ) throws(StorageError) {
        let liveNames = Set(meta.topics.values.map(\.name))
        for topic in meta.doomed.values {
            // A topic of the same name can only have been created after the old one's directories were renamed.
            if !liveNames.contains(topic.name) {
                try renameForDeletion(topic, directory: directory, files: files)
                try offsets.forget(topic: topic.name)
            }
        }
        for name in try files.entries(of: directory) where name.hasSuffix(".deleted") {
            try removeTree("\(directory)/\(name)", files: files)
        }
        guard !meta.doomed.isEmpty else { return }
        try files.synchronizeDirectory(directory)
        let records = meta.doomed.keys.map { MetaRecord.topicPurged($0) }
        try log.appendAndWait(records.map { $0.encoded() })
        for record in records { meta.apply(record) }
    }

    private static func renameForDeletion(
        _ topic: MetaRecord.Topic,
        directory: String,
        files: any FileLayer
    ) throws(StorageError) {
        for partition in 0..<topic.partitionCount {
            let path = "\(directory)/\(topic.name)-\(partition)"
            guard files.exists(path) else { continue }
            try files.rename(path, to: "\(path).\(String(topic.id.low, radix: 16)).deleted")
        }
        try files.synchronizeDirectory(directory)
    }

    private static func removeTree(_ path: String, files: any FileLayer) throws(StorageError) {
        for name in try files.entries(of: path) { try files.remove("\(path)/\(name)") }
        try files.removeDirectory(path)
    }

    private static func openTopics(
        _ meta: MetaState,
        options: Options,
        stoppedCleanly: Bool,
        environment: StorageEnvironment,
        summary: inout Summary
    ) throws(StorageError) -> [String: Topic] {
        let results = Mutex<[TopicPartition: Result<(PartitionLog, RecoveryReport), StorageError>]>([:])
        let done = DispatchGroup()
        for topic in meta.topics.values {
            for index in 0..<topic.partitionCount {
                done.enter()
                environment.flushers.submit { _ in
                    let opened = Result { () throws(StorageError) in
                        try open(topic, index, meta, isTrusted: stoppedCleanly, options, environment)
                    }
                    results.withLock { $0[TopicPartition(topic: topic.name, partition: index)] = opened }
                    done.leave()
                }
            }
        }
        done.wait()
        var topics: [String: Topic] = [:]
        for topic in meta.topics.values {
            var partitions: [PartitionLog] = []
            for index in 0..<topic.partitionCount {
                let key = TopicPartition(topic: topic.name, partition: index)
                guard let result = results.withLock({ $0[key] }) else { continue }
                let (log, report) = try result.get()
                partitions.append(log)
                summary.partitions += 1
                summary.bytesScanned += report.bytesScanned
                summary.bytesCut += report.bytesCut
                if report.bytesCut > 0 {
                    environment.logger.warning(
                        "Cut an unfinished write off a partition",
                        metadata: [
                            "partition": "\(topic.name)-\(index)", "bytes": "\(report.bytesCut)",
                            "reason": "\(report.reason)", "end": "\(log.bounds.logEnd)",
                        ]
                    )
                }
            }
            let settings = TopicSettings(defaults: options.settingDefaults, overrides: topic.overrides)
            topics[topic.name] = Topic(name: topic.name, id: topic.id, settings: settings, partitions: partitions)
        }
        return topics
    }

    private static func open(
        _ topic: MetaRecord.Topic,
        _ index: Int32,
        _ meta: MetaState,
        isTrusted: Bool,
        _ options: Options,
        _ environment: StorageEnvironment
    ) throws(StorageError) -> (PartitionLog, RecoveryReport) {
        try PartitionLog.open(
            topic: topic.name,
            index: index,
            directory: "\(options.directory)/\(topic.name)-\(index)",
            settings: TopicSettings(defaults: options.settingDefaults, overrides: topic.overrides),
            leaderEpoch: meta.leaderEpoch,
            logStart: meta.logStarts[topic.id]?[index] ?? 0,
            stoppedCleanly: isTrusted,
            environment: environment
        )
    }

    // MARK: Looking up

    func topic(_ name: String) -> Topic? { state.withLock { $0.topics[name] } }

    func topic(id: TopicID) -> Topic? {
        state.withLock { state in state.meta.topics[id].flatMap { state.topics[$0.name] } }
    }

    /// All topics by name.
    var topics: [Topic] { state.withLock { Array($0.topics.values) }.sorted { $0.name < $1.name } }

    var partitionCount: Int { state.withLock { $0.topics.values.reduce(0) { $0 + $1.partitions.count } } }

    func partition(_ topic: String, _ index: Int32) -> PartitionLog? {
        state.withLock { state in
            guard let partitions = state.topics[topic]?.partitions, index >= 0, Int(index) < partitions.count else {
                return nil
            }
            return partitions[Int(index)]
        }
    }

    /// The defaults that topics' settings fall back to.
    var settingDefaults: [String: String] { options.settingDefaults }

    /// What is wrong with a topic name, or nil. Rules of Apache Kafka.
    static func problem(withName name: String) -> String? {
        if name.isEmpty { return "Topic name is illegal, it can't be empty" }
        if name == "." || name == ".." { return "Topic name cannot be \".\" or \"..\"" }
        if name.utf8.count > maxTopicNameLength { return "Topic name is longer than 249 characters" }
        let isLegal = name.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-"):
                true
            default: false
            }
        }
        return isLegal ? nil : "Topic name contains a character other than ASCII alphanumerics, '.', '_' and '-'"
    }

    // MARK: Producer ids

    /// A producer id from the reserved block, or nil when the block is used up.
    func takeProducerId() -> Int64? {
        state.withLock { state in
            guard state.nextProducerId < state.meta.nextProducerId else { return nil }
            defer { state.nextProducerId += 1 }
            return state.nextProducerId
        }
    }

    /// Reserves the next block durably and takes its first id. Administration thread.
    func reserveProducerId() throws(StorageError) -> Int64 {
        if let id = takeProducerId() { return id }
        try remember(.producerIds(below: state.withLock { $0.meta.nextProducerId } + Self.producerIdBlock))
        return try reserveProducerId()
    }

    // MARK: Administration (one thread)

    /// Ends the server when a directory could not be synchronised: which names it holds is unknown from here on, and a
    /// second try would not tell.
    private func decisive<Value>(_ change: () throws(StorageError) -> Value) throws(StorageError) -> Value {
        do {
            return try change()
        } catch {
            if error.kind == .synchronization { environment.onFatal(error) }
            throw error
        }
    }

    /// Makes a record durable, then counts it in.
    private func remember(_ record: MetaRecord) throws(StorageError) {
        try log.appendAndWait([record.encoded()])
        state.withLock { $0.meta.apply(record) }
    }

    /// Whether so many more partitions would exceed the limit.
    func exceedsLimit(adding count: Int) -> Bool { partitionCount + count > options.maxPartitions }

    /// Creates a topic; the caller has checked name, counts and settings.
    func createTopic(_ name: String, partitionCount: Int32, overrides: [String: String]) throws(StorageError) -> Topic {
        try decisive { () throws(StorageError) in
            try newTopic(name, partitionCount: partitionCount, overrides: overrides)
        }
    }

    private func newTopic(
        _ name: String,
        partitionCount: Int32,
        overrides: [String: String]
    ) throws(StorageError) -> Topic {
        // A creation that failed half-way left its record, and a name stands for one topic.
        if let half = state.withLock({ $0.meta.topics.values.first { $0.name == name } }) { try erase(half) }
        let record = MetaRecord.Topic(
            name: name,
            id: .random(),
            partitionCount: partitionCount,
            overrides: overrides,
            createdAt: environment.now()
        )
        for index in 0..<partitionCount {
            let path = "\(options.directory)/\(name)-\(index)"
            if environment.files.exists(path) {
                environment.logger.warning("Moved a stray directory aside", metadata: ["path": "\(path)"])
                try environment.files.rename(path, to: "\(path).\(String(record.id.low, radix: 16)).stray")
            }
        }
        try remember(.topicCreated(record))
        let topic = Topic(
            name: name,
            id: record.id,
            settings: TopicSettings(defaults: options.settingDefaults, overrides: overrides),
            partitions: try openNew(record, range: 0..<partitionCount)
        )
        state.withLock { $0.topics[name] = topic }
        return topic
    }

    /// Raises a topic's number of partitions.
    func addPartitions(to name: String, count: Int32) throws(StorageError) {
        guard let topic = topic(name), let record = state.withLock({ $0.meta.topics[topic.id] }) else { return }
        try remember(.partitionsAdded(topic.id, count: count))
        let added = try decisive { () throws(StorageError) in
            try openNew(record, range: Int32(topic.partitions.count)..<count)
        }
        state.withLock { $0.topics[name]?.partitions.append(contentsOf: added) }
    }

    private func openNew(_ topic: MetaRecord.Topic, range: Range<Int32>) throws(StorageError) -> [PartitionLog] {
        let meta = state.withLock { $0.meta }
        var partitions: [PartitionLog] = []
        for index in range {
            partitions.append(try Self.open(topic, index, meta, isTrusted: false, options, environment).0)
        }
        try environment.files.synchronizeDirectory(options.directory)
        return partitions
    }

    /// Deletes a topic with its committed offsets.
    func deleteTopic(_ name: String) throws(StorageError) {
        guard let topic = topic(name), let record = state.withLock({ $0.meta.topics[topic.id] }) else { return }
        try decisive { () throws(StorageError) in try erase(record) }
    }

    /// Tombstone, directories renamed, files removed. A crash in between is finished at the next start.
    private func erase(_ topic: MetaRecord.Topic) throws(StorageError) {
        try remember(.topicDeleted(topic.id))
        let live = state.withLock { $0.topics.removeValue(forKey: topic.name) }
        for partition in live?.partitions ?? [] {
            partition.takeOffline()
            let idle = DispatchSemaphore(value: 0)
            partition.whenIdle { idle.signal() }
            idle.wait()
        }
        let files = environment.files
        try Self.renameForDeletion(topic, directory: options.directory, files: files)
        for index in 0..<topic.partitionCount {
            let path = "\(options.directory)/\(topic.name)-\(index).\(String(topic.id.low, radix: 16)).deleted"
            if files.exists(path) { try Self.removeTree(path, files: files) }
        }
        try offsets.forget(topic: topic.name)
        try remember(.topicPurged(topic.id))
    }

    /// Moves a partition's log start, durably before anything is removed. Answers the new start.
    func trim(_ topic: Topic, _ partition: PartitionLog, to offset: Int64) throws(StorageError) -> Int64 {
        try remember(.logStart(topic.id, partition: partition.index, offset: offset))
        try decisive { () throws(StorageError) in try partition.trim(to: offset) }
        return partition.bounds.logStart
    }

    /// Removes what is too old or too much in every topic, and compacts the small logs.
    func applyRetention() throws(StorageError) {
        for topic in topics {
            for partition in topic.partitions {
                if let start = partition.retentionStart() { _ = try trim(topic, partition, to: start) }
            }
        }
        try log.compactIfWorthwhile { state.withLock { $0.meta.records.map { $0.encoded() } } }
        try offsets.compactIfWorthwhile()
    }

    /// Waits until all appends are durable, closes every partition and leaves the mark that lets the next start trust
    /// the files' lengths. Appends must have stopped. Blocks.
    func close() throws(StorageError) {
        let group = DispatchGroup()
        let failure = Mutex<StorageError?>(nil)
        for partition in topics.flatMap(\.partitions) {
            group.enter()
            partition.whenIdle { [environment] in
                environment.readers.submit { _ in
                    do throws(StorageError) {
                        try partition.closeCleanly()
                    } catch {
                        failure.withLock { $0 = $0 ?? error }
                    }
                    group.leave()
                }
            }
        }
        group.enter()
        offsets.whenIdle { group.leave() }
        group.enter()
        log.whenIdle { group.leave() }
        group.wait()
        if let failure = failure.withLock({ $0 }) { throw failure }
        try environment.files.replace("clean", in: options.directory, with: ByteBuffer(string: "clean\n"))
        lock.release()
    }
}
