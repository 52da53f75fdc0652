import Foundation
public import HTTPKit
import Hummingbird
public import Logging
public import Messaging
public import ServiceLifecycle
import StrictJSON
public import Telemetry

/// The gateway as a process: files, listeners, callbacks, and how they start and stop together.
public struct GatewayServer: Service {
    /// The gateway itself.
    public let gateway: CardGateway
    /// The listener of the API.
    public let listener: HTTPListener
    private let probe: HTTPListener?
    private let callbacks: CallbackSender?
    private let client: HTTPSender

    /// Opens the ledger and prepares everything; nothing runs before ``run()``.
    ///
    /// - Throws: ``LedgerFault`` or ``GatewayConfigurationFault``, each with one clear sentence.
    public init(
        configuration: GatewayConfiguration,
        clock: any WallClock = SystemClock(),
        registry: PrometheusRegistry = PrometheusRegistry(),
        logger: Logger
    ) throws {
        var options = HTTPSender.Options()
        options.maxConnectionsPerHost = 32
        let client = HTTPSender(options: options)
        self.client = client
        callbacks = try Self.sender(configuration, client, clock)
        let sink: any CallbackSink = callbacks ?? NoCallbacks()
        gateway = try CardGateway(configuration: configuration, clock: clock, callbacks: sink)
        let board = ReadinessBoard()
        let gateway = gateway
        GatewayMetrics.install(in: registry, gateway: gateway, callbacks: callbacks)
        ProcessMetrics.install(in: registry)
        func router() -> Router<APIContext> {
            let router = Router(context: APIContext.self)
            router.addHealthRoutes(board: board, registry: registry, about: ["service": "gateway"]) {
                gateway.failure == nil
            }
            return router
        }
        let api = router()
        GatewayRoutes(gateway: gateway).add(to: api)
        let listenerOptions = ListenerOptions.with {
            // Every held connection is one of these.
            $0.maxConnections = configuration.maximumHeld + 2048
        }
        listener = makeListener(
            name: "api",
            port: configuration.httpPort,
            router: api,
            options: listenerOptions,
            registry: registry,
            logger: logger
        )
        probe = configuration.probePort.map {
            makeListener(name: "probe", port: $0, router: router(), registry: registry, logger: logger)
        }
    }

    /// Serves until the graceful shutdown; then lets held connections go, writes what waits and returns.
    /// - Throws: when a listener fails, and ``LedgerFault`` when the ledger cannot be written any more.
    public func run() async throws {
        do {
            try await withGracefulShutdownHandler {
                try await withThrowingTaskGroup(of: Void.self) { group in
                    group.addTask { try await gateway.run() }
                    if let callbacks { group.addTask { await callbacks.run() } }
                    group.addTask { try await serve() }
                    do {
                        for try await _ in group {}
                    } catch {
                        // The first failure ends all.
                        gateway.releaseEverything()
                        callbacks?.end()
                        throw error
                    }
                }
            } onGracefulShutdown: {
                gateway.releaseEverything()
                callbacks?.end()
            }
        } catch {
            await close()
            throw error
        }
        await close()
    }

    /// Both listeners; when one fails, so does the rest.
    private func serve() async throws {
        defer {
            gateway.releaseEverything()
            callbacks?.end()
        }
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await listener.run() }
            if let probe { group.addTask { try await probe.run() } }
            for try await _ in group {}
        }
    }

    private func close() async {
        let gateway = gateway
        await withCheckedContinuation { continuation in
            Thread.detachNewThread {
                gateway.close()
                continuation.resume()
            }
        }
        await client.shutdown()
    }

    private static func sender(
        _ configuration: GatewayConfiguration,
        _ client: HTTPSender,
        _ clock: any WallClock
    ) throws -> CallbackSender? {
        guard let url = configuration.callbackURL, let file = configuration.callbackSecretFile else { return nil }
        guard let secret = try? String(contentsOfFile: file, encoding: .utf8),
            let signer = CallbackSigner(secret: secret)
        else {
            throw GatewayConfigurationFault("The file \(file) does not hold a secret of the form whsec_….")
        }
        return CallbackSender(
            signer: signer,
            clock: clock,
            delay: configuration.callbackDelayMilliseconds,
            duplicates: configuration.callbackDuplicates,
            seed: configuration.seed
        ) { headers, body in
            try await client.send("POST", url: url, headers: headers.map { ($0.name, $0.value) }, body: body).get()
                .status
        }
    }
}
