/// Bounds and habits of a listener. The defaults are safe against slow and greedy clients.
public struct ListenerOptions: Sendable {
    /// Address to bind: loopback unless told otherwise.
    public var host: String = "127.0.0.1"

    /// Whether a busy port is waited for (a hot standby that takes over) instead of being an error.
    public var waitsForPort: Bool = false

    /// Pause between attempts while waiting for the port.
    public var portRetryInterval: Duration = .milliseconds(50)

    /// Largest body that a connection may carry, in bytes. Handlers read less: ``APIContext/bodyLimit``.
    public var maxBodyBytes: Int = 1 << 20

    /// Longest request target (path and query), in bytes; above it 414.
    public var maxTargetBytes: Int = 8 << 10

    /// Longest single header and longest sum of all headers, in bytes, and their number; above it 431.
    public var maxHeaderFieldBytes: Int = 12 << 10
    /// See ``maxHeaderFieldBytes``.
    public var maxHeaderListBytes: Int = 24 << 10
    /// See ``maxHeaderFieldBytes``.
    public var maxHeaderFields: Int = 100

    /// A connection without a request is closed after this time; so is one whose request head takes longer.
    public var idleTimeout: Duration = .seconds(30)

    /// A request must have arrived whole this long after its head.
    public var readTimeout: Duration = .seconds(30)

    /// A client that takes nothing of its answer for this long is cut off.
    public var writeTimeout: Duration = .seconds(30)

    /// Most open connections; further ones wait in the kernel's queue.
    public var maxConnections: Int = 1024

    /// Creates the defaults.
    public init() {}

    /// The defaults with a change: `.with { $0.waitsForPort = true }`.
    public static func with(_ change: (inout ListenerOptions) -> Void) -> ListenerOptions {
        var options = ListenerOptions()
        change(&options)
        return options
    }
}
