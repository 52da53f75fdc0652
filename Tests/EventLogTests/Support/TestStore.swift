import Logging
import NIOCore
import NIOPosix
import Synchronization

@testable import EventLog

/// A store on any file layer, with thread pools that all tests share.
struct TestStore {
    static let pools: (flushers: NIOThreadPool, readers: NIOThreadPool, administration: NIOThreadPool) = {
        let pools = (
            NIOThreadPool(numberOfThreads: 4), NIOThreadPool(numberOfThreads: 2), NIOThreadPool(numberOfThreads: 2)
        )
        pools.0.start()
        pools.1.start()
        pools.2.start()
        return pools
    }()

    let store: LogStore
    let environment: StorageEnvironment
    let fatalErrors: SharedBox<Mutex<[StorageError]>>

    static func open(
        _ files: any FileLayer,
        directory: String = "/data",
        segmentBytes: Int = 4096,
        now: Int64 = 1_000_000
    ) async throws -> TestStore {
        let errors = SharedBox(Mutex<[StorageError]>([]))
        let environment = StorageEnvironment(
            files: files,
            flushers: pools.flushers,
            readers: pools.readers,
            administration: pools.administration,
            metrics: LogMetrics(),
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() },
            now: { now },
            onFatal: { error in errors.value.withLock { $0.append(error) } }
        )
        var configuration = EventLogConfiguration(dataDirectory: directory)
        configuration.segmentBytes = segmentBytes
        configuration.maxMessageBytes = 1 << 20
        configuration.maxPartitions = 1000
        let chosen = configuration
        let store = try await pools.administration.runIfActive {
            try LogStore(chosen, environment: environment)
        }
        return TestStore(store: store, environment: environment, fatalErrors: errors)
    }

    func administrate<Value: Sendable>(
        _ body: @escaping @Sendable (LogStore) throws -> Value
    ) async throws -> Value {
        try await Self.pools.administration.runIfActive { [store] in try body(store) }
    }

    /// Appends one batch, as a producer's request does.
    func append(_ batch: ByteBuffer, to log: PartitionLog) async -> PartitionLog.Outcome {
        guard let header = try? BatchCheck.produced(batch, maxBytes: 1 << 20) else { return .refused(.corruptMessage) }
        return await withCheckedContinuation { continuation in
            log.append(batch, header: header) { continuation.resume(returning: $0) }
        }
    }

    /// All records of a partition, by offset.
    func values(_ log: PartitionLog) async throws -> [Int64: String] {
        try await Self.pools.readers.runIfActive {
            var found: [Int64: String] = [:]
            var offset = log.bounds.logStart
            while case .ready(let plan) = log.fetchState(at: offset, waiter: nil).0 {
                let records = try log.read(plan, maxBytes: 1 << 20, atLeastOne: true)
                let values = TestBatch.values(records)
                guard let last = values.keys.max() else { break }
                found.merge(values.filter { $0.key >= offset }) { $1 }
                offset = last + 1
            }
            return found
        }
    }

    func close() async throws { try await administrate { try $0.close() } }
}

/// Carries a value that cannot be copied (a lock, an atomic) into several closures.
final class SharedBox<Value: ~Copyable & Sendable>: Sendable {
    let value: Value

    init(_ value: consuming Value) { self.value = value }
}
