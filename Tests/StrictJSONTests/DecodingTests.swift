import StrictJSON
import Testing

@Suite("Decoding into types")
struct DecodingTests {
    struct Line: Codable, Equatable {
        var sku: String
        var quantity: Int
    }

    struct Order: Codable, Equatable {
        var id: String
        var lines: [Line]
        var note: String?
        var tags: [String: Int]?
        var small: UInt8?
    }

    enum Colour: String, Codable { case red, green }

    enum Shape: Codable, Equatable {
        case circle(radius: Int)
        case point
    }

    /// A wrapper with a rule of its own.
    struct Percent: Codable, Equatable {
        struct OutOfRange: Error, CustomStringConvertible {
            var description: String { "A percentage lies between 0 and 100." }
        }
        var value: Int

        init(from decoder: any Decoder) throws {
            value = try decoder.singleValueContainer().decode(Int.self)
            guard (0...100).contains(value) else { throw OutOfRange() }
        }

        func encode(to encoder: any Encoder) throws {
            var container = encoder.singleValueContainer()
            try container.encode(value)
        }
    }

    struct Wrapper<Wrapped: Codable & Equatable>: Codable, Equatable {
        var wrapped: Wrapped

        init(from decoder: any Decoder) throws {
            wrapped = try decoder.singleValueContainer().decode(Wrapped.self)
        }

        func encode(to encoder: any Encoder) throws {
            var container = encoder.singleValueContainer()
            try container.encode(wrapped)
        }
    }

    private func decode<T: Decodable>(
        _ type: T.Type,
        _ text: String,
        _ unknown: StrictJSON.UnknownFields = .ignore
    ) throws -> T {
        try StrictJSON.decode(type, from: Array(text.utf8), unknownFields: unknown)
    }

