/// Bounds of a relay.
public struct OutboxRelayConfiguration: Sendable {
    /// The most rows that are with the broker at one time, their fate unknown.
    public var window: Int
    /// The most messages in one call of the publisher.
    public var maximumBatch: Int
    /// The most calls of the publisher at one time.
    public var maximumCalls: Int
    /// The most rows of one key (destination and subject) in one call. They share no two calls at a time. 1 keeps their order
    /// whatever the transport does with a failure in the middle; more is for transports that stop at the first failure.
    public var perKeyInFlight: Int
    /// The most rows in memory, sent or waiting.
    public var maximumRows: Int
    /// The most rows of one key in memory; the others stay in the table until it is their turn.
    public var maximumRowsPerKey: Int
    /// The first pause after a failure; it doubles each time.
    public var firstPause: Duration
    /// The longest pause of a key whose row fails while others succeed.
    public var longestKeyPause: Duration
    /// The longest pause of the whole relay, and of a key that fails alone, while nothing succeeds.
    public var longestTransportPause: Duration
    /// Failed attempts after which a row is parked. Only failures that happen while other messages succeed count.
    public var maximumAttempts: Int
    /// How long published rows are kept; zero deletes them at once. While many unpublished rows are older than that, it may be
    /// a minute longer.
    public var retention: Duration
    /// The most rows looked at in one purge.
    public var purgeBatch: Int

    /// Makes a configuration; see the properties.
    public init(
        window: Int = 512,
        maximumBatch: Int = 256,
        maximumCalls: Int = 8,
        perKeyInFlight: Int = 1,
        maximumRows: Int = 4096,
        maximumRowsPerKey: Int = 64,
        firstPause: Duration = .milliseconds(50),
        longestKeyPause: Duration = .seconds(30),
        longestTransportPause: Duration = .seconds(1),
        maximumAttempts: Int = 1000,
        retention: Duration = .seconds(600),
        purgeBatch: Int = 1000
    ) {
        self.window = max(1, window)
        self.maximumBatch = max(1, min(maximumBatch, window))
        self.maximumCalls = max(1, maximumCalls)
        self.perKeyInFlight = max(1, perKeyInFlight)
        self.maximumRows = max(1, maximumRows)
        self.maximumRowsPerKey = max(1, maximumRowsPerKey)
        self.firstPause = firstPause
        self.longestKeyPause = longestKeyPause
        self.longestTransportPause = longestTransportPause
        self.maximumAttempts = max(1, maximumAttempts)
        self.retention = retention
        self.purgeBatch = max(1, purgeBatch)
    }

    /// For RabbitMQ: rows of one key one after the other.
    public static let amqp = OutboxRelayConfiguration(window: 512, perKeyInFlight: 1)
    /// For Kafka: the idempotent producer keeps order, so a key may fill a call.
    public static let kafka = OutboxRelayConfiguration(
        window: 2048,
        maximumBatch: 512,
        perKeyInFlight: 512,
        maximumRowsPerKey: 1024
    )
}
