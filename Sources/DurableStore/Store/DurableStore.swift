public import GRDB
public import Messaging

/// A service's database: state, outbox, inbox, dead letters and deadlines in one SQLite file, written by one thread.
///
/// Units of work that wait at the same time share one transaction and one fsync (group commit); each has a savepoint of
/// its own, so that a failing unit takes only itself down. Readers run beside the writer and see committed rows only.
///
/// The file has one owner: hold an ``InstanceLock`` before opening it. After an I/O error the store refuses every further
/// write with a failure of class `fatal`; what was acknowledged is on the disk.
public final class DurableStore: Sendable {
    /// The time that units see.
    public let clock: any WallClock
    let database: any DatabaseWriter
    let writer: GroupCommitWriter
    let ids: any IDGenerator
    let random: @Sendable () -> UInt64
    let deadlineWake = WakeSignal()
    let feeds: OutboxFeeds
    let triesBeforeGivingBack: Int
    private let pausing: @Sendable (Duration) async -> Void
    private let isSimulated: Bool

    /// Opens or creates the file (mode 0600), sets WAL with `synchronous=FULL`, and runs the kit's migrations and then the
    /// service's. Blocks while it does; call it at start.
    ///
    /// - Parameters:
    ///   - migrations: the service's own tables, named, never edited after a release.
    ///   - clock: the time of day for rows.
    ///   - ids: where ``Transaction/newID()`` takes them from.
    ///   - random: 64 random bits at each call, for jitter.
    /// - Throws: what SQLite throws, or a ``Failure`` of class fatal when the file is newer than this program.
    public convenience init(
        _ configuration: DurableStoreConfiguration,
        migrations: DatabaseMigrator,
        clock: any WallClock = SystemClock(),
        ids: any IDGenerator = UUIDv7Generator(),
        random: @escaping @Sendable () -> UInt64 = { UInt64.random(in: .min ... .max) }
    ) throws {
        let database = try Self.open(configuration)
        try StoreSchema.migrate(database, service: migrations)
        self.init(database, isSimulated: false, configuration, clock: clock, ids: ids, random: random)
    }

    /// A store for deterministic simulations, over a connection that outlives it: the connection plays the disk.
    ///
    /// Units run on the caller's thread, in the call that queues them, so whoever drives the simulation from one task has
    /// every interleaving in hand. Closing the store leaves the connection open.
    ///
    /// - Parameter connection: migrated by ``migrate(_:service:)``.
    public convenience init(
        simulatedOver connection: DatabaseQueue,
        _ configuration: DurableStoreConfiguration,
        clock: any WallClock,
        ids: any IDGenerator,
        random: @escaping @Sendable () -> UInt64
    ) {
        self.init(connection, isSimulated: true, configuration, clock: clock, ids: ids, random: random)
    }

    /// Runs the kit's migrations and the service's on a connection for ``init(simulatedOver:_:clock:ids:random:)``.
    public static func migrate(_ connection: DatabaseQueue, service: DatabaseMigrator) throws {
        try StoreSchema.migrate(connection, service: service)
    }

    private init(
        _ database: any DatabaseWriter,
        isSimulated: Bool,
        _ configuration: DurableStoreConfiguration,
        clock: any WallClock,
        ids: any IDGenerator,
        random: @escaping @Sendable () -> UInt64
    ) {
        let feeds = OutboxFeeds(capacity: configuration.maximumHandover)
        self.database = database
        self.clock = clock
        self.ids = ids
        self.random = random
        self.feeds = feeds
        self.isSimulated = isSimulated
        pausing = configuration.pause
        triesBeforeGivingBack = max(1, configuration.triesBeforeGivingBack)
        let onHandover = configuration.onHandover
        writer = GroupCommitWriter(database: database, configuration: configuration, clock: clock) { rows in
            feeds.append(rows)
            onHandover?(Set(rows.map(\.message.destination.transport)))
        }
        let makeContext: @Sendable () -> GroupContext = { [deadlineWake] in
            GroupContext(ids: ids, random: random, deadlineWake: deadlineWake)
        }
        if isSimulated { writer.runInline(makeContext()) } else { writer.start(makeContext: makeContext) }
    }

    deinit { writer.close {} }

    /// A store in memory, for tests and simulations: the same rules, no file, nothing survives it.
    public static func inMemory(
        migrations: DatabaseMigrator,
        clock: any WallClock = SystemClock(),
        ids: any IDGenerator = UUIDv7Generator(),
        random: @escaping @Sendable () -> UInt64 = { UInt64.random(in: .min ... .max) }
    ) throws -> DurableStore {
        try DurableStore(
            DurableStoreConfiguration(path: nil),
            migrations: migrations,
            clock: clock,
            ids: ids,
            random: random
        )
    }

    /// Runs a unit of work and returns its value after the commit is on the disk.
    ///
    /// Units run in the order in which `write` was called: the call joins the queue before it suspends. The unit may run
    /// only once, on the writer's thread; it must not block and must not call the store. Cancelling the task does not take
    /// a queued unit back.
    ///
    /// - Returns: what the unit returned.
    /// - Throws: what the unit threw (its rows are rolled back); or a ``Failure``: `store-overloaded`, `store-full`,
    ///   `store-busy` (retryable), `store-closed` (interrupted), `store-io`, `store-corrupt` (fatal). After the code
    ///   `store-io` the unit may or may not be durable; after every other error it is not.
    public nonisolated(nonsending) func write<T: Sendable>(
        _ unit: @escaping @Sendable (Transaction) throws -> T
    ) async throws -> T {
        try await withCheckedThrowingContinuation { continuation in
            enqueueWrite(unit) { continuation.resume(with: $0) }
        }
    }

