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
    private struct State {
        var meta: MetaState
        var topics: [String: Topic] = [:]
        /// The next producer id of the reserved block.
        var nextProducerId: Int64
    }

    /// The one node's id.
    static let nodeId: Int32 = 1
    /// Producer ids reserved at a time.
    static let producerIdBlock: Int64 = 1000
    static let maxTopicNameLength = 249

    let clusterId: String
    let leaderEpoch: Int32
    let summary: DataDirectory.Summary
    let offsets: OffsetStore
    private let directory: DataDirectory
    private let maxPartitions: Int
    private let environment: StorageEnvironment
    private let log: FramedLog
    private let lock: any FileLock
    private let state: Mutex<State>

    /// Takes the directory's lock, repairs what a crash left, finishes half-done deletions and opens every partition.
    /// Blocks; memory stays bounded by the number of partitions, not by their size.
    init(_ configuration: EventLogConfiguration, environment: StorageEnvironment) throws(StorageError) {
        maxPartitions = configuration.maxPartitions
        self.environment = environment
        directory = DataDirectory(
            path: configuration.dataDirectory,
            settingDefaults: TopicSettings.defaults(configuration),
            environment: environment
        )
        let files = environment.files
        try files.makeDirectory(directory.path)
        lock = try files.lock("\(directory.path)/lock")
        let isFirstStart = !files.exists("\(directory.path)/cluster.json")
        clusterId = try directory.clusterId()
        var meta = MetaState()
        log = try FramedLog(directory: directory.path, name: "meta.log", environment: environment) { payload in
            if let record = MetaRecord.decode(payload) { meta.apply(record) }
        }
        offsets = try OffsetStore(directory: directory.path, environment: environment)
        let marker = "\(directory.path)/clean"
        let stoppedCleanly = files.exists(marker)
        if stoppedCleanly {
            try files.remove(marker)
            try files.synchronizeDirectory(directory.path)
        } else if !isFirstStart {
            let record = MetaRecord.leaderEpoch(meta.leaderEpoch + 1)
            try log.appendAndWait([record.encoded()])
            meta.apply(record)
        }
        leaderEpoch = meta.leaderEpoch
        try directory.finishDeletions(&meta, log: log, offsets: offsets)
        let (topics, summary) = try directory.open(meta, isTrusted: stoppedCleanly)
        self.summary = summary
        state = Mutex(State(meta: meta, topics: topics, nextProducerId: meta.nextProducerId))
    }

    // MARK: Looking up

    func topic(_ name: String) -> Topic? { state.withLock { $0.topics[name] } }

    func topic(id: TopicID) -> Topic? {
        state.withLock { state in state.meta.topics[id].flatMap { state.topics[$0.name] } }
    }

    /// All topics by name.
    var topics: [Topic] { state.withLock { Array($0.topics.values) }.sorted { $0.name < $1.name } }

    /// The defaults that topics' settings fall back to.
    var settingDefaults: [String: String] { directory.settingDefaults }

    func partition(_ topic: String, _ index: Int32) -> PartitionLog? {
        state.withLock { state in
            guard let partitions = state.topics[topic]?.partitions, index >= 0, Int(index) < partitions.count else {
                return nil
            }
            return partitions[Int(index)]
        }
    }

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
    func exceedsLimit(adding count: Int) -> Bool { topics.reduce(count) { $0 + $1.partitions.count } > maxPartitions }

    /// Creates a topic; the caller has checked name, counts and settings.
    func createTopic(_ name: String, partitionCount: Int32, overrides: [String: String]) throws(StorageError) -> Topic {
        try decisive { () throws(StorageError) in
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
                let path = directory.partition(name, index)
                if environment.files.exists(path) {
                    environment.logger.warning("Moved a stray directory aside", metadata: ["path": "\(path)"])
                    try environment.files.rename(path, to: "\(path).\(String(record.id.low, radix: 16)).stray")
                }
            }
            try remember(.topicCreated(record))
            let topic = directory.topic(record, try openNew(record, range: 0..<partitionCount))
            state.withLock { $0.topics[name] = topic }
            return topic
        }
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
        for index in range { partitions.append(try directory.open(topic, index, meta, isTrusted: false)) }
        try environment.files.synchronizeDirectory(directory.path)
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
            partition.waitUntilIdle()
        }
        for path in try directory.renameForDeletion(topic) { try directory.removeTree(path) }
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
        _ = try environment.readers.mapAndWait(topics.flatMap(\.partitions)) { (partition) throws(StorageError) in
            partition.waitUntilIdle()
            try partition.closeCleanly()
        }
        offsets.waitUntilIdle()
        log.waitUntilIdle()
        try environment.files.replace("clean", in: directory.path, with: ByteBuffer(string: "clean\n"))
        lock.release()
    }
}
