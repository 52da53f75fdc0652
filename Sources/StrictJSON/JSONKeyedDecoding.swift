/// The fields of an object.
struct JSONKeyedDecoding<Key: CodingKey>: KeyedDecodingContainerProtocol {
    private let node: JSONNode
    private let members: [JSONMember]
    private let hint = JSONLookupHint()

    var codingPath: [any CodingKey] { node.codingPath }

    var allKeys: [Key] { members.compactMap { Key(stringValue: $0.key) } }

    init(node: JSONNode, members: [JSONMember]) {
        self.node = node
        self.members = members
    }

    func contains(_ key: Key) -> Bool { find(key.stringValue) != nil }

    func decodeNil(forKey key: Key) throws -> Bool { try value(key).isNull }

    func decode<T: Decodable>(_ type: T.Type, forKey key: Key) throws -> T {
        let value = try value(key)
        return try JSONNode.decode(
            type,
            value: value,
            parent: node,
            step: .key(key.stringValue),
            unknownFields: node.unknownFields
        )
    }

    func decode(_ type: Bool.Type, forKey key: Key) throws -> Bool {
        try JSONScalar.bool(value(key), node, .key(key.stringValue))
    }

    func decode(_ type: String.Type, forKey key: Key) throws -> String {
        try JSONScalar.string(value(key), node, .key(key.stringValue))
    }

    func decode(_ type: Double.Type, forKey key: Key) throws -> Double {
        throw JSONScalar.fraction(node, .key(key.stringValue))
    }

    func decode(_ type: Float.Type, forKey key: Key) throws -> Float {
        throw JSONScalar.fraction(node, .key(key.stringValue))
    }

    func decode(_ type: Int.Type, forKey key: Key) throws -> Int {
        try JSONScalar.integer(type, value(key), node, .key(key.stringValue))
    }

    func decode(_ type: Int8.Type, forKey key: Key) throws -> Int8 {
        try JSONScalar.integer(type, value(key), node, .key(key.stringValue))
    }

    func decode(_ type: Int16.Type, forKey key: Key) throws -> Int16 {
        try JSONScalar.integer(type, value(key), node, .key(key.stringValue))
    }

    func decode(_ type: Int32.Type, forKey key: Key) throws -> Int32 {
        try JSONScalar.integer(type, value(key), node, .key(key.stringValue))
    }

    func decode(_ type: Int64.Type, forKey key: Key) throws -> Int64 {
        try JSONScalar.integer(type, value(key), node, .key(key.stringValue))
    }

    func decode(_ type: UInt.Type, forKey key: Key) throws -> UInt {
        try JSONScalar.integer(type, value(key), node, .key(key.stringValue))
    }

    func decode(_ type: UInt8.Type, forKey key: Key) throws -> UInt8 {
        try JSONScalar.integer(type, value(key), node, .key(key.stringValue))
    }

    func decode(_ type: UInt16.Type, forKey key: Key) throws -> UInt16 {
        try JSONScalar.integer(type, value(key), node, .key(key.stringValue))
    }

    func decode(_ type: UInt32.Type, forKey key: Key) throws -> UInt32 {
        try JSONScalar.integer(type, value(key), node, .key(key.stringValue))
    }

    func decode(_ type: UInt64.Type, forKey key: Key) throws -> UInt64 {
        try JSONScalar.integer(type, value(key), node, .key(key.stringValue))
    }

    func nestedContainer<NestedKey: CodingKey>(
        keyedBy type: NestedKey.Type,
        forKey key: Key
    ) throws -> KeyedDecodingContainer<NestedKey> {
        try nested(key).container(keyedBy: type)
    }

    func nestedUnkeyedContainer(forKey key: Key) throws -> any UnkeyedDecodingContainer {
        try nested(key).unkeyedContainer()
    }

    func superDecoder() throws -> any Decoder {
        guard let index = find("super") else { return node.addNested(value: .null, step: .key("super")) }
        node.consume(index)
        return node.addNested(value: members[index].value, step: .key("super"))
    }

    func superDecoder(forKey key: Key) throws -> any Decoder { try nested(key) }

    private func nested(_ key: Key) throws -> JSONNode {
        node.addNested(value: try value(key), step: .key(key.stringValue))
    }

    private func value(_ key: Key) throws -> JSONValue {
        let name = key.stringValue
        guard let index = find(name) else { throw node.fault(.missingField, "The field is missing.", .key(name)) }
        node.consume(index)
        return members[index].value
    }

    /// Looks from where the last search ended: fields are mostly asked for in the order in which they stand.
    private func find(_ name: String) -> Int? {
        let start = hint.index
        for index in start..<members.count where members[index].key == name {
            hint.index = index
            return index
        }
        for index in 0..<min(start, members.count) where members[index].key == name {
            hint.index = index
            return index
        }
        return nil
    }
}

/// Where the last search in a container ended; a class because the container's functions do not mutate.
final class JSONLookupHint {
    var index = 0
}
