/// With this module's coder a `JSONValue` field takes and gives any value whole; with another coder it goes piece by piece.
extension JSONValue: Codable {
    private struct AnyKey: CodingKey {
        var stringValue: String
        var intValue: Int? { nil }

        init(stringValue: String) { self.stringValue = stringValue }
        init?(intValue: Int) { nil }
    }

    /// Reads whatever is there; fractions are refused.
    public init(from decoder: any Decoder) throws {
        let single = try decoder.singleValueContainer()
        if let node = decoder as? JSONNode {
            node.consumeAll()
            self = node.value
        } else if single.decodeNil() {
            self = .null
        } else if let flag = try? single.decode(Bool.self) {
            self = .bool(flag)
        } else if let number = try? single.decode(Int64.self) {
            self = .integer(number)
        } else if let text = try? single.decode(String.self) {
            self = .string(text)
        } else if let elements = try? single.decode([JSONValue].self) {
            self = .array(elements)
        } else {
            let container = try decoder.container(keyedBy: AnyKey.self)
            self = .object(
                JSONObject(
                    try container.allKeys.map {
                        JSONMember($0.stringValue, try container.decode(Self.self, forKey: $0))
                    }
                )
            )
        }
    }

    /// Writes the value.
    public func encode(to encoder: any Encoder) throws {
        if let node = encoder as? JSONEncodingNode {
            node.put(self)
            return
        }
        switch self {
        case .null:
            var single = encoder.singleValueContainer()
            try single.encodeNil()
        case .bool(let flag): try flag.encode(to: encoder)
        case .integer(let number): try number.encode(to: encoder)
        case .string(let text): try text.encode(to: encoder)
        case .array(let elements): try elements.encode(to: encoder)
        case .object(let object):
            var container = encoder.container(keyedBy: AnyKey.self)
            for member in object.members { try container.encode(member.value, forKey: AnyKey(stringValue: member.key)) }
        }
    }
}
