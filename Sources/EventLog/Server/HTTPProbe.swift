import NIOConcurrencyHelpers
import NIOCore
import NIOHTTP1
import NIOPosix
import Telemetry

/// The small HTTP listener: `/health/live`, `/health/ready` and `/metrics`. Answers one request per connection.
struct HTTPProbe: Sendable {
    let channel: any Channel
    fileprivate let source: NIOLockedValueBox<Broker?>

    var port: Int? { channel.localAddress?.port }

    /// Listens where the configuration says; nil when it says nowhere.
    static func bind(_ configuration: EventLogConfiguration, group: any EventLoopGroup) async throws -> HTTPProbe? {
        guard let host = configuration.metricsHost else { return nil }
        let source = NIOLockedValueBox<Broker?>(nil)
        let channel = try await ServerBootstrap(group: group)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.configureHTTPServerPipeline(withErrorHandling: true)
                    try channel.pipeline.syncOperations.addHandler(IdleStateHandler(readTimeout: .seconds(10)))
                    try channel.pipeline.syncOperations.addHandler(ProbeHandler(source: source))
                }
            }
            .bind(host: host, port: configuration.metricsPort).get()
        return HTTPProbe(channel: channel, source: source)
    }

    /// From now on the server is ready.
    func ready(_ broker: Broker) { source.withLockedValue { $0 = broker } }
}

/// Confined to its channel's event loop.
private final class ProbeHandler: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    private let source: NIOLockedValueBox<Broker?>
    private var head: HTTPRequestHead?

    init(source: NIOLockedValueBox<Broker?>) { self.source = source }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head): self.head = head
        // Bodies are not wanted and not kept.
        case .body: break
        case .end:
            guard let head else { return }
            self.head = nil
            answer(head, context: context)
        }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if event is IdleStateHandler.IdleStateEvent { context.close(promise: nil) }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }

    private func answer(_ head: HTTPRequestHead, context: ChannelHandlerContext) {
        let broker = source.withLockedValue { $0 }
        let path = head.uri.split(separator: "?", maxSplits: 1).first.map(String.init) ?? "/"
        let isRead = head.method == .GET || head.method == .HEAD
        let (status, text): (HTTPResponseStatus, String) =
            switch path {
            case _ where !isRead: (.methodNotAllowed, #"{"status":405,"title":"Method Not Allowed"}"#)
            case "/health/live": (.ok, #"{"status":"live"}"#)
            case "/health/ready" where broker == nil: (.serviceUnavailable, #"{"status":"recovering"}"#)
            case "/health/ready": (.ok, #"{"status":"ready"}"#)
            case "/metrics": (.ok, broker.map { String(decoding: LogMetrics.page($0), as: UTF8.self) } ?? "")
            default: (.notFound, #"{"status":404,"title":"Not Found"}"#)
            }
        let isPage = isRead && path == "/metrics"
        let body = ByteBuffer(string: isPage ? text : text + "\n")
        var headers = HTTPHeaders()
        headers.add(name: "content-type", value: isPage ? PrometheusRegistry.contentType : "application/json")
        headers.add(name: "content-length", value: "\(body.readableBytes)")
        headers.add(name: "connection", value: "close")
        context.write(wrapOutboundOut(.head(.init(version: .http1_1, status: status, headers: headers))), promise: nil)
        if head.method != .HEAD { context.write(wrapOutboundOut(.body(.byteBuffer(body))), promise: nil) }
        let promise = context.eventLoop.makePromise(of: Void.self)
        let channel = context.channel
        promise.futureResult.whenComplete { _ in channel.close(promise: nil) }
        context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: promise)
    }
}
