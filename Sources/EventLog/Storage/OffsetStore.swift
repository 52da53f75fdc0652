import NIOConcurrencyHelpers
import NIOCore

/// A committed offset.
struct CommittedOffset: Equatable, Sendable {
    var offset: Int64
    var leaderEpoch: Int32 = -1
    var metadata: String
    /// Wall time of the commit, milliseconds.
    var committedAt: Int64
}

struct TopicPartition: Hashable, Sendable {
    var topic: String
    var partition: Int32
}

/// Committed offsets and group generations, in `offsets.log`. Offsets are visible when they are durable.
///
/// Thread-safe: the tables are behind one lock; the file is ``FramedLog``'s.
final class OffsetStore: Sendable {
    enum Record: Equatable {
        case offset(group: String, TopicPartition, CommittedOffset)
        case offsetRemoved(group: String, TopicPartition)
        case generation(group: String, Int32)
        case groupRemoved(group: String)

        func encoded() -> ByteBuffer {
            var writer = ByteBuffer()
            switch self {
            case .offset(let group, let partition, let value):
                writer.writeInteger(UInt8(1))
                writer.writeText(group)
                writer.writeText(partition.topic)
                writer.writeInteger(partition.partition)
                writer.writeInteger(value.offset)
                writer.writeInteger(value.leaderEpoch)
                writer.writeInteger(value.committedAt)
                writer.writeText(value.metadata)
            case .offsetRemoved(let group, let partition):
                writer.writeInteger(UInt8(2))
                writer.writeText(group)
                writer.writeText(partition.topic)
                writer.writeInteger(partition.partition)
            case .generation(let group, let generation):
                writer.writeInteger(UInt8(3))
                writer.writeText(group)
                writer.writeInteger(generation)
            case .groupRemoved(let group):
                writer.writeInteger(UInt8(4))
                writer.writeText(group)
            }
            return writer
        }

        static func decode(_ payload: ByteBuffer) -> Record? {
            var reader = payload
            guard let kind = reader.readInteger(as: UInt8.self), let group = reader.readText() else { return nil }
            switch kind {
            case 1:
                guard let topic = reader.readText(), let partition = reader.readInteger(as: Int32.self),
                    let offset = reader.readInteger(as: Int64.self), let epoch = reader.readInteger(as: Int32.self),
                    let time = reader.readInteger(as: Int64.self), let metadata = reader.readText()
                else { return nil }
                return .offset(
                    group: group,
                    TopicPartition(topic: topic, partition: partition),
                    CommittedOffset(offset: offset, leaderEpoch: epoch, metadata: metadata, committedAt: time)
                )
            case 2:
                guard let topic = reader.readText(), let partition = reader.readInteger(as: Int32.self) else {
                    return nil
                }
                return .offsetRemoved(group: group, TopicPartition(topic: topic, partition: partition))
            case 3: return reader.readInteger(as: Int32.self).map { .generation(group: group, $0) }
            case 4: return .groupRemoved(group: group)
            default: return nil
            }
        }
    }

    private struct State {
        var offsets: [String: [TopicPartition: CommittedOffset]] = [:]
        var generations: [String: Int32] = [:]

        mutating func apply(_ record: Record) {
            switch record {
            case .offset(let group, let partition, let value): offsets[group, default: [:]][partition] = value
            case .offsetRemoved(let group, let partition): offsets[group]?[partition] = nil
            case .generation(let group, let generation):
                generations[group] = max(generation, generations[group] ?? generation)
            case .groupRemoved(let group):
                offsets[group] = nil
                generations[group] = nil
            }
        }

        var records: [Record] {
            generations.map { .generation(group: $0.key, $0.value) }
                + offsets.flatMap { group, values in values.map { .offset(group: group, $0.key, $0.value) } }
        }
    }

    private let tables: NIOLockedValueBox<State>
    private let log: FramedLog

    /// Opens and replays `offsets.log`.
    init(directory: String, environment: StorageEnvironment) throws(StorageError) {
        let tables = NIOLockedValueBox(State())
        self.tables = tables
        log = try FramedLog(directory: directory, name: "offsets.log", environment: environment) { payload in
            if let record = Record.decode(payload) { tables.withLockedValue { $0.apply(record) } }
        }
    }

    /// Writes records; when `completion` is called without an error they are durable and visible.
    func write(_ records: [Record], completion: @escaping @Sendable (StorageError?) -> Void) {
        log.append(records.map { $0.encoded() }) { [tables] error in
            if error == nil {
                tables.withLockedValue { state in
                    for record in records { state.apply(record) }
                }
            }
            completion(error)
        }
    }

    func offset(group: String, _ partition: TopicPartition) -> CommittedOffset? {
        tables.withLockedValue { $0.offsets[group]?[partition] }
    }

    func offsets(group: String) -> [TopicPartition: CommittedOffset] {
        tables.withLockedValue { $0.offsets[group] ?? [:] }
    }

    func generation(group: String) -> Int32? { tables.withLockedValue { $0.generations[group] } }

    /// Every group that has a generation or an offset.
    var groups: Set<String> {
        tables.withLockedValue { Set($0.generations.keys).union($0.offsets.filter { !$0.value.isEmpty }.keys) }
    }

    /// Groups with an offset; how many there may be is bounded by the coordinator.
    var groupCount: Int { tables.withLockedValue { $0.offsets.count } }

    func hasOffsets(group: String) -> Bool { tables.withLockedValue { !($0.offsets[group]?.isEmpty ?? true) } }

    /// Removes a topic's offsets from every group, durably. Blocks; for the administration thread and for start.
    func forget(topic: String) throws(StorageError) {
        let removals = tables.withLockedValue { state in
            state.offsets.flatMap { group, values in
                values.keys.filter { $0.topic == topic }.map { Record.offsetRemoved(group: group, $0) }
            }
        }
        guard !removals.isEmpty else { return }
        try log.appendAndWait(removals.map { $0.encoded() })
        tables.withLockedValue { state in for record in removals { state.apply(record) } }
    }

    /// May block; for the administration thread.
    func compactIfWorthwhile() throws(StorageError) {
        try log.compactIfWorthwhile { tables.withLockedValue { $0.records.map { $0.encoded() } } }
    }

    func whenIdle(_ callback: @escaping @Sendable () -> Void) { log.whenIdle(callback) }
}
