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
    private struct State {
        var channels: [any Channel] = []
        var tasks: [RepeatedTask] = []
        var isStopped = false
    }

    /// The port that clients connect to.
    public let port: Int
    /// The port of health and metrics, if asked for.
    public let metricsPort: Int?

    let broker: Broker
    private let group: MultiThreadedEventLoopGroup
    private let pools: [NIOThreadPool]
    private let failure: AsyncStream<String>
    private let state: Mutex<State>

    private init(
        port: Int,
        metricsPort: Int?,
        broker: Broker,
        group: MultiThreadedEventLoopGroup,
        pools: [NIOThreadPool],
        failure: AsyncStream<String>,
        state: consuming State
    ) {
        self.port = port
        self.metricsPort = metricsPort
        self.broker = broker
        self.group = group
        self.pools = pools
        self.failure = failure
        self.state = Mutex(state)
    }

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
        let flushers = NIOThreadPool(numberOfThreads: 6)
        let readers = NIOThreadPool(numberOfThreads: 4)
        let administration = NIOThreadPool(numberOfThreads: 1)
        let pools = [flushers, readers, administration]
        for pool in pools { pool.start() }
        let environment = StorageEnvironment(
            files: files,
            flushers: flushers,
            readers: readers,
            administration: administration,
            metrics: LogMetrics(),
            logger: logger,
            now: { Int64(Date().timeIntervalSince1970 * 1000) },
            onFatal: { error in
                logger.critical("The disk failed", metadata: ["error": "\(error)"])
                failureSource.yield("\(error)")
                failureSource.finish()
            }
        )
        let group = MultiThreadedEventLoopGroup(numberOfThreads: max(2, min(4, System.coreCount)))
        do {
            return try await start(
                configuration,
                environment: environment,
                group: group,
                pools: pools,
                failure: failure
            )
        } catch {
            for pool in pools { try? await pool.shutdownGracefully() }
            try? await group.shutdownGracefully()
            throw EventLogError(error)
        }
    }

    private static func start(
        _ configuration: EventLogConfiguration,
        environment: StorageEnvironment,
        group: MultiThreadedEventLoopGroup,
        pools: [NIOThreadPool],
        failure: AsyncStream<String>
    ) async throws -> LogServer {
        // Liveness answers from the first moment; readiness only after recovery.
        let probe = try await binding(configuration.metricsHost ?? "", configuration.metricsPort) {
            try await HTTPProbe.bind(configuration, group: group)
        }
        let began = ContinuousClock.now
        let store = try await openStore(configuration, environment: environment)
        environment.logger.info(
            "Recovered",
            metadata: [
                "partitions": "\(store.summary.partitions)", "cleanStop": "\(store.summary.stoppedCleanly)",
                "bytesScanned": "\(store.summary.bytesScanned)", "bytesCut": "\(store.summary.bytesCut)",
                "duration": "\(ContinuousClock.now - began)",
            ]
        )
        let start = ContinuousClock.now
        var limits = GroupMachine.Limits()
        limits.maxMembers = configuration.maxGroupMembers
        limits.initialRebalanceDelayMs = configuration.initialRebalanceDelayMs
        limits.minSessionTimeoutMs = configuration.minSessionTimeoutMs
        let groups = GroupCoordinator(
            offsets: store.offsets,
            options: .init(
                limits: limits,
                maxGroups: configuration.maxGroups,
                offsetRetentionMs: configuration.offsetRetentionMs
            ),
            now: {
                let elapsed = (ContinuousClock.now - start).components
                return elapsed.seconds * 1000 + elapsed.attoseconds / 1_000_000_000_000_000
            },
            wallTime: environment.now,
            newId: { UUID().uuidString.lowercased() }
        )
        let broker = Broker(configuration: configuration, store: store, groups: groups, environment: environment)
        let listener = try await binding(configuration.host, configuration.port) {
            try await listen(configuration, broker: broker, group: group)
        }
        let port = listener.localAddress?.port ?? configuration.port
        let isWildcard = ["0.0.0.0", "::", ""].contains(configuration.host)
        broker.advertise(
            host: configuration.advertisedHost ?? (isWildcard ? "127.0.0.1" : configuration.host),
            port: configuration.advertisedPort ?? port
        )
        probe?.ready(broker)
        let tasks = repeatTasks(configuration, broker: broker, on: group.next())
        return LogServer(
            port: port,
            metricsPort: probe?.port,
            broker: broker,
            group: group,
            pools: pools,
            failure: failure,
            state: State(channels: [listener] + (probe.map { [$0.channel] } ?? []), tasks: tasks)
        )
    }

    private static func openStore(
        _ configuration: EventLogConfiguration,
        environment: StorageEnvironment
    ) async throws -> LogStore {
        let options = LogStore.Options(
            directory: configuration.dataDirectory,
            settingDefaults: TopicSettings.defaults(
                retentionMs: configuration.retentionMs,
                retentionBytes: configuration.retentionBytes,
                segmentBytes: configuration.segmentBytes,
                maxMessageBytes: configuration.maxMessageBytes
            ),
            maxPartitions: configuration.maxPartitions
        )
        return try await patiently {
            try await environment.administration.runIfActive {
                try LogStore(options: options, environment: environment)
            }
        } whenTaken: {
            ($0 as? StorageError)?.kind == .locked
        }
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
        let (channels, tasks) = state.withLock { state -> ([any Channel], [RepeatedTask]) in
            defer { state.isStopped = true }
            return state.isStopped ? ([], []) : (state.channels, state.tasks)
        }
        guard !channels.isEmpty else { return }
        broker.stop()
        for task in tasks { task.cancel() }
        for channel in channels { try? await channel.close() }
        var problem: (any Error)?
        // Closing the event loops closes every connection, so nothing can be appended any more.
        do { try await group.shutdownGracefully() } catch { problem = error }
        do {
            try await pools[2].runIfActive { [broker] in try broker.store.close() }
        } catch {
            problem = error
        }
        for pool in pools {
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
