import ArgumentParser
import Dispatch
import EventLog
import Failpoints
import Foundation
import Glibc
import Logging
import Telemetry
import UnixSignals

/// `event-log serve`
struct Serve: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Run the server until SIGTERM or SIGINT.",
        discussion: """
            Examples:
              event-log serve --data-dir data --listen 127.0.0.1:9092 --metrics-listen 127.0.0.1:9093
              event-log serve --data-dir data --listen 127.0.0.1:0 --default-partitions 1
            """
    )

    @OptionGroup var directory: DirectoryOption
    @Option(name: .long, help: "Where clients connect, as host:port; port 0 takes a free one.")
    var listen = ListenAddress.standard
    @Option(name: .long, help: "Where /health/live, /health/ready and /metrics are served.")
    var metricsListen: ListenAddress?
    @Option(name: .long, help: "The address that clients are told to connect to, if it is another.")
    var advertise: ListenAddress?
    @Option(name: .long, help: "Partitions of a topic that is created without a number.")
    var defaultPartitions: Int32 = 6
    @Flag(name: .long, inversion: .prefixedNo, help: "Create topics when clients ask for them.")
    var autoCreate = true
    @Option(name: .long, help: "Milliseconds after which whole segments go; -1 keeps everything.")
    var retentionMs: Int64 = -1
    @Option(name: .long, help: "Bytes of a partition above which whole segments go; -1 keeps everything.")
    var retentionBytes: Int64 = -1
    @Option(name: .long, help: "Bytes after which a new segment begins.")
    var segmentBytes = 64 << 20
    @Option(name: .long, help: "The largest batch.")
    var maxMessageBytes = 1_048_588
    @Option(name: .long, help: "Milliseconds for which offsets of groups without members are kept.")
    var offsetsRetentionMs: Int64 = 7 * 24 * 3600 * 1000
    @Option(name: .long, help: "Milliseconds that a new group waits for more members.")
    var groupInitialRebalanceDelayMs: Int64 = 0
    @Option(name: .long, help: "The shortest session timeout of group members, in milliseconds.")
    var groupMinSessionTimeoutMs: Int64 = 6000
    @Option(name: .long, help: "The largest number of connections.")
    var maxConnections = 12_000
    @Option(name: .long, help: "The largest number of partitions of all topics.")
    var maxPartitions = 20_000
    @Flag(name: .long, help: "Take replication factors above 1 as 1 (for test suites).")
    var clampReplicationFactor = false
    @Option(
        name: .long,
        help: "trace, debug, info, notice, warning, error or critical; LOG_LEVEL is used if not given."
    )
    var logLevel: String?

    func validate() throws {
        guard defaultPartitions >= 1 else { throw ValidationError("--default-partitions must be at least 1.") }
        guard (1024...(1 << 30)).contains(segmentBytes) else {
            throw ValidationError("--segment-bytes must be between 1024 and 1073741824.")
        }
        guard (1024...(32 << 20)).contains(maxMessageBytes) else {
            throw ValidationError("--max-message-bytes must be between 1024 and 33554432.")
        }
        guard maxConnections >= 1, maxPartitions >= 1 else { throw ValidationError("Limits must be at least 1.") }
        if let logLevel, Logger.Level(rawValue: logLevel) == nil {
            throw ValidationError("Unknown log level \(logLevel).")
        }
    }

    private var serverConfiguration: EventLogConfiguration {
        var configuration = EventLogConfiguration(dataDirectory: directory.dataDir)
        configuration.host = listen.host
        configuration.port = listen.port
        configuration.metricsHost = metricsListen?.host
        configuration.metricsPort = metricsListen?.port ?? 0
        configuration.advertisedHost = advertise?.host
        configuration.advertisedPort = advertise?.port
        configuration.defaultPartitions = defaultPartitions
        configuration.autoCreateTopics = autoCreate
        configuration.clampReplicationFactor = clampReplicationFactor
        configuration.retentionMs = retentionMs
        configuration.retentionBytes = retentionBytes
        configuration.segmentBytes = segmentBytes
        configuration.maxMessageBytes = maxMessageBytes
        configuration.offsetRetentionMs = offsetsRetentionMs
        configuration.initialRebalanceDelayMs = groupInitialRebalanceDelayMs
        configuration.minSessionTimeoutMs = groupMinSessionTimeoutMs
        configuration.maxConnections = maxConnections
        configuration.maxPartitions = maxPartitions
        return configuration
    }

    func run() async throws {
        let environment = ProcessInfo.processInfo.environment["LOG_LEVEL"]
        let level = (logLevel ?? environment).flatMap { Logger.Level(rawValue: $0) } ?? .info
        let logger = Logger(label: "event-log") {
            JSONLogHandler(label: $0, service: "event-log", instance: "1", logLevel: level)
        }
        defer { FileDescriptorLogOutput.standardOutput.flush() }
        do {
            if let failpoints = try Failpoints.check() { logger.critical("\(failpoints)") }
        } catch {
            try? FileHandle.standardError.write(contentsOf: Data("event-log: \(error)\n".utf8))
            throw ExitCode(2)
        }
        raiseFileLimit()
        // A broken pipe is no reason to die.
        signal(SIGPIPE, SIG_IGN)
        let signals = await UnixSignalsSequence(trapping: .sigterm, .sigint)
        let server: LogServer
        do {
            server = try await LogServer.start(serverConfiguration, logger: logger)
        } catch {
            logger.critical("Could not start", metadata: ["error": "\(error)"])
            try? FileHandle.standardError.write(contentsOf: Data("event-log: \(error)\n".utf8))
            throw ExitCode(2)
        }
        logger.info(
            "Listening",
            metadata: [
                "address": "\(listen.host):\(server.port)",
                "metricsPort": "\(server.metricsPort.map { "\($0)" } ?? "none")",
            ]
        )
        let failure = await withTaskGroup(of: String?.self) { group in
            group.addTask { await server.failed() }
            group.addTask {
                for await _ in signals { break }
                return nil
            }
            let first = await group.next() ?? nil
            group.cancelAll()
            return first
        }
        // Whatever happens, the process ends in time: what is acknowledged is on disk already.
        DispatchQueue.global().asyncAfter(deadline: .now() + 8) { Glibc.exit(failure == nil ? 0 : 3) }
        do {
            try await server.stop()
        } catch {
            logger.error("Could not close everything", metadata: ["error": "\(error)"])
        }
        if failure != nil { throw ExitCode(3) }
    }
}

/// Every partition and every connection takes a descriptor: as many as the system lets us have.
private func raiseFileLimit() {
    var limit = rlimit()
    guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return }
    limit.rlim_cur = limit.rlim_max
    _ = setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
}
