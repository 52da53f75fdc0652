import Logging
import NIOCore
import Telemetry

/// One client's connection: frames in, answers out in the order of the requests.
///
/// Requests are started one after the other, as in Apache Kafka, with one exception that durable producing needs: while
/// produce requests wait for their flush, further produce requests are started. Reading stops while the connection has
/// its share of unanswered bytes or requests, while all connections together have theirs, and while the client does not
/// read its answers; so a slow or hostile client costs a bounded amount of memory.
///
/// Confined to its channel's event loop.
final class ConnectionHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private struct Slot {
        enum State {
            case waiting(ByteBuffer)
            case running
            case done(Answer)
        }

        let number: UInt64
        let isProduce: Bool
        let size: Int
        var state: State
    }

    private enum Frame {
        /// Collecting the four bytes of the length.
        case length(ByteBuffer)
        /// The length is known; waiting for a share of the budget, with bytes that are here already.
        case waitingForBudget(length: Int, rest: ByteBuffer)
        /// Collecting the frame.
        case body(ByteBuffer, length: Int)
    }

    private let broker: Broker
    private var context: ChannelHandlerContext?
    private var frame = Frame.length(ByteBuffer())
    private var slots = CircularBuffer<Slot>()
    private var nextNumber: UInt64 = 0
    private var unansweredBytes = 0
    private var isAdmitted = false
    private var wantsRead = false
    private var isClosed = false
    private var isStarting = false
    private var stallTimer: Scheduled<Void>?
    private var running: (any RunningRequest)?

    init(broker: Broker) { self.broker = broker }

    // MARK: Channel events

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }

    func channelActive(context: ChannelHandlerContext) {
        if !broker.admitConnection() {
            isClosed = true
            context.close(promise: nil)
        } else {
            isAdmitted = true
            wantsRead = true
            readMore()
        }
        context.fireChannelActive()
    }

    func channelInactive(context: ChannelHandlerContext) {
        isClosed = true
        stallTimer?.cancel()
        running?.cancel()
        running = nil
        if isAdmitted { broker.metrics.connections.decrement(by: 1) }
        if case .body(_, let length) = frame { broker.requestBudget.giveBack(length) }
        frame = .length(ByteBuffer())
        // What is running gives its bytes back when it ends.
        slots.removeAll { slot in
            if case .running = slot.state { return false }
            drop(slot)
            return true
        }
        self.context = nil
        context.fireChannelInactive()
    }

    private func drop(_ slot: Slot) {
        broker.requestBudget.giveBack(slot.size)
        if case .done(.frame(_, let onWritten)) = slot.state { onWritten?() }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard !isClosed else { return }
        let bytes = unwrapInboundIn(data)
        broker.metrics.bytesIn.increment(by: bytes.readableBytes)
        consume(bytes)
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        wantsRead = true
        readMore()
        context.fireChannelReadComplete()
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if context.channel.isWritable {
            startRequests()
            readMore()
        }
        context.fireChannelWritabilityChanged()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { close() }

    private func close() {
        guard !isClosed else { return }
        isClosed = true
        context?.close(promise: nil)
    }

    fileprivate func fail(_ reason: String) {
        broker.metrics.connectionsFailed.increment(by: 1)
        broker.logger.debug("Closing a connection", metadata: ["reason": "\(reason)", "peer": "\(peer)"])
        close()
    }

    /// Reaches this handler from other threads.
    private func reference(_ context: ChannelHandlerContext) -> NIOLoopBound<ConnectionHandler> {
        NIOLoopBound(self, eventLoop: context.eventLoop)
    }

    private var peer: String { context?.remoteAddress?.ipAddress ?? "?" }

    /// Asks the socket for more, unless a bound is reached; whoever lifts the bound calls again.
    private func readMore() {
        guard wantsRead, !isClosed, let context else { return }
        if case .waitingForBudget = frame { return }
        guard unansweredBytes < broker.configuration.maxConnectionBytes,
            slots.count < broker.configuration.maxConnectionRequests, context.channel.isWritable
        else { return }
        wantsRead = false
        context.read()
    }

    // MARK: Frames

    private func consume(_ bytes: ByteBuffer) {
        var bytes = bytes
        while bytes.readableBytes > 0, !isClosed {
            switch frame {
            case .length(var prefix):
                let missing = 4 - prefix.readableBytes
                if let part = bytes.readSlice(length: min(missing, bytes.readableBytes)) {
                    prefix.writeImmutableBuffer(part)
                }
                guard let length = prefix.getInteger(at: 0, as: Int32.self) else {
                    frame = .length(prefix)
                    watchForStall()
                    return
                }
                // The smallest request header has eight bytes.
                guard length >= 8, Int(length) <= broker.configuration.maxRequestBytes else {
                    return fail("a frame of \(length) bytes")
                }
                begin(Int(length), &bytes)
            case .body(var body, let length):
                frame = .length(ByteBuffer())
                if let part = bytes.readSlice(length: min(length - body.readableBytes, bytes.readableBytes)) {
                    body.writeImmutableBuffer(part)
                }
                if body.readableBytes == length {
                    accept(body)
                } else {
                    frame = .body(body, length: length)
                }
            case .waitingForBudget(let length, var rest):
                rest.writeBuffer(&bytes)
                frame = .waitingForBudget(length: length, rest: rest)
            }
        }
        watchForStall()
        startRequests()
    }

    private func begin(_ length: Int, _ bytes: inout ByteBuffer) {
        guard let context else { return }
        let reference = reference(context)
        if broker.requestBudget.take(length, grant: { reference.run { $0.budgetGranted(length) } }) {
            if let whole = bytes.readSlice(length: length) {
                frame = .length(ByteBuffer())
                accept(whole)
            } else {
                frame = .body(ByteBufferAllocator().buffer(capacity: length), length: length)
            }
        } else {
            frame = .waitingForBudget(length: length, rest: bytes.slice())
            bytes.clear()
        }
    }

    fileprivate func budgetGranted(_ length: Int) {
        guard !isClosed, case .waitingForBudget(_, let rest) = frame else {
            broker.requestBudget.giveBack(length)
            return
        }
        frame = .body(ByteBufferAllocator().buffer(capacity: length), length: length)
        consume(rest)
        readMore()
    }

    /// Closes the connection when a frame that has begun does not become complete.
    private func watchForStall() {
        let isWaiting =
            switch frame {
            case .length(let prefix): prefix.readableBytes > 0
            case .body: true
            case .waitingForBudget: false
            }
        guard isWaiting else {
            stallTimer?.cancel()
            stallTimer = nil
            return
        }
        guard stallTimer == nil, let context else { return }
        stallTimer = failLater(context, "a frame did not become complete")
    }

    /// Closes the connection after the time in which something has to make progress.
    private func failLater(_ context: ChannelHandlerContext, _ reason: String) -> Scheduled<Void> {
        let reference = reference(context)
        return context.eventLoop.scheduleTask(in: .seconds(Int64(broker.configuration.stallSeconds))) {
            reference.value.fail(reason)
        }
    }

    // MARK: Requests

    private func accept(_ body: ByteBuffer) {
        stallTimer?.cancel()
        stallTimer = nil
        broker.metrics.requests.increment(by: 1)
        let isProduce = body.getInteger(at: body.readerIndex, as: Int16.self) == ApiKey.produce.rawValue
        slots.append(
            Slot(number: nextNumber, isProduce: isProduce, size: body.readableBytes, state: .waiting(body))
        )
        nextNumber += 1
        unansweredBytes += body.readableBytes
    }

    private func startRequests() {
        // Answers that come at once lead back here; the loop that is under way goes on with what they made possible.
        guard !isStarting else { return }
        isStarting = true
        defer { isStarting = false }
        var place = slots.startIndex
        var onlyProduceBefore = true
        while place != slots.endIndex, !isClosed {
            let slot = slots[place]
            switch slot.state {
            case .waiting(let body):
                let isFirst = place == slots.startIndex
                guard isFirst || slot.isProduce && onlyProduceBefore, context?.channel.isWritable ?? false else {
                    return
                }
                slots[place].state = .running
                start(body, number: slot.number)
                // Answers that came at once may have removed slots.
                place = slots.startIndex
                onlyProduceBefore = true
                continue
            case .running, .done:
                onlyProduceBefore = onlyProduceBefore && slot.isProduce
            }
            place = slots.index(after: place)
        }
    }

    private func start(_ body: ByteBuffer, number: UInt64) {
        guard let context else { return }
        var body = body
        do throws(WireError) {
            let header = try RequestHeader.read(&body)
            guard let row = ApiTable.row(key: header.key),
                row.advertised.contains(header.version) || row.key == .apiVersions
            else { throw .unsupported(key: header.key, version: header.version) }
            let isKnownVersion = row.advertised.contains(header.version)
            let known = RequestContext(
                row: row,
                version: isKnownVersion ? header.version : 0,
                isKnownVersion: isKnownVersion,
                correlationId: header.correlationId,
                clientId: header.clientId,
                host: "/\(peer)",
                eventLoop: context.eventLoop
            )
            let reference = reference(context)
            var reader = WireReader(body, version: known.version, isFlexible: row.isFlexible(known.version))
            running = try row.handler.start(broker, &reader, known) { answer in
                reference.run { $0.finish(number, answer) }
            }
        } catch {
            fail("\(error)")
        }
    }

    fileprivate func finish(_ number: UInt64, _ answer: Answer) {
        guard let place = slots.firstIndex(where: { $0.number == number }) else { return }
        if isClosed {
            drop(slots[place])
            slots.remove(at: place)
            if case .frame(_, let onWritten) = answer { onWritten?() }
            return
        }
        slots[place].state = .done(answer)
        var wrote = false
        while let first = slots.first, case .done(let answer) = first.state {
            slots.removeFirst()
            unansweredBytes -= first.size
            broker.requestBudget.giveBack(first.size)
            switch answer {
            case .frame(let chunks, let onWritten):
                write(chunks, onWritten: onWritten)
                wrote = true
            case .nothing: break
            case .close:
                if wrote { context?.flush() }
                close()
                return
            }
        }
        if wrote { context?.flush() }
        if slots.isEmpty { running = nil }
        startRequests()
        readMore()
    }

    private func write(_ chunks: [ByteBuffer], onWritten: (@Sendable () -> Void)?) {
        guard let context else {
            onWritten?()
            return
        }
        for (place, chunk) in chunks.enumerated() {
            broker.metrics.bytesOut.increment(by: chunk.readableBytes)
            if place == chunks.count - 1, let onWritten {
                // A client that stops reading must not keep the bytes that all share.
                let timer = failLater(context, "an answer was not read")
                let promise = context.eventLoop.makePromise(of: Void.self)
                promise.futureResult.whenComplete { _ in
                    timer.cancel()
                    onWritten()
                }
                context.write(wrapOutboundOut(chunk), promise: promise)
            } else {
                context.write(wrapOutboundOut(chunk), promise: nil)
            }
        }
    }
}

/// Something that can be given up when the client has gone.
protocol RunningRequest: AnyObject {
    func cancel()
}

extension NIOLoopBound where Value == ConnectionHandler {
    /// Calls `body` on the handler's event loop, at once where that is this thread.
    fileprivate func run(_ body: @escaping @Sendable (ConnectionHandler) -> Void) {
        if eventLoop.inEventLoop {
            body(value)
        } else {
            eventLoop.execute { body(value) }
        }
    }
}
