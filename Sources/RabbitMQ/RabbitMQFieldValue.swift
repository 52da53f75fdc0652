/// The key-value table of AMQP 0-9-1 (message headers, queue arguments). Keys have at most 255 UTF-8 bytes.
public typealias RabbitMQTable = [String: RabbitMQFieldValue]

/// One value of an AMQP table, in RabbitMQ's reading of the type letters.
public enum RabbitMQFieldValue: Sendable, Hashable {
    /// A truth value (`t`).
    case bool(Bool)
    /// A signed byte (`b`).
    case int8(Int8)
    /// An unsigned byte (`B`).
    case uint8(UInt8)
    /// Two signed bytes (`s`).
    case int16(Int16)
    /// Two unsigned bytes (`u`).
    case uint16(UInt16)
    /// Four signed bytes (`I`).
    case int32(Int32)
    /// Four unsigned bytes (`i`).
    case uint32(UInt32)
    /// Eight signed bytes (`l`, `L`).
    case int64(Int64)
    /// A 32-bit floating point number (`f`).
    case float(Float)
    /// A 64-bit floating point number (`d`).
    case double(Double)
    /// A decimal number: value / 10^scale (`D`).
    case decimal(scale: UInt8, value: UInt32)
    /// Text (`S`). Bytes that are not UTF-8 arrive as ``bytes(_:)``.
    case string(String)
    /// Raw bytes (`x`).
    case bytes([UInt8])
    /// Seconds since 1970-01-01 UTC (`T`).
    case timestamp(UInt64)
    /// A list (`A`).
    indirect case array([RabbitMQFieldValue])
    /// A nested table (`F`).
    indirect case table(RabbitMQTable)
    /// No value (`V`).
    case null

    /// The value as an integer, whatever its width, or nil when it is not one.
    public var integerValue: Int64? {
        switch self {
        case .int8(let value): return Int64(value)
        case .uint8(let value): return Int64(value)
        case .int16(let value): return Int64(value)
        case .uint16(let value): return Int64(value)
        case .int32(let value): return Int64(value)
        case .uint32(let value): return Int64(value)
        case .int64(let value): return value
        case .timestamp(let value): return Int64(exactly: value)
        default: return nil
        }
    }

    /// The value as text, or nil when it is not text.
    public var stringValue: String? {
        if case .string(let value) = self { return value }
        return nil
    }

    /// The nested table, or nil.
    public var tableValue: RabbitMQTable? {
        if case .table(let value) = self { return value }
        return nil
    }

    /// The list, or nil.
    public var arrayValue: [RabbitMQFieldValue]? {
        if case .array(let value) = self { return value }
        return nil
    }
}

extension RabbitMQFieldValue: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral, ExpressibleByBooleanLiteral {
    /// Text.
    public init(stringLiteral value: String) { self = .string(value) }
    /// A 64-bit integer.
    public init(integerLiteral value: Int64) { self = .int64(value) }
    /// A truth value.
    public init(booleanLiteral value: Bool) { self = .bool(value) }
}
