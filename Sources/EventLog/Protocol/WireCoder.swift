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

/// A description of a message's fields that works in both directions: `WireReader` fills the fields, `WireWriter`
/// writes them. Each message is described once, for all of its versions.
protocol WireStruct: Sendable {
    /// A value with the defaults that apply to fields an older version lacks.
    init()
    /// Walks the fields in wire order. Implementations branch on `coder.version` only.
    mutating func code<Coder: WireCoder>(_ coder: inout Coder) throws(WireError)
}

/// One direction of the wire format. In flexible versions (KIP-482) strings, bytes and arrays have compact lengths.
protocol WireCoder {
    /// The version of the message being coded.
    var version: Int16 { get }
    /// Whether compact lengths and tagged fields apply.
    var isFlexible: Bool { get }

    mutating func bool(_ value: inout Bool) throws(WireError)
    mutating func int8(_ value: inout Int8) throws(WireError)
    mutating func int16(_ value: inout Int16) throws(WireError)
    mutating func int32(_ value: inout Int32) throws(WireError)
    mutating func int64(_ value: inout Int64) throws(WireError)
    mutating func uuid(_ value: inout TopicID) throws(WireError)
    mutating func string(_ value: inout String) throws(WireError)
    mutating func nullableString(_ value: inout String?) throws(WireError)
    mutating func bytes(_ value: inout ByteBuffer) throws(WireError)
    mutating func nullableBytes(_ value: inout ByteBuffer?) throws(WireError)
    mutating func array<Element: WireStruct>(_ value: inout [Element]) throws(WireError)
    mutating func nullableArray<Element: WireStruct>(_ value: inout [Element]?) throws(WireError)
    mutating func int32Array(_ value: inout [Int32]) throws(WireError)
    mutating func int64Array(_ value: inout [Int64]) throws(WireError)
    mutating func stringArray(_ value: inout [String]) throws(WireError)
    mutating func nullableStringArray(_ value: inout [String]?) throws(WireError)
    /// The tagged-field section that ends every flexible struct: unknown tags are skipped, none is written.
    /// Does nothing in versions that are not flexible.
    mutating func tags() throws(WireError)
}

extension WireCoder {
    /// An error code, kept as the number that is on the wire.
    mutating func error(_ value: inout ErrorCode) throws(WireError) {
        var code = value.rawValue
        try int16(&code)
        value = ErrorCode(rawValue: code)
    }
}

/// The 16 bytes that name a topic for its whole life; a topic created again under the same name has another.
struct TopicID: Hashable, Sendable {
    var high: UInt64
    var low: UInt64

    static let zero = TopicID(high: 0, low: 0)

    /// A random id (version 4 of RFC 9562), never zero.
    static func random() -> TopicID {
        let high = UInt64.random(in: .min ... .max) & ~0xF000 | 0x4000
        let low = UInt64.random(in: .min ... .max) & ~(0b11 << 62) | (0b10 << 62)
        return TopicID(high: high, low: low)
    }
}
