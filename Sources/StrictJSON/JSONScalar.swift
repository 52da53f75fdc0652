/// Reads scalars out of values, for all three decoding containers.
enum JSONScalar {
    static func string(_ value: JSONValue, _ node: JSONNode, _ step: JSONPathStep?) throws -> String {
        guard case .string(let text) = value else { throw mismatch("a string", value, node, step) }
        return text
    }

    static func bool(_ value: JSONValue, _ node: JSONNode, _ step: JSONPathStep?) throws -> Bool {
        guard case .bool(let flag) = value else { throw mismatch("true or false", value, node, step) }
        return flag
    }

    static func integer<T: FixedWidthInteger>(
        _ type: T.Type,
        _ value: JSONValue,
        _ node: JSONNode,
        _ step: JSONPathStep?
    ) throws -> T {
        guard case .integer(let number) = value else { throw mismatch("a whole number", value, node, step) }
        guard let result = T(exactly: number) else {
            throw node.fault(.integerOutOfRange, "The number must lie between \(T.min) and \(T.max).", step)
        }
        return result
    }

    static func fraction(_ node: JSONNode, _ step: JSONPathStep?) -> JSONFault {
        node.fault(.unsupportedType, "Numbers with fractions are not supported.", step)
    }

    static func mismatch(_ wanted: String, _ value: JSONValue, _ node: JSONNode, _ step: JSONPathStep?) -> JSONFault {
        if case .null = value { return node.fault(.unexpectedNull, "The value must be \(wanted), not null.", step) }
        return node.fault(.wrongType, "The value must be \(wanted), not \(value.kindName).", step)
    }
}
