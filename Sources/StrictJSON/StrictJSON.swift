/// JSON for input that may be hostile, and output that is the same bytes every time.
///
/// Reading accepts RFC 8259 texts with these cuts: UTF-8 only and without byte order mark, no duplicate keys, nothing but
/// white space behind the value, numbers only as `-?(0|[1-9][0-9]*)` inside `Int64`, no U+0000, no lone surrogates, and
/// bounds on size, depth, count and length (``JSONLimits``). No input reaches a trap.
///
/// Writing sorts the keys by their UTF-8 bytes, adds no white space, escapes only what must be escaped and refuses fractions.
public enum StrictJSON {
    /// What to do with fields of the text that the type does not ask for.
    public enum UnknownFields: Sendable, Hashable {
        /// Leave them out: right for messages, whose newer writers may add fields.
        case ignore
        /// Refuse the text with ``JSONFault/Code/unknownField``: right for requests, where they are mistakes.
        case reject
    }

    /// Reads one value.
    public static func parse(_ bytes: [UInt8], limits: JSONLimits = .message) throws(JSONFault) -> JSONValue {
        var parser = JSONParser(bytes, limits: limits)
        return try parser.parseText()
    }

    /// Reads one value as `type`.
    ///
    /// Errors that the type's own `init(from:)` throws become ``JSONFault/Code/invalidValue`` at that value's path, with the
    /// error's `description` as the sentence when it has one.
    public static func decode<T: Decodable>(
        _ type: T.Type,
        from bytes: [UInt8],
        limits: JSONLimits = .message,
        unknownFields: UnknownFields = .ignore
    ) throws(JSONFault) -> T {
        let value = try parse(bytes, limits: limits)
        return try decode(type, from: value, unknownFields: unknownFields)
    }

    /// Reads `type` out of a value that was parsed before.
    public static func decode<T: Decodable>(
        _ type: T.Type,
        from value: JSONValue,
        unknownFields: UnknownFields = .ignore
    ) throws(JSONFault) -> T {
        do {
            return try JSONNode.decode(type, value: value, parent: nil, step: nil, unknownFields: unknownFields)
        } catch let fault as JSONFault {
            throw fault
        } catch {
            // JSONNode.decode turns every error into a JSONFault; this arm only satisfies the type.
            throw JSONFault(.invalidValue, sentence: "The value is not acceptable.")
        }
    }

    /// Writes a value: compact, keys sorted, UTF-8.
    ///
    /// - Throws: ``JSONFault`` for fractions, integers outside `Int64`, a key written twice, and what `encode(to:)` throws.
    public static func encode<T: Encodable>(_ value: T) throws -> [UInt8] {
        let session = JSONEncodingSession()
        defer { session.finish() }
        let node = JSONEncodingNode(session: session)
        try node.encodeWhole(value)
        var writer = JSONWriter(sortedKeys: true)
        try writer.write(node.slot)
        return writer.bytes
    }

    /// Writes a value: compact, UTF-8, and with sorted keys unless the members' own order is asked for.
    public static func encode(_ value: JSONValue, sortedKeys: Bool = true) -> [UInt8] {
        var writer = JSONWriter(sortedKeys: sortedKeys)
        writer.write(value)
        return writer.bytes
    }

    /// Reads `T` the way it will be read back after ``encode(_:)-(T)``: `T` as a ``JSONValue``.
    public static func value<T: Encodable>(of value: T) throws -> JSONValue {
        try parse(
            encode(value),
            limits: JSONLimits(
                maxBytes: .max,
                maxDepth: JSONLimits.depthCap,
                maxItems: .max,
                maxStringBytes: .max,
                maxKeyBytes: .max
            )
        )
    }
}
