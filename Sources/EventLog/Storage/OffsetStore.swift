import NIOCore
import Synchronization

/// A committed offset.
struct CommittedOffset: Equatable, WireStruct {
    var offset: Int64 = -1
    var leaderEpoch: Int32 = -1
    var metadata = ""
    /// Wall time of the commit, milliseconds.
    var committedAt: Int64 = 0

    static let fields: Fields = [.init(\.offset), .init(\.leaderEpoch), .init(\.committedAt), .init(\.metadata)]
}

struct TopicPartition: Hashable, WireStruct {
    var topic = ""
    var partition: Int32 = 0

    static let fields: Fields = [.init(\.topic), .init(\.partition)]
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
            switch self {
            case .offset(let group, let partition, let value): .record(1, group, partition, value)
            case .offsetRemoved(let group, let partition): .record(2, group, partition)
            case .generation(let group, let generation): .record(3, group, generation)
            case .groupRemoved(let group): .record(4, group)
            }
        }

        static func decode(_ payload: ByteBuffer) -> Record? {
            payload.readRecord { (kind, reader) throws(WireError) in
                let group: String = try reader.value()
                return switch kind {
                case 1: .offset(group: group, try reader.value(), try reader.value())
                case 2: .offsetRemoved(group: group, try reader.value())
                case 3: .generation(group: group, try reader.value())
                case 4: .groupRemoved(group: group)
                default: nil
                }
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

    private let tables: Mutex<State>
    private let log: FramedLog

    /// Opens and replays `offsets.log`.
    init(directory: String, environment: StorageEnvironment) throws(StorageError) {
        var state = State()
        log = try FramedLog(directory: directory, name: "offsets.log", environment: environment) { payload in
            if let record = Record.decode(payload) { state.apply(record) }
        }
        tables = Mutex(state)
    }

    /// Writes records; when `completion` is called without an error they are durable and visible.
    func write(_ records: [Record], completion: @escaping @Sendable (StorageError?) -> Void) {
        log.append(records.map { $0.encoded() }) { [self] error in
            if error == nil { apply(records) }
            completion(error)
        }
    }

    private func apply(_ records: [Record]) {
        tables.withLock { state in for record in records { state.apply(record) } }
    }

    func offset(group: String, _ partition: TopicPartition) -> CommittedOffset? {
        tables.withLock { $0.offsets[group]?[partition] }
    }

    func offsets(group: String) -> [TopicPartition: CommittedOffset] {
        tables.withLock { $0.offsets[group] ?? [:] }
    }

    func generation(group: String) -> Int32? { tables.withLock { $0.generations[group] } }

    /// Every group that has a generation or an offset.
    var groups: Set<String> {
        tables.withLock { Set($0.generations.keys).union($0.offsets.filter { !$0.value.isEmpty }.keys) }
    }

    /// Groups with an offset; how many there may be is bounded by the coordinator.
    var groupCount: Int { tables.withLock { $0.offsets.count } }

    func hasOffsets(group: String) -> Bool { tables.withLock { !($0.offsets[group]?.isEmpty ?? true) } }

    /// Removes a topic's offsets from every group, durably. Blocks; for the administration thread and for start.
    func forget(topic: String) throws(StorageError) {
        let removals = tables.withLock { state in
            state.offsets.flatMap { group, values in
                values.keys.filter { $0.topic == topic }.map { Record.offsetRemoved(group: group, $0) }
            }
        }
        guard !removals.isEmpty else { return }
        try log.appendAndWait(removals.map { $0.encoded() })
        apply(removals)
    }

    /// May block; for the administration thread.
    func compactIfWorthwhile() throws(StorageError) {
        try log.compactIfWorthwhile { tables.withLock { $0.records.map { $0.encoded() } } }
    }

    /// Returns when nothing is on its way to the disk. Blocks.
    func waitUntilIdle() { log.waitUntilIdle() }
}
