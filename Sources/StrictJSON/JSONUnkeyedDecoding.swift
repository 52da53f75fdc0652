/// The elements of an array.
struct JSONUnkeyedDecoding: UnkeyedDecodingContainer {
    private let node: JSONNode
    private let elements: [JSONValue]
    private(set) var currentIndex = 0

    var codingPath: [any CodingKey] { node.codingPath }
    var count: Int? { elements.count }
    var isAtEnd: Bool { currentIndex >= elements.count }

    init(node: JSONNode, elements: [JSONValue]) {
        self.node = node
        self.elements = elements
    }

    mutating func decodeNil() throws -> Bool {
        guard try current().isNull else { return false }
        currentIndex += 1
        return true
    }

    mutating func decode<T: Decodable>(_ type: T.Type) throws -> T {
        let result = try JSONNode.decode(
            type,
            value: current(),
            parent: node,
            step: .index(currentIndex),
            unknownFields: node.unknownFields
        )
        currentIndex += 1
        return result
    }

    mutating func decode(_ type: Bool.Type) throws -> Bool {
        try advance { try JSONScalar.bool($0, $1, $2) }
    }

    mutating func decode(_ type: String.Type) throws -> String {
        try advance { try JSONScalar.string($0, $1, $2) }
    }

    mutating func decode(_ type: Double.Type) throws -> Double {
        throw JSONScalar.fraction(node, .index(currentIndex))
    }

    mutating func decode(_ type: Float.Type) throws -> Float {
        throw JSONScalar.fraction(node, .index(currentIndex))
    }

    mutating func decode(_ type: Int.Type) throws -> Int {
        try advance { try JSONScalar.integer(type, $0, $1, $2) }
    }

    mutating func decode(_ type: Int8.Type) throws -> Int8 {
        try advance { try JSONScalar.integer(type, $0, $1, $2) }
    }

    mutating func decode(_ type: Int16.Type) throws -> Int16 {
        try advance { try JSONScalar.integer(type, $0, $1, $2) }
    }

    mutating func decode(_ type: Int32.Type) throws -> Int32 {
        try advance { try JSONScalar.integer(type, $0, $1, $2) }
    }

    mutating func decode(_ type: Int64.Type) throws -> Int64 {
        try advance { try JSONScalar.integer(type, $0, $1, $2) }
    }

    mutating func decode(_ type: UInt.Type) throws -> UInt {
        try advance { try JSONScalar.integer(type, $0, $1, $2) }
    }

    mutating func decode(_ type: UInt8.Type) throws -> UInt8 {
        try advance { try JSONScalar.integer(type, $0, $1, $2) }
    }

    mutating func decode(_ type: UInt16.Type) throws -> UInt16 {
        try advance { try JSONScalar.integer(type, $0, $1, $2) }
    }

    mutating func decode(_ type: UInt32.Type) throws -> UInt32 {
        try advance { try JSONScalar.integer(type, $0, $1, $2) }
    }

    mutating func decode(_ type: UInt64.Type) throws -> UInt64 {
        try advance { try JSONScalar.integer(type, $0, $1, $2) }
    }

    mutating func nestedContainer<NestedKey: CodingKey>(
        keyedBy type: NestedKey.Type
    ) throws -> KeyedDecodingContainer<NestedKey> {
        try nested().container(keyedBy: type)
    }

    mutating func nestedUnkeyedContainer() throws -> any UnkeyedDecodingContainer {
        try nested().unkeyedContainer()
    }

    mutating func superDecoder() throws -> any Decoder { try nested() }

    private mutating func nested() throws -> JSONNode {
        let child = node.addNested(value: try current(), step: .index(currentIndex))
        currentIndex += 1
        return child
    }

    private mutating func advance<T>(_ read: (JSONValue, JSONNode, JSONPathStep) throws -> T) throws -> T {
        let result = try read(current(), node, .index(currentIndex))
        currentIndex += 1
        return result
    }

    private func current() throws -> JSONValue {
        guard currentIndex < elements.count else {
            throw node.fault(.missingField, "The array has too few elements.", .index(currentIndex))
        }
        return elements[currentIndex]
    }
}
