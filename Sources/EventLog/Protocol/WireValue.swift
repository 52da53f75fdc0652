import NIOCore

/// What is wrong with bytes that came from a peer. Whatever it is, only the connection they came on is closed.
enum WireError: Error, Equatable {
    /// The frame ends inside a field.
    case truncated
    /// A length or a count below what the field allows.
    case negativeLength
    /// A string that is not UTF-8.
    case invalidText
    /// More array elements in one request than ``WireReader/elementLimit``.
    case tooManyElements
    /// A variable-length integer that does not end or does not fit.
    case invalidVarint
    /// An API key or version that is not in the table.
    case unsupported(key: Int16, version: Int16)
}

/// A value that has a form on the wire. The coders know the message's version and whether lengths are compact (KIP-482).
protocol WireValue: Sendable {
    static func take(from reader: inout WireReader) throws(WireError) -> Self
    func put(into writer: inout WireWriter)
}

/// A value whose form begins with its length, so that null can be told from empty: text, bytes and arrays.
protocol WireNullable: WireValue {
    /// The empty value.
    init()
    static func takeNullable(from reader: inout WireReader) throws(WireError) -> Self?
    static func putNull(into writer: inout WireWriter)
}

extension WireNullable {
    static func take(from reader: inout WireReader) throws(WireError) -> Self {
        guard let value = try takeNullable(from: &reader) else { throw .negativeLength }
        return value
    }

    static func putNull(into writer: inout WireWriter) { writer.length(nil) }
}

extension Optional: WireValue where Wrapped: WireNullable {
    static func take(from reader: inout WireReader) throws(WireError) -> Self {
        try Wrapped.takeNullable(from: &reader)
    }

    func put(into writer: inout WireWriter) {
        if let self { self.put(into: &writer) } else { Wrapped.putNull(into: &writer) }
    }
}

extension WireValue where Self: FixedWidthInteger {
    static func take(from reader: inout WireReader) throws(WireError) -> Self { try reader.integer() }
    func put(into writer: inout WireWriter) { writer.integer(self) }
}

extension Int8: WireValue {}
extension Int16: WireValue {}
extension Int32: WireValue {}
extension Int64: WireValue {}

extension Bool: WireValue {
    static func take(from reader: inout WireReader) throws(WireError) -> Bool { try reader.integer(UInt8.self) != 0 }
    func put(into writer: inout WireWriter) { writer.integer(self ? UInt8(1) : 0) }
}

extension ErrorCode: WireValue {
    static func take(from reader: inout WireReader) throws(WireError) -> ErrorCode {
        ErrorCode(rawValue: try reader.integer())
    }

    func put(into writer: inout WireWriter) { writer.integer(rawValue) }
}

extension String: WireNullable {
    static func takeNullable(from reader: inout WireReader) throws(WireError) -> String? {
        guard let length = try reader.length(isShort: true) else { return nil }
        let bytes = try reader.slice(length)
        guard let text = String(validating: bytes.readableBytesView, as: UTF8.self) else { throw .invalidText }
        return text
    }

    func put(into writer: inout WireWriter) {
        // A classic string's length has 16 bits; nothing this server writes comes near (names ≤ 249, messages ≤ 4096).
        let bytes = utf8.prefix(writer.isFlexible ? .max : Int(Int16.max))
        writer.length(bytes.count, isShort: true)
        writer.bytes(bytes)
    }

    static func putNull(into writer: inout WireWriter) { writer.length(nil, isShort: true) }
}

extension ByteBuffer: WireNullable {
    static func takeNullable(from reader: inout WireReader) throws(WireError) -> ByteBuffer? {
        guard let length = try reader.length() else { return nil }
        return try reader.slice(length)
    }

    func put(into writer: inout WireWriter) {
        writer.length(readableBytes)
        writer.raw(self)
    }
}

extension Array: WireValue, WireNullable where Element: WireValue {
    static func takeNullable(from reader: inout WireReader) throws(WireError) -> [Element]? {
        guard let count = try reader.elementCount() else { return nil }
        var values: [Element] = []
        values.reserveCapacity(Swift.min(count, 1024))
        for _ in 0..<count { values.append(try Element.take(from: &reader)) }
        return values
    }

    func put(into writer: inout WireWriter) {
        writer.length(count)
        for element in self { element.put(into: &writer) }
    }
}

/// The 16 bytes that name a topic for its whole life; a topic created again under the same name has another.
struct TopicID: Hashable, WireValue {
    var high: UInt64
    var low: UInt64

    static let zero = TopicID(high: 0, low: 0)

    /// A random id (version 4 of RFC 9562), never zero.
    static func random() -> TopicID {
        let high = UInt64.random(in: .min ... .max) & ~0xF000 | 0x4000
        let low = UInt64.random(in: .min ... .max) & ~(0b11 << 62) | (0b10 << 62)
        return TopicID(high: high, low: low)
    }

    static func take(from reader: inout WireReader) throws(WireError) -> TopicID {
        TopicID(high: try reader.integer(), low: try reader.integer())
    }

    func put(into writer: inout WireWriter) {
        writer.integer(high)
        writer.integer(low)
    }
}
