import StrictJSON
import Testing

@Suite("Writing JSON")
struct EncodingTests {
    struct Mixed: Codable, Equatable {
        var zebra: Int64
        var apple: String?
        var list: [Bool]
        var nested: [String: [Int]]
        var flag: Bool
    }

    private func text(_ value: some Encodable) throws -> String {
        String(decoding: try StrictJSON.encode(value), as: UTF8.self)
    }

    @Test("keys are sorted by bytes, nothing is spaced, nil fields are left out")
    func deterministic() throws {
        let value = Mixed(
            zebra: 1,
            apple: nil,
            list: [true, false],
            nested: ["b": [], "a": [1, 2], "Z": [3]],
            flag: true
        )
        let expected = #"{"flag":true,"list":[true,false],"nested":{"Z":[3],"a":[1,2],"b":[]},"zebra":1}"#
        #expect(try text(value) == expected)
        #expect(try StrictJSON.decode(Mixed.self, from: Array(expected.utf8), unknownFields: .reject) == value)
        for _ in 0..<20 {
            let keys = (0..<30).map { "k\($0)" }.shuffled()
            let dictionary = Dictionary(uniqueKeysWithValues: keys.map { ($0, $0) })
            #expect(try StrictJSON.encode(dictionary) == StrictJSON.encode(dictionary))
        }
    }

    @Test("only what must be escaped is escaped")
    func escapes() throws {
        #expect(
            try text("a/b\"\\\u{8}\u{9}\u{A}\u{C}\u{D}\u{1}\u{1F}\u{7F}é😀") == #""a/b\"\\\b\t\n\f\r\u0001\u001f"#
                + "\u{7F}é😀\""
        )
        #expect(try text("") == #""""#)
    }

    @Test("scalars at the top and at the ends of their ranges")
    func scalars() throws {
        #expect(try text(Int64.min) == "-9223372036854775808")
        #expect(try text(UInt8.max) == "255")
        #expect(try text(true) == "true")
        #expect(try text(Int?.none) == "null")
        #expect(throws: JSONFault.self) { try StrictJSON.encode(UInt64.max) }
        let fault = #expect(throws: JSONFault.self) { try StrictJSON.encode(["a": [UInt64.max]]) }
        #expect(fault?.path == "a[0]")
        #expect(fault?.code == .integerOutOfRange)
        struct Empty: Codable {}
        #expect(try text(Empty()) == "{}")
        #expect(try text([Empty()]) == "[{}]")
        #expect(try text([String: Int]()) == "{}")
        #expect(try text([Int]()) == "[]")
    }

    struct Handwritten: Encodable {
        enum Keys: String, CodingKey { case outer, list, base, twice }
        var repeats = false

        func encode(to encoder: any Encoder) throws {
            var container = encoder.container(keyedBy: Keys.self)
            var outer = container.nestedContainer(keyedBy: Keys.self, forKey: .outer)
            var list = container.nestedUnkeyedContainer(forKey: .list)
            try list.encode(1)
            var deeper = list.nestedUnkeyedContainer()
            try deeper.encode("x")
            try outer.encode(2, forKey: .twice)
            try list.encodeNil()
            try [true].encode(to: container.superEncoder(forKey: .base))
            if repeats { try container.encode(1, forKey: .list) }
        }
    }

    @Test("nested containers may be written in any order; a key written twice is refused")
    func nested() throws {
        #expect(try text(Handwritten()) == #"{"base":[true],"list":[1,["x"],null],"outer":{"twice":2}}"#)
        let fault = #expect(throws: JSONFault.self) { try StrictJSON.encode(Handwritten(repeats: true)) }
        #expect(fault?.code == .duplicateKey)
        #expect(fault?.path == "list")
    }

    @Test("values keep their order when asked, and fields of type JSONValue go through whole")
    func values() throws {
        let value: JSONValue = ["b": 1, "a": [.null, true, "x"], "c": ["z": 1, "y": 2]]
        #expect(
            String(decoding: StrictJSON.encode(value), as: UTF8.self)
                == #"{"a":[null,true,"x"],"b":1,"c":{"y":2,"z":1}}"#
        )
        #expect(
            String(decoding: StrictJSON.encode(value, sortedKeys: false), as: UTF8.self)
                == #"{"b":1,"a":[null,true,"x"],"c":{"z":1,"y":2}}"#
        )
        struct Holder: Codable, Equatable {
            var payload: JSONValue
            var more: [JSONValue]
        }
        let holder = Holder(payload: ["a": 1], more: [.null, "x", [1]])
        let bytes = try StrictJSON.encode(holder)
        #expect(String(decoding: bytes, as: UTF8.self) == #"{"more":[null,"x",[1]],"payload":{"a":1}}"#)
        #expect(try StrictJSON.decode(Holder.self, from: bytes, unknownFields: .reject) == holder)
        #expect(try StrictJSON.value(of: holder)["payload"]?["a"] == 1)
    }

    @Test("objects behave as ordered maps")
    func objects() {
        var object: JSONObject = ["a": 1, "b": 2, "a": 3]
        #expect(object.keys == ["a", "b"])
        #expect(object["a"] == 3)
        object["c"] = 4
        object["a"] = nil
        #expect(object.keys == ["b", "c"])
        #expect(object.count == 2 && !object.isEmpty)
    }
}
