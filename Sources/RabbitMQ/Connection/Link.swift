/// One live connection: frames in and out, heartbeats, and the methods of channel 0. Owned by one thread.
///
/// Incoming frames are trusted in nothing: whatever does not fit throws, and the owner closes the connection and makes a new
/// one.
///
/// Bounds: input, one frame and one read; output, what the owner puts in (the publisher stops at ``outputHighWater``, all else
/// is small); deferred events, ``maximumDeferred``.
final class Link {
    /// Something that arrived on a channel other than 0.
    enum Event {
        case method(channel: UInt16, ServerMethod)
        case content(channel: UInt16, IncomingContent)
    }

    /// Above this many unsent bytes the publisher waits for the socket.
    static let outputHighWater = 1 << 20
    private static let readSize = 256 * 1_024
    private static let maximumDeferred = 100_000

    private let socket: BrokerSocket
    let address: String
    private let control: ConnectionControl
    private let encoder: MethodEncoder
    private let methodDecoder = MethodDecoder()
    private let requestTimeout: Duration
    private let maximumBodySize: Int
    private let readBuffer: UnsafeMutableRawBufferPointer
    private var decoder: FrameDecoder
    private var heartbeat: HeartbeatMonitor
    private var assemblers: [UInt16: ContentAssembler] = [:]
    private var deferred = FIFO<Event>()
    private var output: [UInt8] = []
    private var outputStart = 0
    private var isClosing = false
    private var didReceiveCloseOK = false

    /// The broker's reason while it takes no publishes, else nil.
    private(set) var blockedReason: String?
    /// Connections that end at once do not wait for the broker's goodbye.
    var pendingOutput: Int { output.count - outputStart }
    let maximumFrameSize: Int

    /// Connects and logs in; blocks, at most twice the connect timeout.
    init(
        _ configuration: RabbitMQConfiguration,
        connectionName: String,
        control: ConnectionControl,
        maximumBodySize: Int
    ) throws(RabbitMQError) {
        socket = try BrokerSocket(configuration, connectionName: connectionName)
        address = "\(configuration.host):\(configuration.port)/\(configuration.virtualHost)"
        self.control = control
        self.maximumBodySize = maximumBodySize
        requestTimeout = configuration.requestTimeout
        maximumFrameSize = socket.maximumFrameSize
        encoder = MethodEncoder(maximumFrameSize: maximumFrameSize)
        decoder = FrameDecoder(maximumFrameSize: maximumFrameSize)
        heartbeat = HeartbeatMonitor(interval: socket.heartbeat, now: .now)
        readBuffer = .allocate(byteCount: Self.readSize, alignment: 16)
    }

    deinit { readBuffer.deallocate() }

    // MARK: Sending

    func send(_ method: ClientMethod, channel: UInt16) throws(RabbitMQError) {
        try encoder.encode(method, channel: channel, into: &output)
    }

    /// Appends method, header and body frames of a publish. False when the message cannot be expressed (a text of more than 255
    /// bytes, headers larger than a frame); nothing has been appended then.
    func publish(_ message: RabbitMQMessage, channel: UInt16) -> Bool {
        let start = output.count
        do {
            try encoder.encode(
                .publish(exchange: message.exchange, routingKey: message.routingKey),
                channel: channel,
                into: &output
            )
        } catch {
            return false
        }
        let headerStart = output.count
        appendFrameHeader(.header, channel: channel)
        guard PropertyCodec.encode(message.properties, bodySize: message.body.count, into: &output),
            output.count - headerStart + 1 <= maximumFrameSize
        else {
            output.removeSubrange(start...)
            return false
        }
        output.patchLength(output.count - headerStart - FrameDecoder.headerSize, at: headerStart + 3)
        output.append(FrameDecoder.endMark)
        let largestPayload = maximumFrameSize - FrameDecoder.overhead
        var offset = 0
        while offset < message.body.count {
            let end = min(offset + largestPayload, message.body.count)
            let frameStart = output.count
            appendFrameHeader(.body, channel: channel)
            output.patchLength(end - offset, at: frameStart + 3)
            output.append(contentsOf: message.body[offset..<end])
            output.append(FrameDecoder.endMark)
            offset = end
        }
        return true
    }

