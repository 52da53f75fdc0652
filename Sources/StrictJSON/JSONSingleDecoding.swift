/// A value that is decoded as one piece.
struct JSONSingleDecoding: SingleValueDecodingContainer {
    let node: JSONNode

    var codingPath: [any CodingKey] { node.codingPath }

    func decodeNil() -> Bool { node.value.isNull }

    /// Decodes with the same node, so that the fields which `T` asks for count as asked for here.
    func decode<T: Decodable>(_ type: T.Type) throws -> T {
        if type == JSONValue.self, let whole = node.value as? T {
            node.consumeAll()
            return whole
        }
        return try T(from: node)
    }

    func decode(_ type: Bool.Type) throws -> Bool { try JSONScalar.bool(node.value, node, nil) }

    func decode(_ type: String.Type) throws -> String { try JSONScalar.string(node.value, node, nil) }

    func decode(_ type: Double.Type) throws -> Double { throw JSONScalar.fraction(node, nil) }

    func decode(_ type: Float.Type) throws -> Float { throw JSONScalar.fraction(node, nil) }

    func decode(_ type: Int.Type) throws -> Int { try JSONScalar.integer(type, node.value, node, nil) }

    func decode(_ type: Int8.Type) throws -> Int8 { try JSONScalar.integer(type, node.value, node, nil) }

    func decode(_ type: Int16.Type) throws -> Int16 { try JSONScalar.integer(type, node.value, node, nil) }

    func decode(_ type: Int32.Type) throws -> Int32 { try JSONScalar.integer(type, node.value, node, nil) }

    func decode(_ type: Int64.Type) throws -> Int64 { try JSONScalar.integer(type, node.value, node, nil) }

    func decode(_ type: UInt.Type) throws -> UInt { try JSONScalar.integer(type, node.value, node, nil) }

    func decode(_ type: UInt8.Type) throws -> UInt8 { try JSONScalar.integer(type, node.value, node, nil) }

    func decode(_ type: UInt16.Type) throws -> UInt16 { try JSONScalar.integer(type, node.value, node, nil) }

    func decode(_ type: UInt32.Type) throws -> UInt32 { try JSONScalar.integer(type, node.value, node, nil) }

    func decode(_ type: UInt64.Type) throws -> UInt64 { try JSONScalar.integer(type, node.value, node, nil) }
}
