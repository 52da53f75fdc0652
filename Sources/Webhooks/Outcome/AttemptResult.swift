/// Why an attempt got no answer that counts. The raw values are stable: they are stored, counted and shown.
public enum AttemptFault: String, Sendable, Hashable, CaseIterable {
    /// The name has no address.
    case dns = "dns_error"
    /// Nobody listens.
    case refused = "connection_refused"
    /// The connection broke.
    case reset = "connection_reset"
    /// There is no way there.
    case unreachable = "network_unreachable"
    /// The deadline passed: for connecting (5 s) or for everything.
    case timeout
    /// The TLS handshake failed: certificate, name or protocol.
    case tls = "tls_error"
    /// What came is not HTTP.
    case http = "http_protocol_error"
    /// The address must not be called. Nothing was sent.
    case blockedAddress = "blocked_address"
    /// The head of the answer is too large.
    case tooLarge = "response_too_large"
    /// The process ended while the request was on the wire, or before it was known what came of it.
    case interrupted
}

/// What an attempt brought.
public enum AttemptResult: Sendable, Hashable {
    /// An answer with its head; of the body as much as is kept.
    case answered(AttemptAnswer)
    /// No answer, or none that counts.
    case failed(AttemptFault, detail: String)
}

/// The answer of a receiver.
public struct AttemptAnswer: Sendable, Hashable {
    /// The status code.
    public var status: Int
    /// The headers in order, names in lower case, at most ``maximumHeaders``.
    public var headers: [Header]
    /// The beginning of the body, at most 64 KiB.
    public var body: [UInt8]
    /// Whether there was more, or the rest did not come in time.
    public var isTruncated: Bool

    /// One header.
    public struct Header: Sendable, Hashable {
        /// In lower case.
        public var name: String
        /// As it came.
        public var value: String

        /// Makes a header.
        public init(_ name: String, _ value: String) {
            self.name = name.lowercased()
            self.value = value
        }
    }

    /// The most headers that are kept.
    public static let maximumHeaders = 64

    /// Makes an answer.
    public init(status: Int, headers: [Header] = [], body: [UInt8] = [], isTruncated: Bool = false) {
        self.status = status
        self.headers = headers
        self.body = body
        self.isTruncated = isTruncated
    }

    /// The first header of a name in lower case.
    public func header(_ name: String) -> String? { headers.first { $0.name == name }?.value }
}
