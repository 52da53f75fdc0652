/// One event of a `text/event-stream` (https://html.spec.whatwg.org/multipage/server-sent-events.html).
public struct ServerSentEvent: Sendable, Hashable {
    /// Where a client resumes: it sends the last one back as `Last-Event-ID`. Line breaks and NUL are removed.
    public var id: String?
    /// The event's name; nil means `message`. Line breaks are removed.
    public var event: String?
    /// The text; each of its lines becomes a `data:` line.
    public var data: String

    /// Creates an event.
    public init(id: String?, event: String? = nil, data: String) {
        self.id = id
        self.event = event
        self.data = data
    }

    /// Creates an event whose text is JSON bytes.
    public init(id: String?, event: String? = nil, json: [UInt8]) {
        self.init(id: id, event: event, data: String(decoding: json, as: UTF8.self))
    }

    /// The event's bytes on the wire, with the empty line that ends it.
    public var encoded: [UInt8] {
        var bytes: [UInt8] = []
        if let id { Self.append("id", Self.oneLine(id), to: &bytes) }
        if let event { Self.append("event", Self.oneLine(event), to: &bytes) }
        for line in Self.lines(data) { Self.append("data", String(line), to: &bytes) }
        bytes.append(0x0A)
        return bytes
    }

    /// A comment: keeps the connection alive and is seen by no one.
    static func comment(_ text: String) -> [UInt8] { Array(": \(oneLine(text))\n\n".utf8) }

    /// Tells the client how long to wait before it connects again.
    static func retry(_ duration: Duration) -> [UInt8] {
        Array("retry: \(max(0, Int(duration / .milliseconds(1))))\n\n".utf8)
    }

    private static func append(_ field: String, _ value: String, to bytes: inout [UInt8]) {
        bytes.append(contentsOf: field.utf8)
        bytes.append(contentsOf: ": ".utf8)
        bytes.append(contentsOf: value.utf8)
        bytes.append(0x0A)
    }

    private static func oneLine(_ text: String) -> String {
        String(String.UnicodeScalarView(text.unicodeScalars.filter { $0 != "\n" && $0 != "\r" && $0 != "\0" }))
    }

    /// `\r\n`, `\n` and `\r` each end a line, as they do for the client.
    private static func lines(_ text: String) -> [Substring.UnicodeScalarView] {
        var result: [Substring.UnicodeScalarView] = []
        var scalars = text.unicodeScalars[...]
        while let end = scalars.firstIndex(where: { $0 == "\n" || $0 == "\r" }) {
            result.append(scalars[..<end])
            let isPair = scalars[end] == "\r" && scalars[scalars.index(after: end)...].first == "\n"
            scalars = scalars[scalars.index(end, offsetBy: isPair ? 2 : 1)...]
        }
        result.append(scalars)
        return result
    }
}

/// Reads a `text/event-stream` piece by piece, for clients. Pure; bounded by ``maxEventBytes``.
public struct ServerSentEventParser: Sendable {
    /// An event was larger than ``maxEventBytes``: the stream cannot be read on.
    public struct TooLarge: Error, Sendable {}

    /// Largest event, in bytes.
    public static let maxEventBytes = 256 << 10

    /// The id to resume from: of the last event that had one.
    public private(set) var lastEventID: String?

    private var line: [UInt8] = []
    private var sawReturn = false
    private var data: [UInt8] = []
    private var hasData = false
    private var event: String?

    /// Creates a parser at the start of a stream.
    public init() {}

    /// Takes bytes as they come and gives the events that they complete.
    public mutating func feed(_ bytes: some Sequence<UInt8>) throws(TooLarge) -> [ServerSentEvent] {
        var events: [ServerSentEvent] = []
        for byte in bytes {
            if byte == 0x0A, sawReturn {
                sawReturn = false
                continue
            }
            sawReturn = byte == 0x0D
            if byte == 0x0A || byte == 0x0D {
                if let event = endLine() { events.append(event) }
                line.removeAll(keepingCapacity: true)
            } else {
                line.append(byte)
            }
            guard line.count + data.count <= Self.maxEventBytes else { throw TooLarge() }
        }
        return events
    }

    private mutating func endLine() -> ServerSentEvent? {
        if line.isEmpty {
            defer {
                data = []
                hasData = false
                event = nil
            }
            guard hasData else { return nil }
            return ServerSentEvent(id: lastEventID, event: event, data: String(decoding: data, as: UTF8.self))
        }
        let colon = line.firstIndex(of: UInt8(ascii: ":")) ?? line.endIndex
        let field = String(decoding: line[..<colon], as: UTF8.self)
        var value = colon < line.endIndex ? line[(colon + 1)...] : []
        if value.first == 0x20 { value = value.dropFirst() }
        switch field {
        case "data":
            if hasData { data.append(0x0A) }
            hasData = true
            data.append(contentsOf: value)
        case "event": event = String(decoding: value, as: UTF8.self)
        case "id" where !value.contains(0): lastEventID = String(decoding: value, as: UTF8.self)
        default: break
        }
        return nil
    }
}
