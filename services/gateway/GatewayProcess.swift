import Failpoints
import Foundation
import HTTPKit
import Logging
import ServiceLifecycle
import Telemetry
import UnixSignals

/// The gateway as a process: environment in, exit code out.
public enum GatewayProcess {
    /// Runs until SIGTERM or SIGINT (exit code 0) or a failure (1, with one sentence on standard error).
    public static func run(environment: [String: String]) async -> Int32 {
        JSONLogHandler.bootstrap(
            service: "gateway",
            instance: environment["WAYBILL_INSTANCE"] ?? "1",
            logLevel: environment["LOG_LEVEL"].flatMap(Logger.Level.init(rawValue:)) ?? .info
        )
        let logger = Logger(label: "gateway")
        do {
            if let failpoints = try Failpoints.check() { logger.critical("\(failpoints)") }
        } catch {
            try? FileHandle.standardError.write(contentsOf: Data("card-gateway: \(error)\n".utf8))
            return 2
        }
        ProcessLimits.raiseOpenFiles()
        do {
            let server = try GatewayServer(
                configuration: GatewayConfiguration(environment: environment),
                logger: logger
            )
            var configuration = ServiceGroupConfiguration(
                services: [
                    .init(
                        service: server,
                        successTerminationBehavior: .gracefullyShutdownGroup,
                        failureTerminationBehavior: .gracefullyShutdownGroup
                    )
                ],
                gracefulShutdownSignals: [.sigterm, .sigint],
                logger: logger
            )
            configuration.maximumGracefulShutdownDuration = .seconds(8)
            try await ServiceGroup(configuration: configuration).run()
            _ = FileDescriptorLogOutput.standardOutput.flush(timeout: .seconds(1))
            return 0
        } catch {
            _ = FileDescriptorLogOutput.standardOutput.flush(timeout: .seconds(1))
            try? FileHandle.standardError.write(contentsOf: Data("card-gateway: \(error)\n".utf8))
            return 1
        }
    }
}
