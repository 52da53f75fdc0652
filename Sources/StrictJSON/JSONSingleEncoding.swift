/// Writes a value that is one piece.
struct JSONSingleEncoding: SingleValueEncodingContainer {
    let node: JSONEncodingNode

    var codingPath: [any CodingKey] { node.codingPath }

    func encodeNil() { node.put(.null) }

    func encode<T: Encodable>(_ value: T) throws { try node.encodeWhole(value) }

    func encode(_ value: Bool) { node.put(.bool(value)) }

    func encode(_ value: String) { node.put(.string(value)) }

    func encode(_ value: Double) throws { throw node.fraction(nil) }

    func encode(_ value: Float) throws { throw node.fraction(nil) }

    func encode(_ value: Int) throws { node.put(try node.integer(value, nil)) }

    func encode(_ value: Int8) throws { node.put(try node.integer(value, nil)) }

    func encode(_ value: Int16) throws { node.put(try node.integer(value, nil)) }

    func encode(_ value: Int32) throws { node.put(try node.integer(value, nil)) }

    func encode(_ value: Int64) throws { node.put(try node.integer(value, nil)) }

    func encode(_ value: UInt) throws { node.put(try node.integer(value, nil)) }

    func encode(_ value: UInt8) throws { node.put(try node.integer(value, nil)) }

    func encode(_ value: UInt16) throws { node.put(try node.integer(value, nil)) }

    func encode(_ value: UInt32) throws { node.put(try node.integer(value, nil)) }

    func encode(_ value: UInt64) throws { node.put(try node.integer(value, nil)) }
}
