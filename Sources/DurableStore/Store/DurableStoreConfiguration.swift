public import Messaging

/// Where a store keeps its file and how much it holds in memory.
public struct DurableStoreConfiguration: Sendable {
    /// The database file; its folder exists. `nil` keeps everything in memory, for tests and simulations.
    public var path: String?
    /// The most units of work in one commit, at least 1.
    public var maximumBatch: Int
    /// The most units that wait for the writer; callers beyond it fail at once with `store-overloaded` (retryable).
    public var maximumQueue: Int
    /// The most connections that read at the same time.
    public var maximumReaders: Int
    /// How long SQLite waits for another process's lock, in milliseconds. There should be none: see ``InstanceLock``.
    public var busyTimeoutMilliseconds: Int
    /// The most rows, per transport, that a commit hands to the relay in memory; beyond it the relay reads the table.
    public var maximumHandover: Int
    /// Bytes of the file that the writer keeps in memory; the system's own cache holds the rest.
    public var writerCacheBytes: Int = 64 << 20
    /// Called at each step of a group commit, on the writer's thread. For crash tests: to throw is to fail there as the
    /// disk would (the store then refuses further writes), to kill the process is to crash there.
    public var onStep: (@Sendable (StoreStep) throws -> Void)?
    /// Told, on the writer's thread, after each commit that added rows to the outbox. For simulations, whose relays do not wait
    /// for rows by themselves.
    public var onHandover: (@Sendable (Set<Transport>) -> Void)?
    /// How the parts that work on the store wait before they try something again. A simulation lets no real time pass here.
    public var pause: @Sendable (Duration) async -> Void = { try? await Task.sleep(for: $0) }
    /// How often the consumers of queues try what the store could not write before they give it back, at least 1. With the
    /// pauses in between, 100 ms growing to 5 s, the default makes about five minutes; see `StorePause`.
    public var triesBeforeGivingBack = 60

    /// Makes a configuration; see the properties.
    public init(
        path: String?,
        maximumBatch: Int = 512,
        maximumQueue: Int = 10_000,
        maximumReaders: Int = 4,
        busyTimeoutMilliseconds: Int = 5000,
        maximumHandover: Int = 8192,
        onStep: (@Sendable (StoreStep) throws -> Void)? = nil
    ) {
        self.path = path
        self.maximumBatch = max(1, maximumBatch)
        self.maximumQueue = max(1, maximumQueue)
        self.maximumReaders = max(1, maximumReaders)
        self.busyTimeoutMilliseconds = max(0, busyTimeoutMilliseconds)
        self.maximumHandover = max(1, maximumHandover)
        self.onStep = onStep
    }
}

/// A point in a group commit at which a crash matters. Each is also a failpoint of real processes: `store.before-commit`.
public enum StoreStep: String, Sendable, CaseIterable {
    /// Before `BEGIN`.
    case beforeBegin = "before-begin"
    /// After a unit ran and its savepoint was released.
    case afterUnit = "after-unit"
    /// All units ran; nothing is durable.
    case beforeCommit = "before-commit"
    /// Everything is durable; nobody has been told.
    case afterCommit = "after-commit"
}
