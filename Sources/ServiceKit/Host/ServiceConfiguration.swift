public import Configuration
public import DurableStore
public import Messaging

/// What every service reads from its environment, checked before anything starts.
///
/// | key | environment | meaning |
/// |---|---|---|
/// | `waybill.service` | `WAYBILL_SERVICE` | name in logs; default: the service's own |
/// | `waybill.instance` | `WAYBILL_INSTANCE` | 1, 2 …; default 1 |
/// | `waybill.database` | `WAYBILL_DATABASE` | path of the SQLite file; its folder exists |
/// | `waybill.http.port` | `WAYBILL_HTTP_PORT` | public listener, bound by the active instance |
/// | `waybill.operator.port` | `WAYBILL_OPERATOR_PORT` | operator listener, bound by the active instance |
/// | `waybill.probe.port` | `WAYBILL_PROBE_PORT` | health and metrics of this instance, bound from the start |
/// | `waybill.operator.token.file` | `WAYBILL_OPERATOR_TOKEN_FILE` | file (0600) with the operator token |
/// | `amqp.url` | `AMQP_URL` | secret; needed by services that use AMQP |
/// | `kafka.bootstrap.servers` | `KAFKA_BOOTSTRAP_SERVERS` | needed by services that use the event log |
/// | `kafka.replication.factor` | `KAFKA_REPLICATION_FACTOR` | of topics that the service creates; default 1 |
/// | `waybill.inbox.retention.days` | `WAYBILL_INBOX_RETENTION_DAYS` | how long handled ids are remembered; default 30 |
/// | `waybill.dead.letter.window.days` | `WAYBILL_DEAD_LETTER_WINDOW_DAYS` | how long a dead letter can be requeued; default 21 |
/// | `waybill.dead.letter.retention.days` | `WAYBILL_DEAD_LETTER_RETENTION_DAYS` | how long decided ones are kept; default 30 |
/// | `waybill.outage.days` | `WAYBILL_OUTAGE_DAYS` | the longest outage that is reckoned with; default 3 |
/// | `waybill.retry.delays` | `WAYBILL_RETRY_DELAYS` | waits between attempts at a command, ascending; default `1s,5s,30s,2m,10m` |
/// | `waybill.retry.jitter.percent` | `WAYBILL_RETRY_JITTER_PERCENT` | how much shorter each wait may be; 0…90, default 20 |
/// | `waybill.amqp.prefetch` | `WAYBILL_AMQP_PREFETCH` | commands that are out to this process at most; 1…4096, default 256 |
/// | `log.level` | `LOG_LEVEL` | default `info` |
public struct ServiceConfiguration: Sendable {
    /// The service's name: `order`.
    public let service: String
    /// Which instance this is, from 1.
    public let instance: Int
    /// The SQLite file.
    public let databasePath: String
    /// Ports of the three listeners on loopback.
    public let httpPort: Int
    /// See ``httpPort``.
    public let operatorPort: Int
    /// See ``httpPort``.
    public let probePort: Int
    /// The file that holds the operator token.
    public let operatorTokenFile: String
    /// The broker for commands; `nil` when the environment names none.
    public let amqpURL: String?
    /// The event log; `nil` when the environment names none.
    public let kafkaBootstrapServers: String?
    /// Replicas of topics that the service creates.
    public let kafkaReplicationFactor: Int
    /// How long messages may come back and ids are remembered; checked against each other.
    public let lifetimes: MessageLifetimes
    /// How often a command is tried, and how long it waits in between.
    public let retry: RetryPolicy
    /// The most commands that the broker hands to this process ahead of their turn.
    public let prefetch: UInt16
    /// The lowest level that is logged.
    public let logLevel: String
    /// For keys of the service's own.
    public let reader: ConfigReader

    /// Reads the configuration.
    /// - Throws: ``ConfigurationFault`` that names the variable and what it must be.
    public init(service: String, reader: ConfigReader) throws(ConfigurationFault) {
        self.service = service
        self.reader = reader
        instance = try Self.integer("waybill.instance", in: 1...99, default: 1, reader)
        databasePath = try Self.required("waybill.database", reader)
        httpPort = try Self.integer("waybill.http.port", in: 1...65_535, default: nil, reader)
        operatorPort = try Self.integer("waybill.operator.port", in: 1...65_535, default: nil, reader)
        probePort = try Self.integer("waybill.probe.port", in: 1...65_535, default: nil, reader)
        operatorTokenFile = try Self.required("waybill.operator.token.file", reader)
        amqpURL = reader.string(forKey: "amqp.url", isSecret: true)
        kafkaBootstrapServers = reader.string(forKey: "kafka.bootstrap.servers")
        kafkaReplicationFactor = try Self.integer("kafka.replication.factor", in: 1...99, default: 1, reader)
        retry = try Self.retry(reader)
        prefetch = UInt16(try Self.integer("waybill.amqp.prefetch", in: 1...4096, default: 256, reader))
        lifetimes = try Self.lifetimes(reader, retry)
        logLevel = reader.string(forKey: "log.level", default: "info")
    }

