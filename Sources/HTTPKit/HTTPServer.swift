import HTTPTypes
import Hummingbird
import HummingbirdCore
import Logging
import NIOCore
import NIOExtras
import NIOHTTP1
import NIOPosix
import ServiceLifecycle
import Synchronization

/// Accepts connections and runs one task for each, until told to stop.
///
/// Hummingbird's own accept loop hands connections over through an asynchronous sequence. A connection that arrives in the moment of the
/// stop can be dropped there untouched, and the networking library answers a dropped connection with a trap. Here a handler on each
/// accepted connection puts it into an inbox once it is open, and everything in the inbox is served or closed in order.
struct HTTPServer: Sendable {
    typealias Connection = HTTP1Channel.Value

    let child: HTTP1Channel
    let host: String
    let port: Int
    let maxConnections: Int
    let logger: Logger

    /// Serves until graceful shutdown (requests in flight are finished) or cancellation (they are cut off).
    ///
    /// - Throws: what binding throws.
    func run(onBound: @Sendable (Int) -> Void) async throws {
        let inbox = ConnectionInbox()
        let quiescing = ServerQuiescingHelper(group: MultiThreadedEventLoopGroup.singleton)
        let server = try await bind(inbox, quiescing)
        server.closeFuture.whenComplete { _ in inbox.close() }
        if let port = server.localAddress?.port { onBound(port) }
        // Both stop accepting first; then idle connections close and busy ones finish their request. A cancellation reaches
        // the connections' tasks besides, and they close at once.
        await withTaskCancellationHandler {
            await withGracefulShutdownHandler {
                await withDiscardingTaskGroup { tasks in
                    while let connection = await inbox.next() {
                        tasks.addTask { await child.handle(value: connection, logger: logger) }
                    }
                }
            } onGracefulShutdown: {
                quiescing.initiateShutdown(promise: nil)
            }
        } onCancel: {
            quiescing.initiateShutdown(promise: nil)
        }
    }

    private func bind(_ inbox: ConnectionInbox, _ quiescing: ServerQuiescingHelper) async throws -> any Channel {
        let (child, logger, maxConnections) = (child, logger, maxConnections)
        return try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .serverChannelOption(.backlog, value: 256)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.allowRemoteHalfClosure, value: true)
            .serverChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let bound = MaximumAvailableConnections(maxConnections, logger: logger)
                    try channel.pipeline.syncOperations.addHandler(AvailableConnectionsChannelHandler(delegate: bound))
                    try channel.pipeline.syncOperations.addHandler(quiescing.makeServerChannelHandler(channel: channel))
                }
            }
            .childChannelInitializer { channel in
                child.setup(channel: channel, logger: logger).flatMapThrowing { connection in
                    // Behind all other handlers: when it sees the channel active, they have.
                    let doorman = Doorman(connection, inbox) { connection in
                        // Too late or never opened: run the connection to its immediate end all the same.
                        connection.channel.close(promise: nil)
                        Task { await child.handle(value: connection, logger: logger) }
                    }
                    try channel.pipeline.syncOperations.addHandler(doorman)
                }
            }
            .bind(host: host, port: port)
            .get()
    }
}

extension HTTPServer {
    /// The function that answers a request with `responder`: context, `Date` header, writing.
    static func respond<R: HTTPResponder>(
        with responder: R,
        logger: Logger
    ) -> HTTPChannelHandler.Responder where R.Context == APIContext {
        let date = HTTPDate()
        return { request, writer, channel in
            let context = APIContext(source: ApplicationRequestContextSource(channel: channel, logger: logger))
            var response = try await responder.respond(to: request, context: context)
            response.headers[.date] = date.now()
            do {
                try await writer.write(response: response.head, body: response.body)
            } catch let error as HTTPParserError {
                // It must not reach the caller as what it is: a second response would be written for it.
                throw BrokenWhileAnswering(cause: error)
            }
        }
    }

    /// The request's bytes turned out to be broken while its answer was on the way.
    private struct BrokenWhileAnswering: Error {
        let cause: HTTPParserError
    }
}

/// Hands a connection over when it opens; sees to its end when it never does. Runs on the connection's event loop.
private final class Doorman: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = Any

    private var connection: HTTPServer.Connection?
    private let inbox: ConnectionInbox
    private let abandon: @Sendable (HTTPServer.Connection) -> Void

    init(
        _ connection: HTTPServer.Connection,
        _ inbox: ConnectionInbox,
        abandon: @escaping @Sendable (HTTPServer.Connection) -> Void
    ) {
        self.connection = connection
        self.inbox = inbox
        self.abandon = abandon
    }

    func channelActive(context: ChannelHandlerContext) {
        if let connection {
            self.connection = nil
            if !inbox.add(connection) { abandon(connection) }
        }
        context.fireChannelActive()
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        guard let connection else { return }
        self.connection = nil
        abandon(connection)
    }
}

/// Accepted connections that wait for their task; at most as many as the server may have open. One consumer.
private final class ConnectionInbox: Sendable {
    private struct State {
        var waiting: [HTTPServer.Connection] = []
        var consumer: CheckedContinuation<HTTPServer.Connection?, Never>?
        var isClosed = false
        var isDrained = false
    }

    private let state = Mutex(State())

    /// False when the consumer has gone: then the connection is the caller's to end.
    func add(_ connection: HTTPServer.Connection) -> Bool {
        let (taken, consumer) = state.withLock { state -> (Bool, CheckedContinuation<HTTPServer.Connection?, Never>?) in
            guard !state.isDrained else { return (false, nil) }
            guard let consumer = state.consumer else {
                state.waiting.append(connection)
                return (true, nil)
            }
            state.consumer = nil
            return (true, consumer)
        }
        consumer?.resume(returning: connection)
        return taken
    }

    /// No more connections are expected: the consumer gets those that wait and then nil.
    func close() {
        let consumer = state.withLock { state in
            state.isClosed = true
            if state.consumer != nil { state.isDrained = true }
            defer { state.consumer = nil }
            return state.consumer
        }
        consumer?.resume(returning: nil)
    }

    /// The next connection, or nil at the end. Cancellation does not cut it short: it closes the server, and that ends this.
    func next() async -> HTTPServer.Connection? {
        await withCheckedContinuation { continuation in
            let answer = state.withLock { state -> HTTPServer.Connection?? in
                if !state.waiting.isEmpty { return .some(state.waiting.removeFirst()) }
                if state.isClosed {
                    state.isDrained = true
                    return .some(nil)
                }
                state.consumer = continuation
                return nil
            }
            if let answer { continuation.resume(returning: answer) }
        }
    }
}
