/// How to reach a broker, and how to behave on that connection.
public struct RabbitMQConfiguration: Sendable, Hashable, CustomStringConvertible {
    /// Host name or address.
    public var host: String
    /// TCP port; 5672 is the protocol's own.
    public var port: UInt16
    /// The virtual host.
    public var virtualHost: String
    /// User name.
    public var user: String
    /// Password. Never part of ``description``.
    public var password: String
    /// The name that the broker's management shows; the publisher, consumer and administration add a suffix each.
    public var connectionName: String = "waybill"
    /// How often both sides must be heard. Whole seconds, 1 to 60. A silent peer is given up after two of them; the
    /// broker's documentation warns of false alarms below 5 s.
    public var heartbeat: Duration = .seconds(5)
    /// The largest frame that we accept, in bytes; 4,096 to 1,048,576. The broker may lower it.
    public var maximumFrameSize: Int = 131_072
    /// The time that the TCP connection may take, and again the login.
    public var connectTimeout: Duration = .seconds(3)
    /// The time that the broker may take to answer one request (declare, consume …).
    public var requestTimeout: Duration = .seconds(10)
    /// How long to wait between attempts to connect.
    public var backoff = RabbitMQBackoff()

    /// Makes a configuration with the default behaviour.
    public init(
        host: String,
        port: UInt16 = 5_672,
        virtualHost: String = "/",
        user: String,
        password: String
    ) {
        self.host = host
        self.port = port
        self.virtualHost = virtualHost
        self.user = user
        self.password = password
    }

    /// The address without the password.
    public var description: String { "amqp://\(user)@\(host):\(port)/\(virtualHost)" }
}

extension RabbitMQConfiguration: CustomDebugStringConvertible, CustomReflectable {
    /// The same as ``description``: the password must not reach a log.
    public var debugDescription: String { description }
    /// The same as ``description``: `dump` and test failures must not show the password either.
    public var customMirror: Mirror { Mirror(self, children: ["address": description]) }
}

/// Exponential backoff with full jitter.
public struct RabbitMQBackoff: Sendable, Hashable {
    /// Upper bound of the first wait.
    public var base: Duration
    /// Upper bound of every wait.
    public var cap: Duration

    /// Makes a backoff: 100 ms doubling up to 5 s unless told otherwise. Values count as at least zero and at most an hour.
    public init(base: Duration = .milliseconds(100), cap: Duration = .seconds(5)) {
        self.base = min(max(base, .zero), .seconds(3_600))
        self.cap = min(max(cap, .zero), .seconds(3_600))
    }

    /// The wait after the given number of failures in a row (1 or more): between half of and the full exponential bound,
    /// picked by `random` (0 ..< 1; values outside are clamped).
    public func delay(afterFailures failures: Int, random: Double) -> Duration {
        var bound = min(base, cap)
        var remaining = max(failures, 1) - 1
        while remaining > 0, bound > .zero, bound < cap {
            bound = min(bound * 2, cap)
            remaining -= 1
        }
        let fraction = random.isFinite ? min(max(random, 0), 1) : 1
        return bound / 2 + bound / 2 * fraction
    }
}
