/// Collects the answer to an HTTP probe, as far as it matters: status code and the start of the body.
///
/// Bounded: at most ``limit`` bytes are kept, and an answer counts as complete once they are full.
public struct ProbeResponse: Sendable {
    /// The most bytes kept of one answer.
    public static let limit = 8192
    /// The most characters kept of a body for display.
    public static let detailLimit = 200

    private var bytes: [UInt8] = []

    /// Starts with nothing received.
    public init() {}

    /// Adds received bytes.
    public mutating func append(_ more: some Sequence<UInt8>) {
        for byte in more where bytes.count < Self.limit { bytes.append(byte) }
    }

    /// The status code once its line is complete; `nil` before that, or for bytes that are not HTTP/1.
    public var statusCode: Int? {
        guard bytes.starts(with: "HTTP/1.".utf8), bytes.count >= 13 else { return nil }
        guard bytes[8] == 0x20, bytes.firstIndex(of: 0x0a) != nil else { return nil }
        let digits = bytes[9..<12]
        guard digits.allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
        return digits.reduce(0) { $0 * 10 + Int($1 - 0x30) }
    }

    /// Whether nothing more need be read: the declared body is there, or the buffer is full.
    public var isComplete: Bool {
        if bytes.count >= Self.limit { return true }
        guard let bodyStart, let length = contentLength else { return false }
        return bytes.count - bodyStart >= length
    }

    /// The outcome, once the peer has closed or ``isComplete``.
    public var outcome: ProbeOutcome {
        guard let code = statusCode else {
            return .silent(bytes.isEmpty ? "closed without an answer" : "not an HTTP answer")
        }
        let ready = (200..<300).contains(code)
        return .answered(ready: ready, statusCode: code, detail: ready ? "" : body)
    }

    private var bodyStart: Int? {
        guard bytes.count >= 4 else { return nil }
        for index in 0...(bytes.count - 4) where bytes[index..<(index + 4)].elementsEqual([13, 10, 13, 10]) {
            return index + 4
        }
        return nil
    }

    private var contentLength: Int? {
        guard let bodyStart else { return nil }
        for line in bytes[..<bodyStart].split(separator: 0x0a) {
            let text = String(decoding: line, as: UTF8.self).lowercased()
            guard text.hasPrefix("content-length:") else { continue }
            let digits = text.dropFirst("content-length:".count).filter { !$0.isWhitespace }
            guard let length = Int(digits), length >= 0 else { return nil }
            return length
        }
        return nil
    }

    /// The body as one line of printable text.
    private var body: String {
        guard let bodyStart, bodyStart < bytes.count else { return "" }
        let text = String(decoding: bytes[bodyStart...], as: UTF8.self)
        let printable = text.unicodeScalars.map { $0.value < 0x20 || $0.value == 0x7f ? " " : Character($0) }
        return String(printable.prefix(Self.detailLimit))
    }
}
