/// What every client needs: where the brokers are and how patient to be.
public struct KafkaClientConfiguration: Sendable {
    /// `host:port`, several separated by commas. Addresses, not names, spare a wait for `::1` on some hosts.
    public var bootstrapServers: String
    /// Name shown in the broker's and our logs. Default `kafka-client`.
    public var clientID: String
    /// Longest time for a connection to be set up. Default 5 s; 1 s at least.
    public var connectTimeout: Duration = .seconds(5)
    /// Longest wait for an answer before the connection is given up. Default 10 s; 10 ms … 5 min.
    public var requestTimeout: Duration = .seconds(10)
    /// First wait before connecting again; doubles, with jitter. Default 100 ms.
    public var reconnectBackoff: Duration = .milliseconds(100)
    /// Longest wait before connecting again. Default 1 s, so that a restarted broker is found quickly.
    public var reconnectBackoffMax: Duration = .seconds(1)
    /// How often topics are looked up again, which is how new ones are found. Default 5 s.
    public var metadataRefresh: Duration = .seconds(5)
    /// How often the observer gets statistics, which is also how a recovered connection is noticed. Default 1 s, the shortest.
    public var statisticsInterval: Duration = .seconds(1)
    /// Further settings of librdkafka by their names (TLS, SASL, `debug` …), applied last. Names on which a guarantee of this module
    /// rests are refused: see `reservedProperties`.
    public var properties: [String: String] = [:]

    /// Makes a configuration with the defaults.
    public init(bootstrapServers: String, clientID: String = "kafka-client") {
        self.bootstrapServers = bootstrapServers
        self.clientID = clientID
    }

    /// Settings that cannot be overridden through `properties`.
    public static let reservedProperties: Set<String> = [
        "acks", "request.required.acks", "enable.idempotence", "enable.gapless.guarantee", "enable.auto.commit",
        "enable.auto.offset.store", "check.crcs",
        "log.queue", "group.id", "client.id", "bootstrap.servers", "metadata.broker.list", "transactional.id",
        "test.mock.num.brokers", "enable.partition.eof", "auto.offset.reset",
    ]

    /// Keeps the refresh out of step with whole seconds, which is what groups wait for.
    ///
    /// librdkafka 2.0.2 joins again when an answer about topics reaches a group's leader while it asks for them itself
    /// (`rd_kafka_cgrp_metadata_update_check`). Where joining takes a multiple of the refresh, that is so in each round, for ever.
    private static let refreshOutOfStep: Duration = .milliseconds(37)

    /// The settings for librdkafka, in the order they are to be applied.
    var settings: [(String, String)] {
        [
            ("bootstrap.servers", bootstrapServers),
            ("client.id", clientID),
            ("log.queue", "true"),
            ("log.connection.close", "true"),
            ("socket.connection.setup.timeout.ms", "\(connectTimeout.wholeMilliseconds(1_000...2_147_483_647))"),
            ("socket.timeout.ms", "\(requestTimeout.wholeMilliseconds(10...300_000))"),
            ("socket.nagle.disable", "true"),
            ("socket.keepalive.enable", "true"),
            ("reconnect.backoff.ms", "\(reconnectBackoff.wholeMilliseconds(0...3_600_000))"),
            (
                "reconnect.backoff.max.ms",
                "\(max(reconnectBackoffMax, reconnectBackoff).wholeMilliseconds(0...3_600_000))"
            ),
            (
                "topic.metadata.refresh.interval.ms",
                "\((metadataRefresh + Self.refreshOutOfStep).wholeMilliseconds(100...3_600_000))"
            ),
            ("statistics.interval.ms", "\(statisticsInterval.wholeMilliseconds(0...86_400_000))"),
        ]
    }
}

extension Duration {
    /// Milliseconds, rounded up so that a tiny wait is not none, kept within `range`.
    func wholeMilliseconds(_ range: ClosedRange<Int>) -> Int {
        let (seconds, attoseconds) = components
        guard seconds < Int64(range.upperBound) / 1_000 + 1 else { return range.upperBound }
        guard seconds >= 0, attoseconds >= 0 else { return range.lowerBound }
        let milliseconds = Int(seconds) * 1_000 + Int((attoseconds + 999_999_999_999_999) / 1_000_000_000_000_000)
        return min(max(milliseconds, range.lowerBound), range.upperBound)
    }
}