    /// A value that must be there.
    /// - Throws: ``ConfigurationFault`` when it is not, or is empty.
    public func required(_ key: ConfigKey) throws(ConfigurationFault) -> String {
        try Self.required(key, reader)
    }

    /// An integer within a range, or the default where the variable is not set.
    /// - Throws: ``ConfigurationFault`` when it is not an integer in the range, or is missing without a default.
    public func integer(
        _ key: ConfigKey,
        in range: ClosedRange<Int>,
        default value: Int?
    ) throws(ConfigurationFault) -> Int {
        try Self.integer(key, in: range, default: value, reader)
    }

    private static func retry(_ reader: ConfigReader) throws(ConfigurationFault) -> RetryPolicy {
        let jitter = try integer(
            "waybill.retry.jitter.percent",
            in: 0...RetryPolicy.maximumJitterPercent,
            default: RetryPolicy.standardJitterPercent,
            reader
        )
        let key: ConfigKey = "waybill.retry.delays"
        let delays = reader.string(forKey: key, default: RetryPolicy.standard.delaysText)
        do throws(RetryPolicyFault) {
            return try RetryPolicy(delays: delays, jitterPercent: jitter)
        } catch {
            throw ConfigurationFault(
                "\(variable(key)) must be delays such as \(RetryPolicy.standard.delaysText): \(error)."
            )
        }
    }

    private static func lifetimes(
        _ reader: ConfigReader,
        _ retry: RetryPolicy
    ) throws(ConfigurationFault) -> MessageLifetimes {
        func days(_ key: ConfigKey, _ standard: Duration) throws(ConfigurationFault) -> Duration {
            let value = Int(standard.components.seconds / 86_400)
            return .seconds(try integer(key, in: 1...3650, default: value, reader) * 86_400)
        }
        let standard = MessageLifetimes.standard
        let lifetimes = MessageLifetimes(
            inboxRetention: try days("waybill.inbox.retention.days", standard.inboxRetention),
            requeueWindow: try days("waybill.dead.letter.window.days", standard.requeueWindow),
            decidedRetention: try days("waybill.dead.letter.retention.days", standard.decidedRetention),
            longestOutage: try days("waybill.outage.days", standard.longestOutage)
        )
        do throws(Failure) {
            try lifetimes.check(retry)
        } catch {
            throw ConfigurationFault(
                error.description
                    + " See WAYBILL_INBOX_RETENTION_DAYS, WAYBILL_DEAD_LETTER_WINDOW_DAYS, WAYBILL_DEAD_LETTER_RETENTION_DAYS"
                    + " and WAYBILL_RETRY_DELAYS."
            )
        }
        return lifetimes
    }

    private static func required(_ key: ConfigKey, _ reader: ConfigReader) throws(ConfigurationFault) -> String {
        guard let value = reader.string(forKey: key), !value.isEmpty else {
            throw ConfigurationFault("\(variable(key)) is not set; scripts/up.sh sets it.")
        }
        return value
    }

    private static func integer(
        _ key: ConfigKey,
        in range: ClosedRange<Int>,
        default value: Int?,
        _ reader: ConfigReader
    ) throws(ConfigurationFault) -> Int {
        guard let text = reader.string(forKey: key) else {
            guard let value else { throw ConfigurationFault("\(variable(key)) is not set; scripts/up.sh sets it.") }
            return value
        }
        guard let number = Int(text), range.contains(number) else {
            throw ConfigurationFault(
                "\(variable(key)) must be a whole number from \(range.lowerBound) to \(range.upperBound), not “\(text)”."
            )
        }
        return number
    }

    private static func variable(_ key: ConfigKey) -> String {
        key.components.joined(separator: "_").uppercased()
    }
}

/// A configuration with which the service cannot start.
public struct ConfigurationFault: Error, Sendable, CustomStringConvertible {
    /// One sentence that names the variable and what it must be.
    public let description: String

    /// Makes a fault.
    public init(_ description: String) {
        self.description = description
    }
}
