import AsyncHTTPClient
import NIOCore
import NIOHTTP1
import NIOPosix
import Synchronization
import Telemetry

/// An HTTP client with nothing left to chance: no redirects, no decompression, no cookies, one deadline for the whole exchange, a cap on
/// the reply, and every way to fail sorted into ``HTTPFailure/Code``.
///
/// It keeps connections open per host; call ``shutdown()`` when done. It never repeats a request. A `traceparent` header is added
/// from `TraceContext.current` unless given. Safe to use from any task.
public final class HTTPSender: Sendable {
    /// Bounds of a sender.
    public struct Options: Sendable {
        /// Longest time to make a connection, TLS included. Never longer than the request's own deadline.
        public var connectTimeout: Duration = .seconds(3)
        /// Most HTTP/1.1 connections to one host; further requests wait for a free one within their deadline.
        public var maxConnectionsPerHost: Int = 256
        /// Idle connections are closed after this time. Shorter than the 30 s after which our own listeners close them.
        public var idleTimeout: Duration = .seconds(20)

        /// Creates the defaults.
        public init() {}
    }

    /// Largest reply body when nothing else is said: 64 KiB.
    public static let defaultMaxResponseBytes = 64 << 10

    private let client: HTTPClient
    private let watch = DeadlineWatch()

    /// Creates a sender on the process's shared event loops.
    public init(options: Options = Options()) {
        var configuration = HTTPClient.Configuration(
            redirectConfiguration: .disallow,
            timeout: .init(connect: TimeAmount(options.connectTimeout)),
            connectionPool: .init(
                idleTimeout: TimeAmount(options.idleTimeout),
                concurrentHTTP1ConnectionsPerHostSoftLimit: options.maxConnectionsPerHost
            ),
            decompression: .disabled
        )
        configuration.httpVersion = .http1Only
        // A refused connection is an answer: the caller decides about repeating.
        configuration.connectionPool.retryConnectionEstablishment = false
        client = HTTPClient(
            eventLoopGroupProvider: .shared(MultiThreadedEventLoopGroup.singleton),
            configuration: configuration
        )
    }

    deinit {
        // The client insists on a shutdown; after ``shutdown()`` this only reports that it is done already.
        client.shutdown { _ in }
    }

    /// Ends all connections; requests in flight fail with ``HTTPFailure/Code/cancelled``. Connections that are just being made
    /// may hold this up for ``Options/connectTimeout``.
    public func shutdown() async {
        try? await client.shutdown()
    }

    /// Sends a request and waits for the whole reply.
    ///
    /// - Parameters:
    ///   - method: such as `GET` or `POST`.
    ///   - url: absolute, `http` or `https`.
    ///   - deadline: for everything, from the name's resolution to the last byte of the body.
    public func send(
        _ method: String,
        url: String,
        headers: [(String, String)] = [],
        body: [UInt8]? = nil,
        deadline: Duration = .seconds(10),
        maxResponseBytes: Int = HTTPSender.defaultMaxResponseBytes
    ) async -> Result<HTTPReply, HTTPFailure> {
        let request: HTTPClientRequest
        switch Self.request(method, url, headers, body) {
        case .success(let made): request = made
        case .failure(let failure): return .failure(failure)
        }
        let client = client
        let (result, isLate) = await watch.run(within: deadline) { () -> Result<HTTPReply, HTTPFailure> in
            do {
                let response = try await client.execute(request, deadline: .now() + TimeAmount(deadline))
                if let announced = response.headers.first(name: "content-length").flatMap({ Int($0) }),
                    announced > maxResponseBytes,
                    method != "HEAD"
                {
                    return .failure(HTTPFailure(.responseTooLarge, "\(announced) bytes announced"))
                }
                var bytes: [UInt8] = []
                for try await buffer in response.body {
                    guard bytes.count + buffer.readableBytes <= maxResponseBytes else {
                        return .failure(HTTPFailure(.responseTooLarge, "more than \(maxResponseBytes) bytes"))
                    }
                    bytes.append(contentsOf: buffer.readableBytesView)
                }
                return .success(
                    HTTPReply(
                        status: Int(response.status.code),
                        headers: response.headers.map { ($0.name, $0.value) },
                        body: bytes
                    )
                )
            } catch {
                return .failure(HTTPFailure(error))
            }
        }
        if isLate, case .failure = result { return .failure(HTTPFailure(.timeout, "deadline")) }
        return result
    }

