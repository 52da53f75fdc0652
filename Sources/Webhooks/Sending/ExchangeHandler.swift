import NIOCore
import NIOHTTP1
import NIOTLS

/// One request and its answer at a time. Lives on the channel's event loop.
///
/// ```
/// idle ──begin──► awaitingHead ──head──► readingBody ──end──► idle
///                      │ error, closed,        │ too long, closed, deadline: what came counts, the connection ends
///                      ▼ deadline              ▼
///                    failed                  ended
/// ```
final class ExchangeHandler: ChannelInboundHandler {
    typealias InboundIn = HTTPClientResponsePart
    typealias OutboundOut = HTTPClientRequestPart

    struct Outcome: Sendable {
        var result: AttemptResult
        /// Microseconds from the request to the head.
        var firstByte: Int64?
        var isReusable: Bool
        /// Whether anything of the request may have left. No when the connection had ended before.
        var isSent = true
    }

    private struct Exchange {
        let promise: EventLoopPromise<Outcome>
        let timer: Scheduled<Void>
        let began: NIODeadline
        let maximumBody: Int
        var answer: AttemptAnswer?
        var firstByte: Int64?
        var keepsAlive = false
        var isWritten = false
    }

    private let limit: HeadLimit
    private var context: ChannelHandlerContext?
    private var exchange: Exchange?
    private var isHandshaken: Bool
    private var handshake: (promise: EventLoopPromise<Void>, timer: Scheduled<Void>)?
    /// An error that came while nobody waited, such as one of the handshake.
    private var failure: (any Error)?

    init(limit: HeadLimit, isSecure: Bool) {
        self.limit = limit
        isHandshaken = !isSecure
    }

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }

    func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

    func awaitHandshake(_ promise: EventLoopPromise<Void>, until deadline: NIODeadline) {
        guard let context, failure == nil else { return promise.fail(failure ?? ChannelError.ioOnClosedChannel) }
        guard !isHandshaken else { return promise.succeed() }
        let bound = NIOLoopBound(self, eventLoop: context.eventLoop)
        let timer = context.eventLoop.scheduleTask(deadline: deadline) {
            bound.value.endHandshake(.failure(DeadlinePassed()))
        }
        handshake = (promise, timer)
    }

    private func endHandshake(_ result: Result<Void, any Error>) {
        guard let (promise, timer) = handshake else { return }
        handshake = nil
        timer.cancel()
        promise.completeWith(result)
    }

    func begin(
        _ request: WebhookRequest,
        until deadline: NIODeadline,
        maximumBody: Int,
        _ promise: EventLoopPromise<Outcome>
    ) {
        guard let context, exchange == nil, failure == nil, context.channel.isActive else {
            let (fault, detail) = FaultSorting.sort(failure ?? ChannelError.ioOnClosedChannel)
            return promise.succeed(
                Outcome(result: .failed(fault, detail: detail), firstByte: nil, isReusable: false, isSent: false)
            )
        }
        let bound = NIOLoopBound(self, eventLoop: context.eventLoop)
        let timer = context.eventLoop.scheduleTask(deadline: deadline) { bound.value.cutShort(DeadlinePassed()) }
        exchange = Exchange(promise: promise, timer: timer, began: .now(), maximumBody: maximumBody)
        limit.remaining = HeadLimit.maximum
        var headers = HTTPHeaders([("host", request.url.hostHeader), ("content-length", String(request.body.count))])
        for (name, value) in request.headers { headers.add(name: name, value: value) }
        let head = HTTPRequestHead(
            version: .http1_1,
            method: HTTPMethod(rawValue: request.method),
            uri: request.url.target,
            headers: headers
        )
        context.write(wrapOutboundOut(.head(head)), promise: nil)
        if !request.body.isEmpty {
            context.write(wrapOutboundOut(.body(.byteBuffer(ByteBuffer(bytes: request.body)))), promise: nil)
        }
        let written = context.eventLoop.makePromise(of: Void.self)
        written.futureResult.whenSuccess { bound.value.exchange?.isWritten = true }
        context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: written)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard exchange != nil else {
            // Bytes that nobody asked for: the connection cannot be trusted any more.
            return context.close(promise: nil)
        }
        switch unwrapInboundIn(data) {
        case .head(let head):
            limit.remaining = nil
            let began = exchange?.began ?? .now()
            exchange?.firstByte = (NIODeadline.now() - began).nanoseconds / 1000
            exchange?.keepsAlive = head.isKeepAlive && head.status.code >= 200
            exchange?.answer = AttemptAnswer(
                status: Int(head.status.code),
                headers: head.headers.prefix(AttemptAnswer.maximumHeaders).map {
                    .init($0.name, String($0.value.prefix(4096)))
                }
            )
            if head.status.code < 200 { finish(truncated: false) }
        case .body(let buffer):
            guard let exchange, let kept = exchange.answer?.body.count else { return }
            let room = exchange.maximumBody - kept
            self.exchange?.answer?.body.append(contentsOf: buffer.readableBytesView.prefix(room))
            if buffer.readableBytes > room { finish(truncated: true) }
        case .end:
            finish(truncated: false)
        }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case .some(TLSUserEvent.handshakeCompleted) = event as? TLSUserEvent {
            isHandshaken = true
            endHandshake(.success(()))
        }
        context.fireUserInboundEventTriggered(event)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        failure = failure ?? error
        endHandshake(.failure(error))
        cutShort(error)
        context.close(promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) {
        endHandshake(.failure(failure ?? ChannelError.eof))
        cutShort(failure ?? ChannelError.eof)
        context.fireChannelInactive()
    }

    /// Ends an exchange before its answer is whole. With a head the answer counts; the rest of the body is not waited for.
    private func cutShort(_ error: any Error) {
        guard let exchange else { return }
        guard exchange.answer == nil else { return finish(truncated: true) }
        let (fault, detail) = FaultSorting.sort(error)
        end(.failed(fault, detail: detail), isReusable: false)
    }

    private func finish(truncated: Bool) {
        guard let exchange, var answer = exchange.answer else { return }
        answer.isTruncated = truncated
        end(.answered(answer), isReusable: !truncated && exchange.keepsAlive && exchange.isWritten)
    }

    private func end(_ result: AttemptResult, isReusable: Bool) {
        guard let exchange else { return }
        self.exchange = nil
        limit.remaining = nil
        exchange.timer.cancel()
        exchange.promise.succeed(Outcome(result: result, firstByte: exchange.firstByte, isReusable: isReusable))
        if !isReusable { context?.close(promise: nil) }
    }
}

/// The deadline of the whole exchange passed.
struct DeadlinePassed: Error {}
