import Dispatch
import Foundation
public import Logging
import NIOCore
import NIOPosix
import Synchronization

/// The embedded event log: a durable, single-node server of the Kafka protocol.
///
/// ``start(_:logger:)`` takes the data directory, repairs what a crash left, and only then listens. Whatever it
/// acknowledges is on disk. It is one node without replication or authentication: a part of a system on one machine,
/// never a replacement for a Kafka cluster.
///
/// Thread-safe.
public final class LogServer: Sendable {
    /// The port that clients connect to.
    public let port: Int
    /// The port of health and metrics, if asked for.
    public let metricsPort: Int?

    let broker: Broker
    private let group: MultiThreadedEventLoopGroup
    private let failure: AsyncStream<String>
    /// What ``stop()`` ends; nil from then on.
    private let running: Mutex<(channels: [any Channel], tasks: [RepeatedTask])?>

    /// Starts a server and returns when it accepts connections.
    ///
    /// - Throws: ``EventLogError`` when the directory is in use, unusable or damaged, or a port is taken.
    public static func start(_ configuration: EventLogConfiguration, logger: Logger) async throws -> LogServer {
        try await start(configuration, logger: logger, files: PosixFileLayer())
    }

    /// The same on another file layer.
    static func start(
        _ configuration: EventLogConfiguration,
        logger: Logger,
        files: any FileLayer
    ) async throws -> LogServer {
        let (failure, failureSource) = AsyncStream.makeStream(of: String.self, bufferingPolicy: .bufferingOldest(1))
        let environment = StorageEnvironment(
            files: files,
            flushers: NIOThreadPool(numberOfThreads: 6),
            readers: NIOThreadPool(numberOfThreads: 4),
            administration: NIOThreadPool(numberOfThreads: 1),
            metrics: LogMetrics(),
            logger: logger,
            now: { Int64(Date().timeIntervalSince1970 * 1000) },
            onFatal: { error in
                logger.critical("The disk failed", metadata: ["error": "\(error)"])
                failureSource.yield("\(error)")
                failureSource.finish()
            }
        )
        for pool in environment.pools { pool.start() }
        let group = MultiThreadedEventLoopGroup(numberOfThreads: max(2, min(4, System.coreCount)))
        do {
            return try await LogServer(configuration, environment: environment, group: group, failure: failure)
        } catch {
            for pool in environment.pools { try? await pool.shutdownGracefully() }
            try? await group.shutdownGracefully()
            throw EventLogError(error)
        }
    }

    private init(
        _ configuration: EventLogConfiguration,
        environment: StorageEnvironment,
        group: MultiThreadedEventLoopGroup,
        failure: AsyncStream<String>
    ) async throws {
        // Liveness answers from the first moment; readiness only after recovery.
        let probe = try await Self.binding(configuration.metricsHost ?? "", configuration.metricsPort) {
            try await HTTPProbe.bind(configuration, group: group)
        }
        let began = ContinuousClock.now
        let store = try await Self.patiently {
            try await environment.administration.runIfActive { try LogStore(configuration, environment: environment) }
        } whenTaken: {
            ($0 as? StorageError)?.kind == .locked
        }
        environment.logger.info(
            "Recovered",
            metadata: [
                "partitions": "\(store.summary.partitions)", "cleanStop": "\(store.summary.stoppedCleanly)",
                "bytesScanned": "\(store.summary.bytesScanned)", "bytesCut": "\(store.summary.bytesCut)",
                "duration": "\(ContinuousClock.now - began)",
            ]
        )
        let groups = GroupCoordinator(
            offsets: store.offsets,
            configuration: configuration,
            exists: { store.partition($0.topic, $0.partition) != nil },
            now: { Int64((ContinuousClock.now - began) / .milliseconds(1)) },
            wallTime: environment.now,
            newId: { UUID().uuidString.lowercased() }
        )
        let broker = Broker(configuration: configuration, store: store, groups: groups, environment: environment)
        let listener = try await Self.binding(configuration.host, configuration.port) {
            try await Self.listen(configuration, broker: broker, group: group)
        }
        port = listener.localAddress?.port ?? configuration.port
        metricsPort = probe?.port
        let isWildcard = ["0.0.0.0", "::", ""].contains(configuration.host)
        broker.address = (
            configuration.advertisedHost ?? (isWildcard ? "127.0.0.1" : configuration.host),
            configuration.advertisedPort ?? port
        )
        probe?.ready(broker)
        self.broker = broker
        self.group = group
        self.failure = failure
        let tasks = Self.repeatTasks(configuration, broker: broker, on: group.next())
        running = Mutex((channels: [listener] + (probe.map { [$0.channel] } ?? []), tasks: tasks))
    }

