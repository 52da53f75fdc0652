import NIOCore

/// Reads a message from a frame. Every length is checked against what is left of the frame before anything is
/// allocated, and the number of array elements of one message is bounded, so that a frame costs memory in proportion
/// to its size.
struct WireReader: WireCoder {
    /// Array elements that one message may hold in all; the largest honest request is a fetch of every partition.
    static let elementLimit = 131_072

    let version: Int16
    let isFlexible: Bool
    private(set) var buffer: ByteBuffer
    private var elements = 0

    init(_ buffer: ByteBuffer, version: Int16, isFlexible: Bool) {
        self.buffer = buffer
        self.version = version
        self.isFlexible = isFlexible
    }

    /// Reads a whole message.
    mutating func message<Message: WireStruct>(_ type: Message.Type) throws(WireError) -> Message {
        var message = Message()
        try message.code(&self)
        return message
    }

    private mutating func integer<Value: FixedWidthInteger>(_ type: Value.Type) throws(WireError) -> Value {
        guard let value = buffer.readInteger(as: type) else { throw .truncated }
        return value
    }

    mutating func bool(_ value: inout Bool) throws(WireError) { value = try integer(UInt8.self) != 0 }
    mutating func int8(_ value: inout Int8) throws(WireError) { value = try integer(Int8.self) }
    mutating func int16(_ value: inout Int16) throws(WireError) { value = try integer(Int16.self) }
    mutating func int32(_ value: inout Int32) throws(WireError) { value = try integer(Int32.self) }
    mutating func int64(_ value: inout Int64) throws(WireError) { value = try integer(Int64.self) }

    mutating func uuid(_ value: inout TopicID) throws(WireError) {
        value = TopicID(high: try integer(UInt64.self), low: try integer(UInt64.self))
    }

    /// An unsigned varint of at most 32 bits.
    mutating func unsignedVarint() throws(WireError) -> UInt32 {
        var result: UInt64 = 0
        var shift: UInt64 = 0
        while shift < 35 {
            guard let byte = buffer.readInteger(as: UInt8.self) else { throw .truncated }
            result |= UInt64(byte & 0x7F) << shift
            if byte & 0x80 == 0 {
                guard let value = UInt32(exactly: result) else { throw .invalidVarint }
                return value
            }
            shift += 7
        }
        throw .invalidVarint
    }

    /// A compact length: stored as length + 1, 0 meaning null.
    private mutating func compactLength() throws(WireError) -> Int? {
        let stored = Int(try unsignedVarint())
        return stored == 0 ? nil : stored - 1
    }

    private mutating func stringLength() throws(WireError) -> Int? {
        if isFlexible { return try compactLength() }
        let length = Int(try integer(Int16.self))
        guard length >= -1 else { throw .negativeLength }
        return length < 0 ? nil : length
    }

    private mutating func longLength() throws(WireError) -> Int? {
        if isFlexible { return try compactLength() }
        let length = Int(try integer(Int32.self))
        guard length >= -1 else { throw .negativeLength }
        return length < 0 ? nil : length
    }

    private mutating func text(_ length: Int) throws(WireError) -> String {
        guard let slice = buffer.readSlice(length: length) else { throw .truncated }
        guard let text = String(validating: slice.readableBytesView, as: UTF8.self) else { throw .invalidText }
        return text
    }

    mutating func string(_ value: inout String) throws(WireError) {
        guard let length = try stringLength() else { throw .negativeLength }
        value = try text(length)
    }

    mutating func nullableString(_ value: inout String?) throws(WireError) {
        guard let length = try stringLength() else {
            value = nil
            return
        }
        value = try text(length)
    }

    mutating func bytes(_ value: inout ByteBuffer) throws(WireError) {
        var optional: ByteBuffer?
        try nullableBytes(&optional)
        guard let optional else { throw .negativeLength }
        value = optional
    }

    mutating func nullableBytes(_ value: inout ByteBuffer?) throws(WireError) {
        guard let length = try longLength() else {
            value = nil
            return
        }
        guard let slice = buffer.readSlice(length: length) else { throw .truncated }
        value = slice
    }

    /// The count of an array: at most one element per byte that is left, and within ``elementLimit``.
    private mutating func count() throws(WireError) -> Int? {
        guard let count = try longLength() else { return nil }
        guard count <= buffer.readableBytes else { throw .truncated }
        elements += count
        guard elements <= Self.elementLimit else { throw .tooManyElements }
        return count
    }

    private mutating func list<Value>(
        _ element: (inout WireReader) throws(WireError) -> Value
    ) throws(WireError) -> [Value]? {
        guard let count = try count() else { return nil }
        var values: [Value] = []
        values.reserveCapacity(min(count, 1024))
        for _ in 0..<count { values.append(try element(&self)) }
        return values
    }

    mutating func array<Element: WireStruct>(_ value: inout [Element]) throws(WireError) {
        var optional: [Element]?
        try nullableArray(&optional)
        guard let optional else { throw .negativeLength }
        value = optional
    }

    mutating func nullableArray<Element: WireStruct>(_ value: inout [Element]?) throws(WireError) {
        value = try list { (reader: inout WireReader) throws(WireError) -> Element in
            var element = Element()
            try element.code(&reader)
            return element
        }
    }

    mutating func int32Array(_ value: inout [Int32]) throws(WireError) {
        let list = try list { (reader: inout WireReader) throws(WireError) -> Int32 in try reader.integer(Int32.self) }
        guard let list else { throw .negativeLength }
        value = list
    }

    mutating func int64Array(_ value: inout [Int64]) throws(WireError) {
        let list = try list { (reader: inout WireReader) throws(WireError) -> Int64 in try reader.integer(Int64.self) }
        guard let list else { throw .negativeLength }
        value = list
    }

    mutating func stringArray(_ value: inout [String]) throws(WireError) {
        var optional: [String]?
        try nullableStringArray(&optional)
        guard let optional else { throw .negativeLength }
        value = optional
    }

    mutating func nullableStringArray(_ value: inout [String]?) throws(WireError) {
        value = try list { (reader: inout WireReader) throws(WireError) -> String in
            var element = ""
            try reader.string(&element)
            return element
        }
    }

    mutating func tags() throws(WireError) {
        guard isFlexible else { return }
        let count = try unsignedVarint()
        guard Int(count) <= buffer.readableBytes / 2 else { throw .truncated }
        for _ in 0..<count {
            _ = try unsignedVarint()
            let size = Int(try unsignedVarint())
            guard buffer.readableBytes >= size else { throw .truncated }
            buffer.moveReaderIndex(forwardBy: size)
        }
    }
}
