import NIOCore

/// Reads a message from a frame. Every length is checked against what is left of the frame before anything is
/// allocated, and the number of array elements of one message is bounded, so that a frame costs memory in proportion
/// to its size.
struct WireReader {
    /// Array elements that one message may hold in all; the largest honest request is a fetch of every partition.
    static let elementLimit = 131_072

    let version: Int16
    var isFlexible: Bool
    private(set) var buffer: ByteBuffer
    private var elements = 0

    init(_ buffer: ByteBuffer, version: Int16, isFlexible: Bool) {
        self.buffer = buffer
        self.version = version
        self.isFlexible = isFlexible
    }

    /// Reads a whole message.
    mutating func message<Message: WireStruct>(_ type: Message.Type = Message.self) throws(WireError) -> Message {
        try Message.take(from: &self)
    }

    mutating func value<Value: WireValue>() throws(WireError) -> Value { try Value.take(from: &self) }

    mutating func integer<Value: FixedWidthInteger>(_ type: Value.Type = Value.self) throws(WireError) -> Value {
        guard let value = buffer.readInteger(as: type) else { throw .truncated }
        return value
    }

    /// An unsigned varint of at most 32 bits.
    mutating func unsignedVarint() throws(WireError) -> UInt32 {
        var result: UInt64 = 0
        for shift in stride(from: UInt64(0), to: 35, by: 7) {
            let byte = try integer(UInt8.self)
            result |= UInt64(byte & 0x7F) << shift
            guard byte & 0x80 == 0 else { continue }
            guard let value = UInt32(exactly: result) else { throw .invalidVarint }
            return value
        }
        throw .invalidVarint
    }

    /// A length or count, nil for null. Compact: a varint of length + 1; else 16 bits before text and 32 before the rest.
    mutating func length(isShort: Bool = false) throws(WireError) -> Int? {
        if isFlexible {
            let stored = Int(try unsignedVarint())
            return stored == 0 ? nil : stored - 1
        }
        let length = isShort ? Int(try integer(Int16.self)) : Int(try integer(Int32.self))
        guard length >= -1 else { throw .negativeLength }
        return length < 0 ? nil : length
    }

    mutating func slice(_ length: Int) throws(WireError) -> ByteBuffer {
        guard let slice = buffer.readSlice(length: length) else { throw .truncated }
        return slice
    }

    /// The count of an array: at most one element per byte that is left, and within ``elementLimit``.
    mutating func elementCount() throws(WireError) -> Int? {
        guard let count = try length() else { return nil }
        guard count <= buffer.readableBytes else { throw .truncated }
        elements += count
        guard elements <= Self.elementLimit else { throw .tooManyElements }
        return count
    }

    /// The section that ends every struct in flexible versions; `body` gets each tag with a reader of its content.
    mutating func tags(
        _ body: (_ tag: UInt32, _ content: inout WireReader) throws(WireError) -> Void
    ) throws(WireError) {
        guard isFlexible else { return }
        let count = try unsignedVarint()
        guard Int(count) <= buffer.readableBytes / 2 else { throw .truncated }
        for _ in 0..<count {
            let tag = try unsignedVarint()
            var content = self
            content.buffer = try slice(Int(try unsignedVarint()))
            try body(tag, &content)
            elements = content.elements
        }
    }
}
