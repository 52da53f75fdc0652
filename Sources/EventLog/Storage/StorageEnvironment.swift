import Logging
import NIOPosix

/// What every part of the storage shares. Immutable, or safe to use from any thread.
struct StorageEnvironment: Sendable {
    let files: any FileLayer
    /// Threads that write and synchronise.
    let flushers: NIOThreadPool
    /// Threads that read for fetches and lookups.
    let readers: NIOThreadPool
    /// The one thread that creates and deletes topics and applies retention.
    let administration: NIOThreadPool
    let metrics: LogMetrics
    let logger: Logger
    /// Wall time, milliseconds since 1970.
    let now: @Sendable () -> Int64
    /// Told when a synchronisation failed, maybe more than once; the process must end with a failure.
    let onFatal: @Sendable (StorageError) -> Void

    var pools: [NIOThreadPool] { [flushers, readers, administration] }
}
