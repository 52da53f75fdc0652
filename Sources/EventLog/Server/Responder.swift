import NIOCore

/// What a request's header and connection tell.
struct RequestContext: Sendable {
    let row: ApiVersionRow
    /// The request's, or 0 where it is not in the table: what ApiVersions answers then (KIP-511).
    let version: Int16
    let isKnownVersion: Bool
    let correlationId: Int32
    let clientId: String
    let host: String
    let eventLoop: any EventLoop
}

/// What the connection is to do for a request.
enum Answer: Sendable {
    /// Buffers to write, and what to do when they are written or given up.
    case frame([ByteBuffer], onWritten: (@Sendable () -> Void)?)
    /// Nothing is to be written (a producer that wants no acknowledgement).
    case nothing
    case close
}

typealias Deliver = @Sendable (Answer) -> Void

/// The one answer to one request. Called once, on any thread.
struct Responder<Response: WireStruct>: Sendable {
    let context: RequestContext
    let deliver: Deliver

    func send(_ message: Response, onWritten: (@Sendable () -> Void)? = nil) {
        deliver(.frame(frame(message), onWritten: onWritten))
    }

    func sendNothing() { deliver(.nothing) }

    func close() { deliver(.close) }

    /// A response with header and length.
    private func frame(_ message: Response) -> [ByteBuffer] {
        let (row, version) = (context.row, context.version)
        var header = WireWriter(version: version, isFlexible: row.responseHeaderIsFlexible(version))
        // The length, which is known at the end.
        header.integer(Int32(0))
        header.integer(context.correlationId)
        header.tags()
        var body = WireWriter(version: version, isFlexible: row.isFlexible(version))
        body.message(message)
        let bodySize = body.byteCount
        var first = header.finishContiguous()
        first.setInteger(Int32(clamping: first.readableBytes - 4 + bodySize), at: 0)
        var chunks = body.finish()
        if let small = chunks.first, small.readableBytes < WireWriter.copyLimit {
            first.writeImmutableBuffer(small)
            chunks[0] = first
            return chunks
        }
        return [first] + chunks
    }
}

/// The header of a request.
struct RequestHeader: Sendable {
    var key: Int16 = 0
    var version: Int16 = 0
    var correlationId: Int32 = 0
    var clientId = ""

    /// Reads the header from the start of a frame and leaves the frame at the body. The client id is never compact;
    /// whether tagged fields follow depends on the API.
    static func read(_ frame: inout ByteBuffer) throws(WireError) -> RequestHeader {
        guard let key = frame.readInteger(as: Int16.self), let version = frame.readInteger(as: Int16.self),
            let correlationId = frame.readInteger(as: Int32.self)
        else { throw .truncated }
        var header = RequestHeader(key: key, version: version, correlationId: correlationId)
        let row = ApiTable.row(key: key)
        let isListed = row?.advertised.contains(version) ?? false
        if !isListed, row?.key == .apiVersions { return header }
        var reader = WireReader(frame, version: 0, isFlexible: false)
        header.clientId = try String?.take(from: &reader) ?? ""
        var rest = WireReader(
            reader.buffer,
            version: version,
            isFlexible: isListed && row?.isFlexible(version) ?? false
        )
        try rest.tags { _, _ in }
        frame = rest.buffer
        return header
    }
}
