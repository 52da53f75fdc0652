import HTTPTypes
import NIOCore
import NIOHTTP1
import NIOHTTPTypes
import StrictJSON

/// Guards one connection: a request must arrive whole within a time, its body must stay within a bound, the client must take its
/// answers, and bytes that are no HTTP get a problem document. See ``ConnectionGuardState`` for the rules.
///
/// Runs on the connection's event loop only.
final class ConnectionGuard: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPRequestPart
    typealias InboundOut = HTTPRequestPart
    typealias OutboundIn = HTTPResponsePart
    typealias OutboundOut = HTTPResponsePart

    struct Timeouts {
        /// From a request's head to its end.
        var read: TimeAmount
        /// With a full send buffer and nothing taken.
        var write: TimeAmount
        /// Reading on after the last answer.
        var linger: TimeAmount = .seconds(2)
    }

    private var state: ConnectionGuardState
    private let timeouts: Timeouts
    private var readDeadline: Scheduled<Void>?
    private var writeDeadline: Scheduled<Void>?
    private var lingerDeadline: Scheduled<Void>?
    private var parseError: HTTPParserError?

    init(maxBodyBytes: Int, timeouts: Timeouts) {
        state = ConnectionGuardState(maxBodyBytes: maxBodyBytes)
        self.timeouts = timeouts
    }

    // MARK: Inbound

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head):
            state.receivedHead(contentLength: head.headerFields[.contentLength].flatMap { Int($0) })
            readDeadline?.cancel()
            readDeadline = close(context, after: timeouts.read)
            context.fireChannelRead(data)
        case .body(let buffer):
            switch state.receivedBody(buffer.readableBytes) {
            case .forward: context.fireChannelRead(data)
            case .drop: break
            case .linger: linger(context)
            }
        case .end:
            switch state.receivedEnd() {
            case .forward:
                readDeadline?.cancel()
                readDeadline = nil
                context.fireChannelRead(data)
            case .close:
                context.close(promise: nil)
            }
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        if let parserError = error as? HTTPParserError {
            parseError = parserError
            state.receivedParseError()
        }
        context.fireErrorCaught(error)
    }

    func channelInactive(context: ChannelHandlerContext) {
        cancelAll()
        context.fireChannelInactive()
    }

    func handlerRemoved(context: ChannelHandlerContext) { cancelAll() }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        writeDeadline?.cancel()
        writeDeadline = context.channel.isWritable ? nil : close(context, after: timeouts.write)
        context.fireChannelWritabilityChanged()
    }

    // MARK: Outbound

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        guard !state.isLingering else {
            // The last answer is out; the server's own reaction to the broken rest has nobody to go to.
            promise?.fail(ChannelError.outputClosed)
            return
        }
        switch unwrapOutboundIn(data) {
        case .head(var head):
            if state.isBetweenRequests, head.status == .badRequest {
                writeParseProblem(context, promise)
                return
            }
            if state.mustCloseAfterResponse { head.headerFields[.connection] = "close" }
            context.write(wrapOutboundOut(.head(head)), promise: promise)
        case .body:
            context.write(data, promise: promise)
        case .end:
            switch state.sentEnd() {
            case .keep:
                context.write(data, promise: promise)
            case .linger:
                context.writeAndFlush(data, promise: promise)
                linger(context)
            }
        }
    }

    /// The server answers bytes that are no HTTP with an empty 400; give it the shape of our other errors.
    private func writeParseProblem(_ context: ChannelHandlerContext, _ promise: EventLoopPromise<Void>?) {
        let problem =
            if case .headerOverflow? = parseError {
                Problem(
                    .requestHeaderFieldsTooLarge,
                    code: "request-header-fields-too-large",
                    detail: "The address or the headers are too long."
                )
            } else {
                Problem(.badRequest, code: "malformed-request", detail: "The request is not HTTP/1.1.")
            }
        let body = StrictJSON.encode(problem.document(instance: nil))
        var head = HTTPResponse(status: problem.status)
        SecurityHeaders.apply(to: &head.headerFields)
        head.headerFields[.contentType] = Problem.contentType
        head.headerFields[.contentLength] = String(body.count)
        head.headerFields[.connection] = "close"
        context.write(wrapOutboundOut(.head(head)), promise: nil)
        context.write(wrapOutboundOut(.body(ByteBuffer(bytes: body))), promise: promise)
    }

    // MARK: Deadlines

    private func linger(_ context: ChannelHandlerContext) {
        context.close(mode: .output, promise: nil)
        lingerDeadline = close(context, after: timeouts.linger)
    }

    private func close(_ context: ChannelHandlerContext, after time: TimeAmount) -> Scheduled<Void> {
        context.eventLoop.assumeIsolated().scheduleTask(in: time) { context.close(promise: nil) }
    }

    private func cancelAll() {
        for deadline in [readDeadline, writeDeadline, lingerDeadline] { deadline?.cancel() }
        (readDeadline, writeDeadline, lingerDeadline) = (nil, nil, nil)
    }
}

// Lives on one event loop.
@available(*, unavailable)
extension ConnectionGuard: Sendable {}