    @Test("synthesised types, optionals, dictionaries, enums")
    func synthesised() throws {
        let order = try decode(
            Order.self,
            #"{"small":255,"lines":[{"quantity":2,"sku":"A"}],"id":"x","note":null,"tags":{"a":1,"b":2}}"#,
            .reject
        )
        #expect(
            order
                == Order(id: "x", lines: [Line(sku: "A", quantity: 2)], note: nil, tags: ["a": 1, "b": 2], small: 255)
        )
        #expect(try decode([Colour].self, #"["red","green"]"#) == [.red, .green])
        #expect(
            try decode([Shape].self, #"[{"circle":{"radius":3}},{"point":{}}]"#, .reject) == [
                .circle(radius: 3), .point,
            ]
        )
        #expect(try decode([Int?].self, "[1,null,3]") == [1, nil, 3])
        #expect(try decode(Int?.self, "null") == nil)
        #expect(try decode([Int: String].self, #"{"1":"a"}"#) == [1: "a"])
        #expect(try decode([[String: [Line]]].self, #"[{"x":[{"sku":"A","quantity":1}]}]"#, .reject).count == 1)
        #expect(try decode(Wrapper<Line>.self, #"{"sku":"A","quantity":1}"#, .reject).wrapped.sku == "A")
        #expect(try decode(JSONValue.self, #"{"a":[1]}"#, .reject) == ["a": [1]])
        #expect(try decode(Wrapper<JSONValue>.self, #"{"a":[1]}"#, .reject).wrapped == ["a": [1]])
        #expect(try decode([String: JSONValue].self, #"{"a":{"x":[1]}}"#, .reject) == ["a": ["x": [1]]])
    }

    @Test(
        "faults of fit name the field",
        arguments: [
            (#"{"lines":[]}"#, JSONFault.Code.missingField, "id"),
            (#"{"id":"x"}"#, .missingField, "lines"),
            (#"{"id":"x","lines":[{"sku":"A"}]}"#, .missingField, "lines[0].quantity"),
            (#"{"id":1,"lines":[]}"#, .wrongType, "id"),
            (#"{"id":null,"lines":[]}"#, .unexpectedNull, "id"),
            (#"{"id":"x","lines":{}}"#, .wrongType, "lines"),
            (#"{"id":"x","lines":null}"#, .unexpectedNull, "lines"),
            (#"{"id":"x","lines":[{"sku":"A","quantity":"2"}]}"#, .wrongType, "lines[0].quantity"),
            (#"{"id":"x","lines":[{"sku":"A","quantity":true}]}"#, .wrongType, "lines[0].quantity"),
            (#"{"id":"x","lines":[],"small":256}"#, .integerOutOfRange, "small"),
            (#"{"id":"x","lines":[],"small":-1}"#, .integerOutOfRange, "small"),
            (#"{"id":"x","lines":[],"tags":{"a":"b"}}"#, .wrongType, "tags.a"),
            (#"{"id":"x","lines":[],"colour":"red"}"#, .unknownField, "colour"),
            (
                #"{"id":"x","lines":[{"sku":"A","quantity":1},{"sku":"A","quantity":1,"price":3}]}"#, .unknownField,
                "lines[1].price"
            ),
            (#"[]"#, .wrongType, ""), (#"null"#, .unexpectedNull, ""),
        ]
    )
    func faults(text: String, code: JSONFault.Code, path: String) {
        let fault = #expect(throws: JSONFault.self) { try decode(Order.self, text, .reject) }
        #expect(fault?.code == code)
        #expect(fault?.path == path)
        #expect(fault?.kind == .unacceptable)
    }

    @Test("unknown fields are only ignored when that was asked for")
    func unknown() throws {
        let text = #"{"id":"x","lines":[{"sku":"A","quantity":1,"price":3}],"colour":{"deep":[1]}}"#
        #expect(try decode(Order.self, text).lines.count == 1)
        #expect(throws: JSONFault.self) { try decode(Order.self, text, .reject) }
        struct Empty: Codable {}
        #expect(throws: Never.self) { try decode(Empty.self, "{}", .reject) }
        #expect(throws: JSONFault.self) { try decode(Empty.self, #"{"a":1}"#, .reject) }
    }

    /// Reads through nested containers and a super decoder, as hand-written code does.
    struct Handwritten: Decodable {
        enum Keys: String, CodingKey { case outer, list, base }
        enum Inner: String, CodingKey { case value }
        var value: Int
        var first: String
        var base: Line

        init(from decoder: any Decoder) throws {
            let container = try decoder.container(keyedBy: Keys.self)
            value = try container.nestedContainer(keyedBy: Inner.self, forKey: .outer).decode(Int.self, forKey: .value)
            var list = try container.nestedUnkeyedContainer(forKey: .list)
            var deeper = try list.nestedUnkeyedContainer()
            first = try deeper.decode(String.self)
            base = try Line(from: container.superDecoder(forKey: .base))
        }
    }

    @Test("nested containers know their unknown fields and paths too")
    func nestedContainers() throws {
        let base = #""base":{"sku":"A","quantity":1}"#
        let good = try decode(Handwritten.self, #"{"outer":{"value":1},"list":[["a"]],\#(base)}"#, .reject)
        #expect(good.value == 1 && good.first == "a" && good.base.sku == "A")
        let unknown = #expect(throws: JSONFault.self) {
            try decode(Handwritten.self, #"{"outer":{"value":1,"x":2},"list":[["a"]],\#(base)}"#, .reject)
        }
        #expect(unknown?.path == "outer.x")
        let short = #expect(throws: JSONFault.self) {
            try decode(Handwritten.self, #"{"outer":{"value":1},"list":[[]],\#(base)}"#, .reject)
        }
        #expect(short?.path == "list[0][0]")
        let wrong = #expect(throws: JSONFault.self) {
            try decode(Handwritten.self, #"{"outer":[],"list":[[]],\#(base)}"#, .reject)
        }
        #expect(wrong?.path == "outer")
        #expect(wrong?.code == .wrongType)
    }

    @Test("errors of a type's own rules become invalid-value with its sentence")
    func ownRules() {
        let fault = #expect(throws: JSONFault.self) { try decode([Percent].self, "[1,101]") }
        #expect(fault?.code == .invalidValue)
        #expect(fault?.path == "[1]")
        #expect(fault?.sentence == "A percentage lies between 0 and 100.")
    }

    @Test("a wrong raw value is refused without repeating it")
    func rawValues() {
        let fault = #expect(throws: JSONFault.self) { try decode([String: Colour].self, #"{"a":"4111111111111111"}"#) }
        #expect(fault?.code == .invalidValue)
        #expect(fault?.path == "a")
        #expect(fault?.description.contains("4111") == false)
    }

    @Test("fractions are refused in both directions")
    func fractions() {
        #expect(throws: JSONFault.self) { try decode(Double.self, "1") }
        #expect(throws: JSONFault.self) { try decode([Float].self, "[1]") }
        #expect(throws: JSONFault.self) { try decode([String: Double].self, #"{"a":1}"#) }
        #expect(throws: JSONFault.self) { try StrictJSON.encode(1.5) }
        #expect(throws: JSONFault.self) { try StrictJSON.encode(["a": Float(1)]) }
        #expect(throws: JSONFault.self) { try StrictJSON.encode([1.5]) }
    }
}
