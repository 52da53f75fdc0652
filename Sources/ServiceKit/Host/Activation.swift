import DurableStore
import Failpoints
import HTTPKit
import Hummingbird
import Kafka
import Logging
import Messaging
import RabbitMQ
import ServiceLifecycle
import Telemetry

/// Waits for the right to write, then runs everything that only the active instance runs.
struct Activation<Hosted: HostedService>: Service {
    let hosted: Hosted
    let configuration: ServiceConfiguration
    let metrics: PrometheusRegistry
    let readiness: ReadinessBoard
    let logger: Logger

    func run() async throws {
        readiness.ready("database")
        let role = metrics.gauge(
            "waybill_instance_active",
            help: "1 while this instance owns the database, 0 on standby."
        )
        role.set(Int64(0))
        let lock: InstanceLock
        do {
            lock = try await cancelWhenGracefulShutdown {
                try await InstanceLock.acquire(path: configuration.databasePath + ".lock")
            }
        } catch is CancellationError {
            return
        }
        defer { lock.release() }
        Failpoints.reach("takeover.before-open")
        readiness.notReady("database", "opening")
        var place = DurableStoreConfiguration(path: configuration.databasePath)
        place.writerCacheBytes = Hosted.storeCacheBytes
        let store = try DurableStore(place, migrations: Hosted.migrations)
        let epoch = try await store.beginEpoch()
        Failpoints.reach("takeover.after-epoch")
        role.set(Int64(1))
        readiness.ready("database")
        logger.info("This instance is active.", metadata: ["epoch": "\(epoch)"])
        do {
            try await runActive(store, epoch)
        } catch {
            await store.close()
            throw error
        }
        await store.close()
    }

    private func runActive(_ store: DurableStore, _ epoch: Int64) async throws {
        let transports = try TransportClients(configuration: configuration, readiness: readiness, logger: logger)
        let context = ServiceContext(
            store: store,
            epoch: epoch,
            logger: logger,
            metrics: metrics,
            readiness: readiness,
            clock: SystemClock(),
            configuration: configuration,
            eventLog: transports.kafka.map { EventLogReader(configuration: $0, logger: logger) }
        )
        let parts = try await hosted.activate(context)
        Failpoints.reach("takeover.before-work")
        let observers = ProcessingMetrics(registry: metrics, store: store)
        // Ended in reverse: first no new requests, then no new messages, then what was begun is published.
        var services: [any Service] = [ClosureService("metrics") { try await observers.sample() }]
        let retention = InboxRetention(store: store, retention: configuration.lifetimes.inboxRetention)
        services.append(ClosureService("inbox retention") { try await retention.run() })
        let desk = DeadLetterDesk(
            store: store,
            handlers: Self.handlers(of: parts),
            returns: parts.letterReturns,
            requeueWindow: configuration.lifetimes.requeueWindow
        )
        let letters = DeadLetterRetention(desk: desk, retention: configuration.lifetimes.decidedRetention)
        services.append(ClosureService("dead-letter retention") { try await letters.run() })
        let jobs = DeadLetterJobRunner(desk: desk)
        services.append(ClosureService("dead-letter jobs") { try await jobs.run() })
        services += try transports.relays(for: parts, store: store, observers: observers)
        if let deadlines = parts.deadlines {
            let runner = DeadlineRunner(store: store, handler: deadlines)
            services.append(ClosureService("deadlines") { try await runner.run() })
        }
        services += parts.background
        services += try transports.consumers(for: parts, store: store, observers: observers)
        services += try listeners(for: parts, store, desk)
        let group = ServiceGroup(
            configuration: ServiceGroupConfiguration(
                services: services.map {
                    .init(
                        service: $0,
                        successTerminationBehavior: .gracefullyShutdownGroup,
                        failureTerminationBehavior: .gracefullyShutdownGroup
                    )
                },
                logger: logger
            )
        )
        try await group.run()
    }

    /// Handlers by the name under which their letters are kept.
    private static func handlers(of parts: ServiceParts) -> [String: any MessageHandler] {
        Dictionary(
            (parts.subscriptions.map(\.handler) + [parts.inbox].compactMap { $0 }).map { ($0.consumer, $0) },
            uniquingKeysWith: { first, _ in first }
        )
    }

    private func listeners(
        for parts: ServiceParts,
        _ store: DurableStore,
        _ desk: DeadLetterDesk
    ) throws -> [any Service] {
        let options = ListenerOptions.with { $0.waitsForPort = true }
        let publicRouter = Router(context: APIContext.self)
        publicRouter.addHealthRoutes(board: readiness, registry: metrics)
        parts.publicRoutes(publicRouter)
        let operatorRouter = Router(context: APIContext.self)
        operatorRouter.addHealthRoutes(board: readiness, registry: metrics)
        parts.operatorPages(operatorRouter)
        operatorRouter.add(
            middleware: OperatorTokenMiddleware(token: try OperatorToken(file: configuration.operatorTokenFile))
        )
        OutboxRoutes(store: store).add(to: operatorRouter)
        DeadLetterRoutes(desk: desk, store: store).add(to: operatorRouter)
        DeadlineRoutes(store: store).add(to: operatorRouter)
        parts.operatorRoutes(operatorRouter)
        return [
            makeListener(
                name: "operator",
                port: configuration.operatorPort,
                router: operatorRouter,
                options: options,
                registry: metrics,
                logger: logger
            ),
            makeListener(
                name: "public",
                port: configuration.httpPort,
                router: publicRouter,
                options: options,
                registry: metrics,
                logger: logger
            ),
        ]
    }
}
