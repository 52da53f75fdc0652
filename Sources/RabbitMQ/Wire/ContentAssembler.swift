/// What arrived with a body: a delivery or a returned message.
struct IncomingContent {
    /// The method in front of it: ``ServerMethod/deliver(_:)`` or `return`.
    let method: ServerMethod
    let properties: RabbitMQProperties
    let hasMalformedProperties: Bool
    let body: [UInt8]
    /// The body was larger than allowed and is not kept.
    let isOversized: Bool
}

/// Puts together method, header and body frames of one channel.
///
/// `idle → (method) awaitingHeader → (header) awaitingBody → (last body frame) idle`; a header without a body goes straight
/// back to `idle`. Anything else is a violation.
///
/// Bound: `maximumBodySize`; larger bodies are counted and thrown away, since their size is the sender's choice and must cost
/// the receiver neither its memory nor its connection.
struct ContentAssembler {
    private enum State {
        case idle
        case awaitingHeader(ServerMethod)
        case awaitingBody(ServerMethod, PropertyCodec.Header, body: [UInt8], received: UInt64)
    }

    private let maximumBodySize: Int
    private var state = State.idle

    init(maximumBodySize: Int) { self.maximumBodySize = maximumBodySize }

    /// Whether a content is under way, in which case no method may come on this channel.
    var isIdle: Bool {
        if case .idle = state { return true }
        return false
    }

    mutating func begin(_ method: ServerMethod) throws(RabbitMQError) {
        guard isIdle else { throw .violation("a method in the middle of a content") }
        state = .awaitingHeader(method)
    }

    mutating func header(_ payload: ByteReader) throws(RabbitMQError) -> IncomingContent? {
        guard case .awaitingHeader(let method) = state else { throw .violation("a header frame without a method") }
        guard let header = PropertyCodec.decode(payload) else { throw .violation("an unreadable content header") }
        if header.bodySize == 0 {
            state = .idle
            return content(method, header, body: [])
        }
        var body: [UInt8] = []
        if header.bodySize <= UInt64(maximumBodySize) { body.reserveCapacity(Int(header.bodySize)) }
        state = .awaitingBody(method, header, body: body, received: 0)
        return nil
    }

    mutating func body(_ payload: ByteReader) throws(RabbitMQError) -> IncomingContent? {
        guard case .awaitingBody(let method, let header, var body, let received) = state else {
            throw .violation("a body frame without a header")
        }
        let total = received + UInt64(payload.remaining)
        guard total <= header.bodySize else { throw .violation("more body than the header announced") }
        // Released before the array is changed, so that it is not copied for each frame.
        state = .idle
        if header.bodySize <= UInt64(maximumBodySize) {
            payload.withUnsafeRemainingBytes { body.append(contentsOf: $0) }
        }
        if total == header.bodySize { return content(method, header, body: body) }
        state = .awaitingBody(method, header, body: body, received: total)
        return nil
    }

    private func content(_ method: ServerMethod, _ header: PropertyCodec.Header, body: [UInt8]) -> IncomingContent {
        IncomingContent(
            method: method,
            properties: header.properties,
            hasMalformedProperties: header.isMalformed,
            body: body,
            isOversized: header.bodySize > UInt64(maximumBodySize)
        )
    }
}