    /// Puts a unit in the queue and returns at once.
    ///
    /// - Parameter completion: gets the result after the commit, on the writer's thread; must be quick and must not block.
    public func enqueueWrite<T: Sendable>(
        _ unit: @escaping @Sendable (Transaction) throws -> T,
        completion: @escaping @Sendable (Result<T, any Error>) -> Void
    ) {
        writer.enqueue([TypedWriteJob(isRehearsal: false, unit: unit, recovery: nil, completion: completion)])
    }

    /// Runs several units, next to each other in the queue and in order; each succeeds or fails alone.
    ///
    /// - Returns: one result per unit, in the order of `units`.
    public nonisolated(nonsending) func writeEach<T: Sendable>(
        _ units: [@Sendable (Transaction) throws -> T]
    ) async -> [Result<T, any Error>] {
        await writeEach(units.map { RecoverableUnit(run: $0, recover: nil) })
    }

    /// As ``writeEach(_:)``; a unit that fails is rolled back and its recovery runs in its place, in the same commit.
    nonisolated(nonsending) func writeEach<T: Sendable>(_ units: [RecoverableUnit<T>]) async -> [Result<T, any Error>] {
        guard !units.isEmpty else { return [] }
        return await withCheckedContinuation { continuation in
            let collector = ResultCollector<T>(count: units.count) { continuation.resume(returning: $0) }
            writer.enqueue(
                units.enumerated().map { index, unit in
                    TypedWriteJob(isRehearsal: false, unit: unit.run, recovery: unit.recover) {
                        collector.put($0, at: index)
                    }
                }
            )
        }
    }

    /// Runs a unit and rolls it back whatever it returns: a dry run that sees what a real one would.
    public nonisolated(nonsending) func rehearse<T: Sendable>(
        _ unit: @escaping @Sendable (Transaction) throws -> T
    ) async throws -> T {
        try await withCheckedThrowingContinuation { continuation in
            writer.enqueue([
                TypedWriteJob(isRehearsal: true, unit: unit, recovery: nil) { continuation.resume(with: $0) }
            ])
        }
    }

    /// Reads committed rows, from one snapshot, beside the writer.
    ///
    /// - Throws: what `body` throws; a `Failure` whose code begins with `store-` when the store itself failed; `CancellationError` when the
    ///   task is cancelled.
    public func read<T: Sendable>(_ body: @escaping @Sendable (Database) throws -> T) async throws -> T {
        guard isSimulated else {
            do { return try await database.read(body) } catch { throw Failure.ofStore(error) ?? error }
        }
        if let failure { throw failure }
        return try readAtOnce(body)
    }

    /// Outside an asynchronous function, so that the blocking form is meant. Without a transaction around it: the one task of
    /// the simulation is not writing meanwhile, and its four statements would cost more than most reads.
    private func readAtOnce<T: Sendable>(_ body: @Sendable (Database) throws -> T) throws -> T {
        try database.unsafeRead(body)
    }

    /// Refuses everything from now on with `failure`, as after the death of the process. For simulations; what was committed
    /// stays with the connection.
    public func abandon(_ failure: Failure) { writer.abandon(failure) }

    /// Waits before something is tried again, as ``DurableStoreConfiguration/pause`` says.
    public func pause(for duration: Duration) async { await pausing(duration) }

    /// Refuses new units, finishes the queued ones and closes the file. Calling it again is harmless.
    public func close() async {
        await withCheckedContinuation { continuation in
            writer.close { continuation.resume() }
        }
    }

    /// The failure after which the store refuses writes; `nil` while it is well. For readiness.
    public var failure: Failure? { writer.failure }

    /// How many units wait for the writer now. For metrics.
    public var queueDepth: Int { writer.queueDepth }

    private static func open(_ configuration: DurableStoreConfiguration) throws -> any DatabaseWriter {
        SQLiteLibrary.prepare()
        var grdb = GRDB.Configuration()
        grdb.label = "store"
        grdb.busyMode = .timeout(Double(configuration.busyTimeoutMilliseconds) / 1000)
        grdb.maximumReaderCount = configuration.maximumReaders
        grdb.prepareDatabase { db in
            try db.execute(sql: "PRAGMA trusted_schema = OFF")
            try db.execute(sql: "PRAGMA temp_store = MEMORY")
            guard !db.configuration.readonly else { return }
            // A checkpoint each 16 MiB of log: fewer than SQLite's default of 4 MiB, still a small file.
            try db.execute(sql: "PRAGMA wal_autocheckpoint = 4096")
            try db.execute(sql: "PRAGMA journal_size_limit = 67108864")
            try db.execute(sql: "PRAGMA cache_size = -\(max(1, configuration.writerCacheBytes >> 10))")
        }
        guard let path = configuration.path else { return try DatabaseQueue(configuration: grdb) }
        // SQLite gives its log and shared-memory files the mode of the database file.
        try PrivateFile.create(path)
        let pool = try DatabasePool(path: path, configuration: grdb)
        // Only now: while it opens, the pool sets `synchronous` to NORMAL, which does not sync at a commit.
        try pool.writeWithoutTransaction { try $0.execute(sql: "PRAGMA synchronous = FULL") }
        return pool
    }
}

/// A unit and what runs in its place, in the same commit, when it throws.
struct RecoverableUnit<Value: Sendable>: Sendable {
    let run: @Sendable (Transaction) throws -> Value
    let recover: (@Sendable (any Error, Transaction) throws -> Value)?
}
