/// How a ``LogServer`` runs. Every bound on memory, files and time is here.
public struct EventLogConfiguration: Sendable {
    /// The directory with all data; created when it is missing, locked while the server runs.
    public var dataDirectory: String
    /// Where clients connect. Loopback unless told otherwise: there is no authentication.
    public var host = "127.0.0.1"
    /// 0 takes a free port.
    public var port = 9092
    /// Where health and metrics are served by HTTP; nil for nowhere.
    public var metricsHost: String?
    /// 0 takes a free port.
    public var metricsPort = 0
    /// The name that clients are told to connect to; nil means the listening address.
    public var advertisedHost: String?
    /// The port that clients are told to connect to; nil means the listening port.
    public var advertisedPort: Int?

    /// Partitions of a topic that is created without a number.
    public var defaultPartitions: Int32 = 6
    /// Whether asking for a topic's metadata creates it.
    public var autoCreateTopics = true
    /// Takes replication factors above 1 as 1 instead of refusing them; for test suites that ask for 3.
    public var clampReplicationFactor = false
    /// Age in milliseconds after which whole segments go; −1 keeps everything.
    public var retentionMs: Int64 = -1
    /// Size of a partition in bytes above which whole segments go; −1 keeps everything.
    public var retentionBytes: Int64 = -1
    /// Bytes after which a new segment begins.
    public var segmentBytes = 64 << 20
    /// The largest batch that a producer may send.
    public var maxMessageBytes = 1_048_588
    /// Milliseconds for which the offsets of a group without members are kept.
    public var offsetRetentionMs: Int64 = 7 * 24 * 3600 * 1000
    /// Milliseconds between two runs of retention.
    public var retentionCheckMs: Int64 = 60_000
    /// Milliseconds that a new group waits for more members before its first rebalance ends.
    public var initialRebalanceDelayMs: Int64 = 0
    /// The shortest session timeout that a group member may ask for, in milliseconds.
    public var minSessionTimeoutMs: Int64 = 6000
    /// The longest session timeout that a group member may ask for, in milliseconds.
    public var maxSessionTimeoutMs: Int64 = 1_800_000

    /// The largest request frame.
    public var maxRequestBytes = 32 << 20
    /// Bytes of requests that one connection may have unanswered.
    public var maxConnectionBytes = 64 << 20
    /// Requests that one connection may have unanswered.
    public var maxConnectionRequests = 256
    /// Bytes of unanswered requests of all connections together.
    public var maxInFlightBytes = 512 << 20
    /// Bytes of records in answers that are not yet written to their sockets, of all connections together.
    public var maxFetchBytes = 256 << 20
    /// Bytes of records in one answer, unless a single batch is larger.
    public var maxFetchResponseBytes = 32 << 20
    public var maxConnections = 12_000
    /// Partitions of all topics together.
    public var maxPartitions = 20_000
    public var maxGroups = 10_000
    public var maxGroupMembers = 1000
    /// Bytes of protocols' metadata that one group member may bring, and of assignments per member.
    public var maxMemberBytes = 1 << 20
    /// Seconds in which a request frame that has begun must be complete, and an answer must make progress.
    public var stallSeconds = 60

    /// The defaults, on a data directory.
    public init(dataDirectory: String) { self.dataDirectory = dataDirectory }
}
