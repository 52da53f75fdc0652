import Commerce
import DurableStore
import Failpoints
import Foundation
import Kafka
import Logging
import Messaging
import ServiceKit
import Synchronization

/// Folds the log again from its beginning into an empty database and compares the result with the live read models.
///
/// The live rows and the offsets they were folded up to are read in one transaction, so both sides stand at the same point of
/// the log although the live side goes on. One rebuild at a time.
///
/// ```
/// idle ──start──► running ──► finished (identical or not)
///                    └──────► failed
/// ```
public final class Rebuild: Sendable {
    /// How a rebuild stands.
    public struct Status: Sendable, Equatable {
        /// `running`, `finished` or `failed`.
        public var state: String
        /// Records read so far.
        public var read: Int64
        /// Records to read.
        public var total: Int64
        /// Whether the rebuilt rows are the live ones; `nil` until it is known.
        public var identical: Bool?
        /// Each table: rows on both sides and whether they are the same.
        public var tables: [Table]
        /// What went wrong, for `failed`.
        public var error: String?

        /// One table of the comparison.
        public struct Table: Sendable, Equatable {
            /// Its name.
            public let name: String
            /// Rows on the live side.
            public let live: Int
            /// Rows on the rebuilt side.
            public let rebuilt: Int
            /// Whether they are the same.
            public let identical: Bool
        }
    }

    private struct State {
        var runs: [String: Status] = [:]
        var order: [String] = []
        var active = false
    }

    /// Remembered rebuilds; the oldest is forgotten.
    private static let maximumRuns = 20

    private let store: DurableStore
    private let log: EventLogReader
    private let folder: URL
    private let logger: Logger
    private let state = Mutex(State())

    /// - Parameter folder: where the scratch databases live while a rebuild runs, this service's own. What a process left that
    ///   was killed in the middle of one is removed here.
    init(store: DurableStore, log: EventLogReader, folder: URL, logger: Logger) {
        self.store = store
        self.log = log
        self.folder = folder
        self.logger = logger
        removeLeftovers()
    }

    private static let prefix = "rebuild-"

    private func removeLeftovers() {
        let entries = (try? FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)) ?? []
        for entry in entries where entry.lastPathComponent.hasPrefix(Self.prefix) {
            logger.info("removing what is left of a rebuild", metadata: ["folder": "\(entry.lastPathComponent)"])
            try? FileManager.default.removeItem(at: entry)
        }
    }

    /// How a rebuild stands; `nil` for one that is not known.
    public func status(of id: String) -> Status? {
        state.withLock { $0.runs[id] }
    }

    /// Reserves the one place; `nil` while another rebuild runs.
    func reserve(_ id: String) -> String? {
        state.withLock { state in
            guard !state.active else { return nil }
            state.active = true
            state.order.append(id)
            if state.order.count > Self.maximumRuns { state.runs[state.order.removeFirst()] = nil }
            state.runs[id] = Status(state: "running", read: 0, total: 0, identical: nil, tables: [], error: nil)
            return id
        }
    }

    /// Rebuilds and compares. Call once after ``reserve(_:)``.
    func run(_ id: String) async {
        do {
            try await rebuild(id)
            update(id) { $0.state = "finished" }
        } catch {
            logger.error("A rebuild failed.", metadata: ["error": "\(error)"])
            update(id) {
                $0.state = "failed"
                $0.error = "\(error)"
            }
        }
        state.withLock { $0.active = false }
    }

    private func rebuild(_ id: String) async throws {
        let handler = ReadModelHandler()
        let (live, offsets) = try await store.read { db in
            // Parked records are before the offsets but not in the rows: then there is nothing to compare with.
            let parked = try EventProcessor.parkedRecords(consumer: handler.consumer, in: db)
            guard parked == 0 else {
                throw Failure(
                    .retryable,
                    code: "records-parked",
                    "\(parked) records wait for another attempt; try again later."
                )
            }
            return (try ReadModelDump(db), try ReadModelDump.offsets(of: handler.consumer, in: db))
        }
        let total = offsets.values.reduce(0, +)
        update(id) { $0.total = total }

        let place = folder.appendingPathComponent(Self.prefix + id)
        try FileManager.default.createDirectory(
            at: place,
            withIntermediateDirectories: true,
            attributes: [.posixPermissions: 0o700]
        )
        defer { try? FileManager.default.removeItem(at: place) }
        let scratch = try DurableStore(
            DurableStoreConfiguration(path: place.appendingPathComponent("rebuild.db").path),
            migrations: AnalyticsSchema.migrations
        )
        do {
            // Nothing is parked here: a record that cannot be folded now ends the rebuild.
            let processor = EventProcessor(
                store: scratch,
                consumer: handler.consumer,
                handler: handler,
                limits: EventProcessor.Limits(maximumParked: 0)
            )
            try await log.read(upTo: offsets) { batch in
                Failpoints.reach("rebuild.before-batch")
                for verdict in await processor.process(batch) {
                    switch verdict {
                    case .acknowledge: break
                    case .giveBack(let failure), .stop(let failure): throw failure
                    }
                }
                self.update(id) { $0.read += Int64(batch.count) }
            }
            Failpoints.reach("rebuild.before-comparison")
            let rebuilt = try await scratch.read { db in try ReadModelDump(db) }
            let tables = zip(live.tables, rebuilt.tables).map { left, right in
                Status.Table(name: left.name, live: left.rows, rebuilt: right.rows, identical: left == right)
            }
            update(id) {
                $0.tables = tables
                $0.identical = live == rebuilt
            }
        } catch {
            await scratch.close()
            throw error
        }
        await scratch.close()
    }

    private func update(_ id: String, _ change: (inout Status) -> Void) {
        state.withLock { state in
            guard var status = state.runs[id] else { return }
            change(&status)
            state.runs[id] = status
        }
    }
}
