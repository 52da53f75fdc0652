import Configuration
import Failpoints
import Foundation
import HTTPKit
import Hummingbird
import Logging
import Messaging
import ServiceLifecycle
import StrictJSON
import Telemetry
import UnixSignals

/// Runs one service as a process.
///
/// ```
/// start ──► configured ──► standing by ──lock──► active ──SIGTERM──► draining ──► exit 0
///    │ bad configuration      │ SIGTERM            │ fatal failure
///    └──► exit 2              └──► exit 0          └──► drained as far as it goes, exit 1
/// ```
///
/// While it stands by, an instance answers probes and nothing else; the operating system gives it the lock when the active
/// instance ends, however that ends.
public enum ServiceHost {
    /// Seconds that a graceful end may take before tasks are cancelled, and then until the process gives up.
    static let shutdownLimit: Duration = .seconds(8)

    /// Runs the service until it ends; returns the exit code.
    public static func run<Hosted: HostedService>(_ type: Hosted.Type) async -> Int32 {
        let configuration: ServiceConfiguration
        let hosted: Hosted
        let failpoints: String?
        do {
            failpoints = try Failpoints.check()
            let reader = ConfigReader(provider: EnvironmentVariablesProvider())
            configuration = try ServiceConfiguration(service: Hosted.name, reader: reader)
            hosted = try Hosted(configuration: configuration)
        } catch {
            complain("\(Hosted.name): \(error)")
            return 2
        }
        JSONLogHandler.bootstrap(
            service: Hosted.name,
            instance: String(configuration.instance),
            logLevel: Logger.Level(rawValue: configuration.logLevel) ?? .info
        )
        let logger = Logger(label: "waybill." + Hosted.name)
        if let failpoints { logger.critical("\(failpoints)") }
        let code = await supervise(hosted, configuration, logger)
        _ = FileDescriptorLogOutput.standardOutput.flush(timeout: .seconds(1))
        return code
    }

    private static func supervise<Hosted: HostedService>(
        _ hosted: Hosted,
        _ configuration: ServiceConfiguration,
        _ logger: Logger
    ) async -> Int32 {
        let metrics = PrometheusRegistry()
        ProcessMetrics.install(in: metrics)
        let readiness = ReadinessBoard(["database"])
        let router = Router(context: APIContext.self)
        router.addHealthRoutes(
            board: readiness,
            registry: metrics,
            about: ["service": .string(Hosted.name), "instance": .integer(Int64(configuration.instance))]
        )
        let probe = makeListener(
            name: "probe",
            port: configuration.probePort,
            router: router,
            options: .with { $0.maxConnections = 64 },
            registry: metrics,
            logger: logger
        )
        let activation = Activation(
            hosted: hosted,
            configuration: configuration,
            metrics: metrics,
            readiness: readiness,
            logger: logger
        )
        var group = ServiceGroupConfiguration(
            services: [
                .init(service: probe),
                .init(
                    service: activation,
                    successTerminationBehavior: .gracefullyShutdownGroup,
                    failureTerminationBehavior: .gracefullyShutdownGroup
                ),
            ],
            gracefulShutdownSignals: [.sigterm, .sigint],
            logger: logger
        )
        group.maximumGracefulShutdownDuration = shutdownLimit
        group.maximumCancellationDuration = .seconds(1)
        do {
            logger.info("The service starts.", metadata: ["instance": "\(configuration.instance)"])
            try await ServiceGroup(configuration: group).run()
            logger.info("The service has ended.")
            return 0
        } catch {
            logger.critical("The service ends with a failure.", metadata: ["error": "\(error)"])
            complain("\(Hosted.name): \(error)")
            return 1
        }
    }

    private static func complain(_ sentence: String) {
        // Not `write(_:)`, which traps where standard error is closed or its disk is full.
        try? FileHandle.standardError.write(contentsOf: Data((sentence + "\n").utf8))
    }
}
