/// Writes the elements of an array.
struct JSONUnkeyedEncoding: UnkeyedEncodingContainer {
    let node: JSONEncodingNode
    let box: JSONArrayBox

    var codingPath: [any CodingKey] { node.codingPath }
    var count: Int { box.elements.count }

    func encodeNil() { add(.null) }

    func encode<T: Encodable>(_ value: T) throws { box.elements.append(try node.child(value, .index(count))) }

    func encode(_ value: Bool) { add(.bool(value)) }

    func encode(_ value: String) { add(.string(value)) }

    func encode(_ value: Double) throws { throw node.fraction(.index(count)) }

    func encode(_ value: Float) throws { throw node.fraction(.index(count)) }

    func encode(_ value: Int) throws { add(try node.integer(value, .index(count))) }

    func encode(_ value: Int8) throws { add(try node.integer(value, .index(count))) }

    func encode(_ value: Int16) throws { add(try node.integer(value, .index(count))) }

    func encode(_ value: Int32) throws { add(try node.integer(value, .index(count))) }

    func encode(_ value: Int64) throws { add(try node.integer(value, .index(count))) }

    func encode(_ value: UInt) throws { add(try node.integer(value, .index(count))) }

    func encode(_ value: UInt8) throws { add(try node.integer(value, .index(count))) }

    func encode(_ value: UInt16) throws { add(try node.integer(value, .index(count))) }

    func encode(_ value: UInt32) throws { add(try node.integer(value, .index(count))) }

    func encode(_ value: UInt64) throws { add(try node.integer(value, .index(count))) }

    func nestedContainer<NestedKey: CodingKey>(keyedBy keyType: NestedKey.Type) -> KeyedEncodingContainer<NestedKey> {
        nested().container(keyedBy: keyType)
    }

    func nestedUnkeyedContainer() -> any UnkeyedEncodingContainer { nested().unkeyedContainer() }

    func superEncoder() -> any Encoder { nested() }

    private func nested() -> JSONEncodingNode {
        let child = node.nested(.index(count))
        box.elements.append(.node(child))
        return child
    }

    private func add(_ value: JSONValue) { box.elements.append(.done(.value(value))) }
}