    private func appendFrameHeader(_ kind: Frame.Kind, channel: UInt16) {
        output.append(kind.rawValue)
        output.appendBigEndian(channel)
        output.appendBigEndian(UInt32(0))
    }

    /// Writes as much as the socket takes.
    func flush() throws(RabbitMQError) {
        while outputStart < output.count {
            let transfer = output.withUnsafeBytes { bytes in
                socket.send(UnsafeRawBufferPointer(rebasing: bytes[outputStart...]))
            }
            switch transfer {
            case .bytes(let count):
                outputStart += count
                heartbeat.sent(at: .now)
            case .wouldBlock:
                if outputStart > 1 << 18 {
                    output.removeFirst(outputStart)
                    outputStart = 0
                }
                return
            case .ended(let reason): throw RabbitMQError(.connectionClosed, reason)
            }
        }
        if output.capacity > Self.outputHighWater * 4 { output = [] } else { output.removeAll(keepingCapacity: true) }
        outputStart = 0
    }

    // MARK: Receiving

    /// The next event that has already arrived, or nil.
    func nextEvent() throws(RabbitMQError) -> Event? {
        if let event = deferred.popFirst() { return event }
        return try nextArrivedEvent()
    }

    private func nextArrivedEvent() throws(RabbitMQError) -> Event? {
        while let frame = try decoder.next() {
            if let event = try handle(frame) { return event }
        }
        return nil
    }

    /// Sends what is to be sent, then waits for bytes, for a wake-up or for the deadline, and reads once. Heartbeats are kept.
    func exchange(until deadline: ContinuousClock.Instant) throws(RabbitMQError) {
        try flush()
        let now = ContinuousClock.now
        var wakeAt = deadline
        switch heartbeat.verdict(at: now) {
        case .peerIsSilent:
            throw RabbitMQError(.heartbeatTimeout, "nothing was heard from the broker for two heartbeats")
        case .send:
            // While output is stuck, a heartbeat behind it would not be heard either.
            if pendingOutput == 0 {
                appendFrameHeader(.heartbeat, channel: 0)
                output.append(FrameDecoder.endMark)
                try flush()
            }
            heartbeat.sent(at: now)
        case .idle(let until): if let until { wakeAt = min(wakeAt, until) }
        }
        socket.wait(control.wake, forWriting: pendingOutput > 0, timeout: wakeAt - now)
        switch socket.receive(into: readBuffer) {
        case .bytes(let count):
            heartbeat.received(at: .now)
            decoder.append(UnsafeRawBufferPointer(rebasing: readBuffer[0..<count]))
        case .wouldBlock: break
        case .ended(let reason): throw RabbitMQError(.connectionClosed, reason)
        }
    }

    private func handle(_ frame: Frame) throws(RabbitMQError) -> Event? {
        switch frame.kind {
        case .heartbeat:
            guard frame.channel == 0 else { throw .violation("a heartbeat on channel \(frame.channel)") }
            return nil
        case .method:
            let method = try methodDecoder.decode(frame.payload)
            if frame.channel == 0 {
                try handleConnectionMethod(method)
                return nil
            }
            guard let assembler = assemblers[frame.channel] else {
                throw .violation("a method on channel \(frame.channel), which is not open")
            }
            switch method {
            case .deliver, .return:
                try assemblers[frame.channel]?.begin(method)
                return nil
            case .channelFlow(let active):
                try send(.channelFlowOK(active: active), channel: frame.channel)
                return nil
            default:
                guard assembler.isIdle else { throw .violation("a method in the middle of a content") }
                return .method(channel: frame.channel, method)
            }
        case .header:
            guard
                let content = try assembler(
                    of: frame,
                    { (assembler) throws(RabbitMQError) in
                        try assembler.header(frame.payload)
                    }
                )
            else { return nil }
            return .content(channel: frame.channel, content)
        case .body:
            guard
                let content = try assembler(
                    of: frame,
                    { (assembler) throws(RabbitMQError) in
                        try assembler.body(frame.payload)
                    }
                )
            else { return nil }
            return .content(channel: frame.channel, content)
        }
    }