    /// Follows a `text/event-stream` until it ends, `onEvent` says false, or the task is cancelled.
    ///
    /// - Parameters:
    ///   - lastEventID: where to resume.
    ///   - silence: longest time without any byte (heartbeats count) before the stream counts as dead.
    ///   - onEvent: called for each event; false ends the stream.
    /// - Returns: nil when the stream ended in order; a reply when the server answered something else than a stream; a failure else.
    public func followEvents(
        url: String,
        headers: [(String, String)] = [],
        lastEventID: String? = nil,
        silence: Duration = .seconds(45),
        onEvent: @escaping @Sendable (ServerSentEvent) async -> Bool
    ) async -> Result<HTTPReply?, HTTPFailure> {
        var all = headers + [("accept", "text/event-stream")]
        if let lastEventID { all.append(("last-event-id", lastEventID)) }
        let request: HTTPClientRequest
        switch Self.request("GET", url, all, nil) {
        case .success(let made): request = made
        case .failure(let failure): return .failure(failure)
        }
        let client = client
        let activity = LastActivity()
        return await withTaskGroup(of: Result<HTTPReply?, HTTPFailure>?.self) { group in
            group.addTask { await Self.follow(client, request, silence, activity, onEvent) }
            group.addTask {
                while true {
                    let quiet = activity.age
                    if quiet >= silence { return .failure(HTTPFailure(.timeout, "the stream is silent")) }
                    do { try await Task.sleep(for: silence - quiet) } catch { return nil }
                }
            }
            defer { group.cancelAll() }
            while let result = await group.next() { if let result { return result } }
            return .failure(HTTPFailure(.cancelled))
        }
    }

    private static func follow(
        _ client: HTTPClient,
        _ request: HTTPClientRequest,
        _ silence: Duration,
        _ activity: LastActivity,
        _ onEvent: @escaping @Sendable (ServerSentEvent) async -> Bool
    ) async -> Result<HTTPReply?, HTTPFailure> {
        do {
            let response = try await client.execute(request, deadline: .now() + TimeAmount(silence))
            let isStream = response.headers.first(name: "content-type")?.hasPrefix("text/event-stream") == true
            guard response.status == .ok, isStream else {
                let body = try await response.body.collect(upTo: defaultMaxResponseBytes)
                return .success(
                    HTTPReply(
                        status: Int(response.status.code),
                        headers: response.headers.map { ($0.name, $0.value) },
                        body: Array(body.readableBytesView)
                    )
                )
            }
            var parser = ServerSentEventParser()
            for try await buffer in response.body {
                activity.touch()
                for event in try parser.feed(buffer.readableBytesView) where await !onEvent(event) {
                    return .success(nil)
                }
            }
            return .success(nil)
        } catch is ServerSentEventParser.TooLarge {
            return .failure(HTTPFailure(.responseTooLarge, "an event is too large"))
        } catch {
            return .failure(HTTPFailure(error))
        }
    }

    // MARK: Inside

    private static func request(
        _ method: String,
        _ url: String,
        _ headers: [(String, String)],
        _ body: [UInt8]?
    ) -> Result<HTTPClientRequest, HTTPFailure> {
        let scheme = url.prefix { $0 != ":" }.lowercased()
        guard scheme == "http" || scheme == "https", url.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else {
            return .failure(HTTPFailure(.invalidRequest, "the address must be an absolute http or https URL"))
        }
        guard !method.isEmpty, method.utf8.allSatisfy({ $0 >= UInt8(ascii: "A") && $0 <= UInt8(ascii: "Z") }) else {
            return .failure(HTTPFailure(.invalidRequest, "the method must be capital letters"))
        }
        var request = HTTPClientRequest(url: url)
        request.method = HTTPMethod(rawValue: method)
        for (name, value) in headers {
            guard value.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7F }) else {
                return .failure(HTTPFailure(.invalidRequest, "a header has control characters"))
            }
            request.headers.add(name: name, value: value)
        }
        if let trace = TraceContext.current, !request.headers.contains(name: "traceparent") {
            request.headers.add(name: "traceparent", value: trace.traceparent)
            if let state = trace.state { request.headers.add(name: "tracestate", value: state) }
        }
        if let body { request.body = .bytes(ByteBuffer(bytes: body)) }
        return .success(request)
    }
}

/// When something last came in.
private final class LastActivity: Sendable {
    private let clock = ContinuousClock()
    private let last = Mutex(ContinuousClock.now)

    var age: Duration { last.withLock { clock.now - $0 } }

    func touch() { last.withLock { $0 = clock.now } }
}
