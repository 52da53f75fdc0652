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
        var writer = WireWriter(version: version, isFlexible: row.responseHeaderIsFlexible(version))
        // The length, which is known at the end.
        writer.integer(Int32(0))
        writer.integer(context.correlationId)
        writer.tags()
        writer.isFlexible = row.isFlexible(version)
        writer.message(message)
        let size = writer.byteCount
        var chunks = writer.finish()
        chunks[0].setInteger(Int32(clamping: size - 4), at: 0)
        return chunks
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
        var reader = WireReader(frame, version: 0, isFlexible: false)
        var header = RequestHeader(
            key: try reader.value(),
            version: try reader.value(),
            correlationId: try reader.value()
        )
        let row = ApiTable.row(key: header.key)
        let isListed = row?.advertised.contains(header.version) ?? false
        if isListed || row?.key != .apiVersions {
            header.clientId = try String?.take(from: &reader) ?? ""
            reader.isFlexible = isListed && row?.isFlexible(header.version) ?? false
            try reader.tags { _, _ in }
        }
        frame = reader.buffer
        return header
    }
}
