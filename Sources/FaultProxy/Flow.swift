import NIOCore

/// One direction of a connection: what was read on one side and has to be written on the other. Lives on the link's event loop.
final class Flow {
    /// Reading pauses while so many bytes wait.
    static let largestBacklog = 256 << 10

    let direction: LinkFault.Direction
    private var shaper: FlowShaper
    private var rewriter: AddressRewriter?
    private var queue = CircularBuffer<FlowShaper.Piece>()
    private var waiting = 0
    private var timer: Scheduled<Void>?
    private var resetsWhenEmpty = false
    private var hasEnded = false
    private let loop: any EventLoop
    /// Where it comes from; `nil` until that side is connected and after it is closed.
    var source: ChannelHandlerContext?
    /// Where it goes.
    var sink: (any Channel)?
    /// Whether the source asked to read while reading was paused.
    private var wantsRead = false
    /// The fault of the link.
    private var fault: LinkFault?
    /// Whether bytes were lost since the connection was made.
    private(set) var isHoled = false
    private let reset: () -> Void
    private let count: (Int) -> Void

    init(
        _ direction: LinkFault.Direction,
        shaper: FlowShaper,
        rewriter: AddressRewriter?,
        fault: LinkFault?,
        loop: any EventLoop,
        count: @escaping (Int) -> Void,
        reset: @escaping () -> Void
    ) {
        self.direction = direction
        self.shaper = shaper
        self.rewriter = rewriter
        self.fault = fault
        self.loop = loop
        self.count = count
        self.reset = reset
    }

    /// Bytes came in.
    func received(_ buffer: ByteBuffer) {
        let chunk = rewriter?.feed(buffer) ?? buffer
        guard chunk.readableBytes > 0 else { return }
        let outcome = shaper.shape(chunk, under: fault, at: .now())
        if outcome.isHoled { isHoled = true }
        if outcome.endsInReset { resetsWhenEmpty = true }
        for piece in outcome.pieces {
            waiting += piece.bytes.readableBytes
            queue.append(piece)
        }
        pump()
    }

    /// Whether the source may read now; when not, it is told later.
    func mayRead() -> Bool {
        let may = sink != nil && fault != .stall && waiting < Self.largestBacklog
        wantsRead = !may
        return may
    }

    /// The source has closed its side.
    func ended() {
        hasEnded = true
        source = nil
        pump()
    }

    /// The fault of the link is another one now.
    func faultChanged(_ fault: LinkFault?) {
        self.fault = fault
        shaper.faultChanged()
        pump()
        resumeReading()
    }

    /// The other side is connected.
    func connected(to sink: any Channel) {
        self.sink = sink
        pump()
        resumeReading()
    }

    /// Nothing more will be written.
    func close() {
        timer?.cancel()
        timer = nil
        queue.removeAll()
        source = nil
        sink = nil
    }

    private func pump() {
        guard let sink, fault != .stall else { return }
        timer?.cancel()
        timer = nil
        while let head = queue.first {
            let now = NIODeadline.now()
            guard head.due <= now else {
                timer = loop.assumeIsolated().scheduleTask(deadline: head.due) { [weak self] in self?.pump() }
                return
            }
            queue.removeFirst()
            let size = head.bytes.readableBytes
            count(size)
            sink.writeAndFlush(head.bytes).assumeIsolated().whenComplete { [weak self] _ in
                guard let self else { return }
                waiting -= size
                resumeReading()
            }
        }
        if resetsWhenEmpty { return reset() }
        // A side that closed behind a cut is not seen to close: the other one has to find out by itself.
        if hasEnded, !isHoled { sink.close(promise: nil) }
    }

    private func resumeReading() {
        guard wantsRead, mayRead() else { return }
        source?.read()
    }
}

/// Hands what a channel reads to its flow, and reads no faster than the flow lets it.
final class FlowHandler: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let flow: Flow
    /// Keeps the link alive while one of its channels is.
    private let link: Link

    init(_ flow: Flow, of link: Link) {
        self.flow = flow
        self.link = link
    }

    func handlerAdded(context: ChannelHandlerContext) { flow.source = context }

    func channelActive(context: ChannelHandlerContext) {
        context.fireChannelActive()
        link.opened(flow.direction)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) { flow.received(unwrapInboundIn(data)) }

    func read(context: ChannelHandlerContext) {
        if flow.mayRead() { context.read() }
    }

    func channelInactive(context: ChannelHandlerContext) {
        flow.ended()
        link.closed(flow.direction)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}
