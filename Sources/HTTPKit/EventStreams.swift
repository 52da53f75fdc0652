import HTTPTypes
public import Hummingbird
import NIOCore
import ServiceLifecycle
import Synchronization

/// Answers requests with streams of server-sent events.
///
/// A stream *pulls*: it asks for the events after a cursor and waits when there are none. Nothing is buffered for slow clients,
/// a client that comes back with `Last-Event-ID` goes on where it stopped, and the number of streams is bounded. A stream ends
/// when the source says so, the client goes away, the process shuts down, or after ``Options/maxDuration`` (the client
/// then comes back by itself).
public final class EventStreams: Sendable {
    /// Times of a stream.
    public struct Options: Sendable {
        /// How long the source may wait for news before a comment keeps the connection alive.
        public var heartbeat: Duration = .seconds(15)
        /// How long the client shall wait before it connects again.
        public var retry: Duration = .seconds(2)
        /// Longest life of one stream.
        public var maxDuration: Duration = .seconds(3600)

        /// Creates the defaults.
        public init() {}
    }

    /// What the source has to say.
    public enum Page: Sendable {
        /// Events after the cursor, in order, at most a few hundred. Empty: none within the given time.
        case events([ServerSentEvent])
        /// These are the last ones; the stream ends.
        case last([ServerSentEvent])
    }

    /// Gives the events after `cursor` (the id of the last event that was sent; nil at the start), waiting for at most `wait` when
    /// there are none yet.
    public typealias Source = @Sendable (_ cursor: String?, _ wait: Duration) async throws -> Page

    /// Most streams at a time.
    public let maxStreams: Int
    private let open = Mutex(0)

    /// Longest `Last-Event-ID` that is listened to, in bytes.
    public static let maxCursorBytes = 128

    /// Creates the place that counts the streams.
    public init(maxStreams: Int = 256) {
        self.maxStreams = maxStreams
    }

    /// Streams that are open now.
    public var count: Int { open.withLock { $0 } }

    /// Where the client wants to go on: the `Last-Event-ID` header, or the query's `last_event_id`.
    ///
    /// - Throws: ``Problem`` 400 when it is too long or not printable ASCII.
    public static func cursor(of request: Request) throws(Problem) -> String? {
        let name = HTTPField.Name("Last-Event-ID")
        let header = name.flatMap { request.headers[$0] }
        guard let cursor = header ?? request.uri.queryParameters["last_event_id"].map(String.init), !cursor.isEmpty
        else {
            return nil
        }
        guard cursor.utf8.count <= maxCursorBytes, cursor.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else {
            throw Problem.badRequest(
                "invalid-last-event-id",
                "Last-Event-ID must be at most \(maxCursorBytes) printable characters."
            )
        }
        return cursor
    }

    /// The response that streams `source`, from the client's cursor on.
    ///
    /// - Throws: ``Problem`` 400 for a bad cursor, 503 when ``maxStreams`` are open.
    public func response(
        to request: Request,
        options: Options = Options(),
        source: @escaping Source
    ) throws(Problem) -> Response {
        let cursor = try Self.cursor(of: request)
        guard let place = takePlace() else {
            throw Problem.unavailable("too-many-streams", "Too many event streams are open.", retryAfterSeconds: 5)
        }
        let body = ResponseBody { writer in
            // The place is given back when the body, written or not, is let go.
            defer { withExtendedLifetime(place) {} }
            try await Self.stream(from: cursor, options, source, into: &writer)
            try await writer.finish(nil)
        }
        var headers = HTTPFields()
        headers[.contentType] = "text/event-stream"
        headers[.cacheControl] = "no-store"
        return Response(status: .ok, headers: headers, body: body)
    }

    private static func stream(
        from start: String?,
        _ options: Options,
        _ source: @escaping Source,
        into writer: inout any ResponseBodyWriter
    ) async throws {
        let clock = ContinuousClock()
        let deadline = clock.now + options.maxDuration
        var cursor = start
        try await writer.write(ByteBuffer(bytes: ServerSentEvent.retry(options.retry)))
        while clock.now < deadline, !Task.isCancelled, !Task.isShuttingDownGracefully {
            let wait = min(options.heartbeat, deadline - clock.now)
            let page: Page
            do {
                page = try await cancelWhenGracefulShutdown { [cursor] in try await source(cursor, wait) }
            } catch is CancellationError {
                return
            }
            switch page {
            case .events(let events):
                if events.isEmpty {
                    try await writer.write(ByteBuffer(bytes: ServerSentEvent.comment("heartbeat")))
                } else {
                    try await write(events, &cursor, into: &writer)
                }
            case .last(let events):
                return try await write(events, &cursor, into: &writer)
            }
        }
    }

    private static func write(
        _ events: [ServerSentEvent],
        _ cursor: inout String?,
        into writer: inout any ResponseBodyWriter
    ) async throws {
        for event in events {
            try await writer.write(ByteBuffer(bytes: event.encoded))
            if let id = event.id { cursor = id }
        }
    }

    private func takePlace() -> Place? {
        let taken = open.withLock { open -> Bool in
            guard open < maxStreams else { return false }
            open += 1
            return true
        }
        return taken ? Place(self) : nil
    }

    private final class Place: Sendable {
        private let streams: EventStreams

        init(_ streams: EventStreams) { self.streams = streams }

        deinit { streams.open.withLock { $0 -= 1 } }
    }
}
