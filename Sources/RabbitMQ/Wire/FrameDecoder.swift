/// One frame (AMQP 0-9-1, section 2.3.5). Holds the decoder's buffer alive; to be dropped before more bytes are appended.
struct Frame {
    /// What a frame carries.
    enum Kind: UInt8 {
        case method = 1
        case header = 2
        case body = 3
        case heartbeat = 8
    }
    let kind: Kind
    let channel: UInt16
    let payload: ByteReader
}

/// Cuts a byte stream into frames. A frame that is too long, of unknown kind or without its end mark is a protocol violation.
///
/// Bound: one incomplete frame of at most `maximumFrameSize` bytes plus what one read delivered.
struct FrameDecoder {
    static let headerSize = 7
    static let endMark: UInt8 = 0xCE
    /// Header and end mark: what a frame costs beyond its payload.
    static let overhead = 8

    private let maximumFrameSize: Int
    private var buffer: [UInt8] = []
    private var start = 0

    init(maximumFrameSize: Int) { self.maximumFrameSize = maximumFrameSize }

    /// How many bytes wait for the rest of their frame.
    var bufferedBytes: Int { buffer.count - start }

    mutating func append(_ bytes: UnsafeRawBufferPointer) {
        if start == buffer.count {
            buffer.removeAll(keepingCapacity: true)
            start = 0
        } else if start > 65_536 {
            buffer.removeFirst(start)
            start = 0
        }
        buffer.append(contentsOf: bytes)
    }

    /// The next whole frame, or nil when more bytes are needed.
    mutating func next() throws(RabbitMQError) -> Frame? {
        var reader = ByteReader(buffer, range: start..<buffer.count)
        guard reader.remaining >= Self.headerSize, let rawKind = reader.uint8(), let channel = reader.uint16(),
            let length = reader.uint32()
        else { return nil }
        guard let kind = Frame.Kind(rawValue: rawKind) else { throw .violation("a frame of unknown kind \(rawKind)") }
        guard Int(length) + Self.overhead <= maximumFrameSize else {
            throw .violation("a frame of \(length) bytes, more than was agreed on")
        }
        guard let payload = reader.nested(Int(length)), let mark = reader.uint8() else { return nil }
        guard mark == Self.endMark else { throw .violation("a frame without its end mark") }
        start = reader.offset
        return Frame(kind: kind, channel: channel, payload: payload)
    }
}
