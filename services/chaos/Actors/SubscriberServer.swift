import Cryptography
import Foundation
import Messaging
import NIOCore
import NIOHTTP1
import NIOPosix
import StrictJSON
import Synchronization
import Webhooks

/// Our webhook subscribers: `/steady` always takes what it gets, `/moody` can be made hostile. Everything that arrives is verified
/// and written down before it is answered, as JSON lines for `waybill verify --receipts`.
final class SubscriberServer: Sendable {
    /// How a hostile subscriber behaves.
    enum Mood: String, Sendable, CaseIterable {
        case polite
        /// Takes the request and never answers.
        case hangs
        /// 500.
        case fails
        /// 429 with `Retry-After: 1`.
        case busy
        /// 302 to itself.
        case redirects
        /// Takes the request and breaks the connection: the sender cannot know.
        case breaksOff = "breaks-off"
        /// Answers with a body without end, slowly.
        case drips

        /// What it answers; 0 for nothing.
        var status: Int {
            switch self {
            case .polite: 204
            case .hangs, .breaksOff: 0
            case .fails, .drips: 500
            case .busy: 429
            case .redirects: 302
            }
        }
    }

    /// An endpoint as the sender knows it.
    private struct Endpoint {
        var id: String
        var verifier: WebhookVerifier
    }

    private struct State {
        var mood = Mood.polite
        /// By path.
        var endpoints: [String: Endpoint] = [:]
        var received = 0
        var file: FileHandle?
        var listener: (any Channel)?
    }

    private let state = Mutex(State())

    /// Listens on a free port and returns it.
    func start(log: String) async throws -> Int {
        _ = FileManager.default.createFile(atPath: log, contents: nil)
        state.withLock { $0.file = FileHandle(forWritingAtPath: log) }
        let listener = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .serverChannelOption(.backlog, value: 256)
            .childChannelInitializer { [self] channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.configureHTTPServerPipeline()
                    try channel.pipeline.syncOperations.addHandler(SubscriberHandler(self))
                }
            }
            .bind(host: "127.0.0.1", port: 0)
            .get()
        state.withLock { $0.listener = listener }
        return listener.localAddress?.port ?? 0
    }

    /// What comes to a path is for this endpoint, signed with this secret.
    /// - Throws: when it is no secret.
    func expect(_ path: String, endpoint: String, secret: String) throws {
        let verifier = WebhookVerifier(secrets: [try WebhookSecret(secret)])
        state.withLock { $0.endpoints[path] = Endpoint(id: endpoint, verifier: verifier) }
    }

    /// How `/moody` behaves from now on.
    func set(_ mood: Mood) { state.withLock { $0.mood = mood } }

    /// Requests so far.
    var received: Int { state.withLock { $0.received } }

    func close() async {
        let listener = state.withLock { state in
            try? state.file?.close()
            state.file = nil
            return state.listener
        }
        try? await listener?.close()
    }

    /// Notes a request and says how to answer it.
    func take(path: String, headers: [(name: String, value: String)], body: [UInt8]) -> Mood {
        let digest = SHA256.hash(body).hexadecimal
        let now = SystemClock().now()
        return state.withLock { state in
            let mood = path.hasPrefix("/moody") ? state.mood : .polite
            state.received += 1
            let endpoint = state.endpoints[path]
            let verified = try? endpoint?.verifier.verify(headers: headers, body: body, at: now).get()
            var line: JSONObject = [
                "at": .integer(now.millisecondsSinceEpoch), "path": .string(path), "id": .string(verified?.id ?? ""),
                "digest": .string(digest), "verified": .bool(verified != nil), "status": .integer(Int64(mood.status)),
                "mood": .string(mood.rawValue),
            ]
            if let endpoint { line["endpoint"] = .string(endpoint.id) }
            state.file?.write(Data(StrictJSON.encode(.object(line)) + [UInt8(ascii: "\n")]))
            return mood
        }
    }
}

private final class SubscriberHandler: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    private let server: SubscriberServer
    private var path = ""
    private var headers: [(name: String, value: String)] = []
    private var body: [UInt8] = []

    init(_ server: SubscriberServer) { self.server = server }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head):
            path = head.uri
            headers = head.headers.map { (name: $0.name, value: $0.value) }
            body = []
        case .body(let part):
            if body.count < 1 << 20 { body += part.readableBytesView }
        case .end:
            answer(server.take(path: path, headers: headers, body: body), context)
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }

    private func answer(_ mood: SubscriberServer.Mood, _ context: ChannelHandlerContext) {
        switch mood {
        case .polite: send(.noContent, [:], context)
        case .hangs: break
        case .fails: send(.internalServerError, [:], context)
        case .busy: send(.tooManyRequests, ["retry-after": "1"], context)
        case .redirects: send(.found, ["location": "/steady"], context)
        case .breaksOff: context.close(promise: nil)
        case .drips:
            send(.internalServerError, ["content-length": "1000000"], context, ends: false)
            drip(context, left: 10)
        }
    }

    private func send(
        _ status: HTTPResponseStatus,
        _ headers: [String: String],
        _ context: ChannelHandlerContext,
        ends: Bool = true
    ) {
        var fields = HTTPHeaders(headers.map { ($0.key, $0.value) })
        if ends, status != .noContent { fields.add(name: "content-length", value: "0") }
        context.write(
            wrapOutboundOut(.head(HTTPResponseHead(version: .http1_1, status: status, headers: fields))),
            promise: nil
        )
        if ends {
            context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
        } else {
            context.flush()
        }
    }

    private func drip(_ context: ChannelHandlerContext, left: Int) {
        guard left > 0, context.channel.isActive else { return context.close(promise: nil) }
        context.writeAndFlush(wrapOutboundOut(.body(.byteBuffer(ByteBuffer(string: ".")))), promise: nil)
        context.eventLoop.assumeIsolated().scheduleTask(in: .milliseconds(500)) { [self] in
            drip(context, left: left - 1)
        }
    }
}