    /// Tries for two seconds: a process that was killed may hold its lock and its port for a moment longer.
    private static func patiently<Value: Sendable>(
        _ body: () async throws -> Value,
        whenTaken isTaken: (any Error) -> Bool
    ) async throws -> Value {
        let deadline = ContinuousClock.now + .seconds(2)
        while true {
            do {
                return try await body()
            } catch  where isTaken(error) && ContinuousClock.now < deadline {
                try await Task.sleep(for: .milliseconds(25))
            }
        }
    }

    private static func binding<Value: Sendable>(
        _ host: String,
        _ port: Int,
        _ body: () async throws -> Value
    ) async throws -> Value {
        do {
            return try await patiently(body) { ($0 as? IOError)?.errnoCode == EADDRINUSE }
        } catch let error as IOError {
            throw EventLogError("Cannot listen on \(host):\(port): \(String(cString: strerror(error.errnoCode))).")
        }
    }

    private static func listen(
        _ configuration: EventLogConfiguration,
        broker: Broker,
        group: MultiThreadedEventLoopGroup
    ) async throws -> any Channel {
        try await ServerBootstrap(group: group)
            .serverChannelOption(.backlog, value: 1024)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.socketOption(.tcp_nodelay), value: 1)
            .childChannelOption(.autoRead, value: false)
            .childChannelOption(
                .recvAllocator,
                value: AdaptiveRecvByteBufferAllocator(minimum: 1024, initial: 4096, maximum: 1 << 18)
            )
            .childChannelOption(.writeBufferWaterMark, value: .init(low: 64 << 10, high: 1 << 20))
            .childChannelOption(.maxMessagesPerRead, value: 4)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(ConnectionHandler(broker: broker))
                }
            }
            .bind(host: configuration.host, port: configuration.port).get()
    }

    private static func repeatTasks(
        _ configuration: EventLogConfiguration,
        broker: Broker,
        on eventLoop: any EventLoop
    ) -> [RepeatedTask] {
        let ticks = eventLoop.scheduleRepeatedTask(initialDelay: .milliseconds(50), delay: .milliseconds(50)) { _ in
            broker.groups.tick()
        }
        let interval = TimeAmount.milliseconds(max(10, configuration.retentionCheckMs))
        let retention = eventLoop.scheduleRepeatedTask(initialDelay: interval, delay: interval) { _ in
            broker.environment.administration.submit { state in
                guard case .active = state else { return }
                broker.groups.expireOffsets()
                do throws(StorageError) {
                    try broker.store.applyRetention()
                } catch {
                    broker.logger.error("Retention failed", metadata: ["error": "\(error)"])
                }
            }
        }
        return [ticks, retention]
    }

    /// Returns when the disk has failed and the server must be stopped, with the reason; nil when it was stopped.
    public func failed() async -> String? {
        for await reason in failure { return reason }
        return nil
    }

    /// Stops: connections are closed, appends under way become durable (a producer that sends them again is recognised),
    /// files are closed so that the next start is quick. Calling it again does nothing.
    ///
    /// - Throws: ``EventLogError`` when something could not be closed; the next start then recovers as after a crash.
    public func stop() async throws {
        let running = running.withLock { running in
            defer { running = nil }
            return running
        }
        guard let running else { return }
        broker.stop()
        for task in running.tasks { task.cancel() }
        for channel in running.channels { try? await channel.close() }
        var problem: (any Error)?
        // Closing the event loops closes every connection, so nothing can be appended any more.
        do { try await group.shutdownGracefully() } catch { problem = error }
        do {
            try await broker.environment.administration.runIfActive { [broker] in try broker.store.close() }
        } catch {
            problem = error
        }
        for pool in broker.environment.pools {
            do { try await pool.shutdownGracefully() } catch { problem = problem ?? error }
        }
        if let problem { throw EventLogError(problem) }
        broker.logger.info("Stopped", metadata: [:])
    }
}

/// Why a server could not start or stop.
public struct EventLogError: Error, CustomStringConvertible, Sendable {
    /// One sentence for an operator.
    public let description: String

    init(_ error: any Error) { description = "\(error)" }

    init(_ description: String) { self.description = description }
}
