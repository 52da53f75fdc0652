/// One request as it goes on the wire.
public struct WebhookRequest: Sendable {
    /// `POST`, or `OPTIONS` for the handshake.
    public var method: String
    /// Where to.
    public var url: WebhookURL
    /// Headers beside `host` and `content-length`, which the client writes.
    public var headers: [(name: String, value: String)]
    /// The body.
    public var body: [UInt8]
    /// For everything: resolution, connection, TLS, head and body of the answer.
    public var timeout: Duration

    /// Makes a request.
    public init(
        method: String = "POST",
        url: WebhookURL,
        headers: [(name: String, value: String)],
        body: [UInt8],
        timeout: Duration = .seconds(15)
    ) {
        self.method = method
        self.url = url
        self.headers = headers
        self.body = body
        self.timeout = timeout
    }
}

/// What came of a request.
public struct WebhookExchange: Sendable {
    /// The answer or the fault.
    public var result: AttemptResult
    /// The address that was called, or that was denied.
    public var address: IPAddress?
    /// How long each phase took.
    public var timings = Timings()
    /// Whether a connection of an earlier request served.
    public var reusedConnection = false

    /// Phases in microseconds; `nil` for a phase that was not reached or not needed.
    public struct Timings: Sendable, Hashable {
        public var resolve: Int64?
        public var connect: Int64?
        public var tls: Int64?
        /// From the request's last byte handed to the kernel to the answer's head.
        public var firstByte: Int64?
        /// Everything.
        public var total: Int64 = 0

        /// No phase yet.
        public init() {}
    }

    /// Makes an exchange.
    public init(result: AttemptResult, address: IPAddress? = nil) {
        self.result = result
        self.address = address
    }
}

/// Sends requests. The dispatcher knows only this; ``WebhookClient`` is the real one.
public protocol WebhookSending: Sendable {
    /// Sends a request, once. Never throws, never repeats, never follows a redirect.
    func send(_ request: WebhookRequest) async -> WebhookExchange
    /// Ends what is on the wire with ``AttemptFault/interrupted`` and refuses what comes.
    func interrupt() async
}
