/// Headers that a person adds to the requests of an endpoint.
public enum CustomHeaders {
    /// The most headers of one endpoint.
    public static let maximumCount = 32
    /// The longest value, in bytes.
    public static let maximumValue = 4096

    private static let forbidden: Set<String> = [
        "host", "user-agent", "connection", "keep-alive", "proxy-authenticate", "proxy-authorization",
        "proxy-connection",
        "te", "trailer", "transfer-encoding", "upgrade", "expect", "traceparent", "tracestate", "date",
        "accept-encoding",
    ]
    private static let forbiddenPrefixes = ["content-", "webhook-", "ce-"]

    /// What is wrong with a header; `nil` when nothing is.
    public static func fault(name: String, value: String) -> String? {
        guard (1...128).contains(name.utf8.count), name.utf8.allSatisfy(isToken) else {
            return "A header's name is 1 to 128 letters, digits or hyphens."
        }
        let lower = name.lowercased()
        guard !forbidden.contains(lower), !forbiddenPrefixes.contains(where: { lower.hasPrefix($0) }) else {
            return "The header \(name) is written by the sender and cannot be set."
        }
        guard value.utf8.count <= maximumValue else { return "A header's value has at most \(maximumValue) bytes." }
        guard value.utf8.allSatisfy({ (0x20...0x7E).contains($0) }) else {
            return "A header's value is visible ASCII: no line breaks, no control characters."
        }
        return nil
    }

    private static func isToken(_ byte: UInt8) -> Bool {
        (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte)
            || byte == UInt8(ascii: "-") || byte == UInt8(ascii: "_")
    }
}
