import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL
import Synchronization

/// One connection to one checked address.
final class Connection: Sendable {
    let key: ConnectionKey
    private let channel: any Channel
    private let handler: NIOLoopBound<ExchangeHandler>
    /// Ends an idle connection; replaced each time it becomes idle.
    private let restTimer = Mutex<Scheduled<Void>?>(nil)

    private init(key: ConnectionKey, channel: any Channel, handler: NIOLoopBound<ExchangeHandler>) {
        self.key = key
        self.channel = channel
        self.handler = handler
    }

    var isUsable: Bool { channel.isActive }

    /// Connects. No byte of a request is sent by this. Closing the pool ends it.
    static func open(
        _ key: ConnectionKey,
        for pool: ConnectionPool,
        on loop: any EventLoop,
        tls: NIOSSLContext?,
        timeout: TimeAmount
    ) async throws -> Connection {
        let address = try SocketAddress(ipAddress: key.address.description, port: key.port)
        // Kept from the beginning: a connection that fails at once has taken its handlers out again when this is told that it was made.
        let made = Mutex<NIOLoopBound<ExchangeHandler>?>(nil)
        return try await ClientBootstrap(group: loop)
            .connectTimeout(timeout)
            .channelOption(.socketOption(.tcp_nodelay), value: 1)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    guard pool.beginOpening(channel) else { throw CancellationError() }
                    let id = ObjectIdentifier(channel)
                    channel.closeFuture.whenComplete { _ in pool.endOpening(id) }
                    let pipeline = channel.pipeline.syncOperations
                    if let tls {
                        // An address is verified as such (its SAN); a name goes into SNI and is verified as a name.
                        let name = IPAddress(key.host) == nil ? key.host : nil
                        try pipeline.addHandler(NIOSSLClientHandler(context: tls, serverHostname: name))
                    }
                    let limit = HeadLimit()
                    try pipeline.addHandler(limit)
                    try pipeline.addHandler(HTTPRequestEncoder())
                    try pipeline.addHandler(
                        ByteToMessageHandler(
                            HTTPResponseDecoder(leftOverBytesStrategy: .dropBytes, informationalResponseStrategy: .drop)
                        )
                    )
                    let handler = ExchangeHandler(limit: limit, isSecure: tls != nil)
                    try pipeline.addHandler(handler)
                    let bound = NIOLoopBound(handler, eventLoop: channel.eventLoop)
                    made.withLock { $0 = bound }
                }
            }
            .connect(to: address)
            .flatMapThrowing { channel in
                pool.endOpening(ObjectIdentifier(channel))
                guard let handler = made.withLock({ $0 }) else { throw ChannelError.ioOnClosedChannel }
                return Connection(key: key, channel: channel, handler: handler)
            }
            .get()
    }

    /// Waits for the TLS handshake.
    func handshake(until deadline: NIODeadline) async throws {
        let handler = handler
        let loop = channel.eventLoop
        try await loop.flatSubmit {
            let promise = loop.makePromise(of: Void.self)
            handler.value.awaitHandshake(promise, until: deadline)
            return promise.futureResult
        }.get()
    }

    /// Sends one request and waits for its answer.
    func send(_ request: WebhookRequest, until deadline: NIODeadline, maximumBody: Int) async -> ExchangeHandler.Outcome
    {
        let handler = handler
        let loop = channel.eventLoop
        restTimer.withLock { timer in
            timer?.cancel()
            timer = nil
        }
        let future = loop.flatSubmit {
            let promise = loop.makePromise(of: ExchangeHandler.Outcome.self)
            handler.value.begin(request, until: deadline, maximumBody: maximumBody, promise)
            return promise.futureResult
        }
        do {
            return try await future.get()
        } catch {
            let (fault, detail) = FaultSorting.sort(error)
            return .init(result: .failed(fault, detail: detail), firstByte: nil, isReusable: false)
        }
    }

    /// Calls `ended` when the time has passed, unless a request comes first.
    func rest(for time: TimeAmount, ended: @escaping @Sendable (Connection) -> Void) {
        let scheduled = channel.eventLoop.scheduleTask(in: time) { [weak self] in
            if let self { ended(self) }
        }
        restTimer.withLock { timer in
            timer?.cancel()
            timer = scheduled
        }
    }

    func close() {
        restTimer.withLock { timer in
            timer?.cancel()
            timer = nil
        }
        channel.close(mode: .all, promise: nil)
    }
}

/// Bounds the head of an answer, before the parser collects it.
final class HeadLimit: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer

    /// Bytes that may come before the head is complete. A read may already hold some of the body.
    static let maximum = 128 << 10
    /// `nil` while no head is awaited.
    var remaining: Int?

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        if let left = remaining {
            remaining = left - unwrapInboundIn(data).readableBytes
            guard left >= unwrapInboundIn(data).readableBytes else {
                context.fireErrorCaught(HeadTooLarge())
                return
            }
        }
        context.fireChannelRead(data)
    }
}

/// The head of an answer has more than ``HeadLimit/maximum`` bytes.
struct HeadTooLarge: Error {}
