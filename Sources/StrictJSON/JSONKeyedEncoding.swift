/// Writes the fields of an object.
struct JSONKeyedEncoding<Key: CodingKey>: KeyedEncodingContainerProtocol {
    let node: JSONEncodingNode
    let box: JSONObjectBox

    var codingPath: [any CodingKey] { node.codingPath }

    func encodeNil(forKey key: Key) { add(.null, key) }

    func encode<T: Encodable>(_ value: T, forKey key: Key) throws {
        let name = key.stringValue
        box.members.append((name, try node.child(value, .key(name))))
    }

    func encode(_ value: Bool, forKey key: Key) { add(.bool(value), key) }

    func encode(_ value: String, forKey key: Key) { add(.string(value), key) }

    func encode(_ value: Double, forKey key: Key) throws { throw node.fraction(.key(key.stringValue)) }

    func encode(_ value: Float, forKey key: Key) throws { throw node.fraction(.key(key.stringValue)) }

    func encode(_ value: Int, forKey key: Key) throws { add(try integer(value, key), key) }

    func encode(_ value: Int8, forKey key: Key) throws { add(try integer(value, key), key) }

    func encode(_ value: Int16, forKey key: Key) throws { add(try integer(value, key), key) }

    func encode(_ value: Int32, forKey key: Key) throws { add(try integer(value, key), key) }

    func encode(_ value: Int64, forKey key: Key) throws { add(try integer(value, key), key) }

    func encode(_ value: UInt, forKey key: Key) throws { add(try integer(value, key), key) }

    func encode(_ value: UInt8, forKey key: Key) throws { add(try integer(value, key), key) }

    func encode(_ value: UInt16, forKey key: Key) throws { add(try integer(value, key), key) }

    func encode(_ value: UInt32, forKey key: Key) throws { add(try integer(value, key), key) }

    func encode(_ value: UInt64, forKey key: Key) throws { add(try integer(value, key), key) }

    func nestedContainer<NestedKey: CodingKey>(
        keyedBy keyType: NestedKey.Type,
        forKey key: Key
    ) -> KeyedEncodingContainer<NestedKey> {
        nested(key.stringValue).container(keyedBy: keyType)
    }

    func nestedUnkeyedContainer(forKey key: Key) -> any UnkeyedEncodingContainer {
        nested(key.stringValue).unkeyedContainer()
    }

    func superEncoder() -> any Encoder { nested("super") }

    func superEncoder(forKey key: Key) -> any Encoder { nested(key.stringValue) }

    private func nested(_ name: String) -> JSONEncodingNode {
        let child = node.nested(.key(name))
        box.members.append((name, .node(child)))
        return child
    }

    private func integer<T: FixedWidthInteger>(_ value: T, _ key: Key) throws -> JSONValue {
        try node.integer(value, .key(key.stringValue))
    }

    private func add(_ value: JSONValue, _ key: Key) { box.members.append((key.stringValue, .done(.value(value)))) }
}
