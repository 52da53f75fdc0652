import Logging
import NIOPosix
import Synchronization

/// What every part of the storage shares. Immutable, or safe to use from any thread.
final class StorageEnvironment: Sendable {
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
    /// Told once when a synchronisation failed; the process must end with a failure.
    let onFatal: @Sendable (StorageError) -> Void

    init(
        files: any FileLayer,
        flushers: NIOThreadPool,
        readers: NIOThreadPool,
        administration: NIOThreadPool,
        metrics: LogMetrics,
        logger: Logger,
        now: @escaping @Sendable () -> Int64,
        onFatal: @escaping @Sendable (StorageError) -> Void
    ) {
        self.files = files
        self.flushers = flushers
        self.readers = readers
        self.administration = administration
        self.metrics = metrics
        self.logger = logger
        self.now = now
        self.onFatal = onFatal
    }
}