    private func assembler(
        of frame: Frame,
        _ step: (inout ContentAssembler) throws(RabbitMQError) -> IncomingContent?
    ) throws(RabbitMQError) -> IncomingContent? {
        guard var assembler = assemblers.removeValue(forKey: frame.channel) else {
            throw .violation("a content on channel \(frame.channel), which is not open")
        }
        let content = try step(&assembler)
        assemblers[frame.channel] = assembler
        return content
    }

    private func handleConnectionMethod(_ method: ServerMethod) throws(RabbitMQError) {
        switch method {
        case .connectionBlocked(let reason): blockedReason = reason
        case .connectionUnblocked: blockedReason = nil
        case .connectionClose(let code, let text):
            try? send(.connectionCloseOK, channel: 0)
            try? flush()
            throw .closed(replyCode: code, text: text, wasConnection: true)
        case .connectionCloseOK where isClosing: didReceiveCloseOK = true
        default: throw .violation("an unexpected method on channel 0")
        }
    }

    // MARK: Requests

    /// Sends a request and waits for its answer on the channel. Other events are kept for ``nextEvent()``.
    ///
    /// - Throws: what the broker's `channel.close` says (the channel is closed then), `timeout`, `stopped` when the connection
    ///   is to end at once, and everything that ends the connection.
    func call<Answer>(
        _ method: ClientMethod,
        channel: UInt16,
        expecting answer: (ServerMethod) -> Answer?
    ) throws(RabbitMQError) -> Answer {
        try send(method, channel: channel)
        let deadline = ContinuousClock.now + requestTimeout
        while true {
            while let event = try nextArrivedEvent() {
                if case .method(channel, let received) = event {
                    if let answer = answer(received) { return answer }
                    if case .channelClose(let code, let text, _) = received {
                        try closeOK(channel)
                        throw .closed(replyCode: code, text: text, wasConnection: false)
                    }
                }
                guard deferred.count < Self.maximumDeferred else {
                    throw .violation("too many events during a request")
                }
                deferred.append(event)
            }
            guard control.ending != .immediate else { throw RabbitMQError(.stopped, "the connection has been stopped") }
            guard ContinuousClock.now < deadline else {
                throw RabbitMQError(.timeout, "the broker did not answer a request in time")
            }
            try exchange(until: deadline)
        }
    }

    /// Keeps the connection alive for a while without asking anything.
    func linger(_ duration: Duration) throws(RabbitMQError) {
        let end = ContinuousClock.now + duration
        while ContinuousClock.now < end {
            guard control.ending != .immediate else { throw RabbitMQError(.stopped, "the connection has been stopped") }
            try exchange(until: end)
        }
    }

    func openChannel(_ channel: UInt16) throws(RabbitMQError) {
        assemblers[channel] = ContentAssembler(maximumBodySize: maximumBodySize)
        try call(.channelOpen, channel: channel) { $0 == .channelOpenOK ? () : nil }
    }

    /// Answers the broker's `channel.close`.
    func closeOK(_ channel: UInt16) throws(RabbitMQError) {
        assemblers[channel] = nil
        try send(.channelCloseOK, channel: channel)
    }

    /// Says goodbye and waits a moment for the answer; errors do not matter any more.
    func close(patience: Duration) {
        isClosing = true
        let deadline = ContinuousClock.now + patience
        do {
            try send(.connectionClose(code: 200, text: "done"), channel: 0)
            while !didReceiveCloseOK, ContinuousClock.now < deadline {
                try exchange(until: deadline)
                while try nextArrivedEvent() != nil {}
            }
        } catch {
            return
        }
    }
}
