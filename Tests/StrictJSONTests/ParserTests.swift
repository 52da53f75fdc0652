import StrictJSON
import Testing

@Suite("Reading JSON text")
struct ParserTests {
    @Test(
        "accepts",
        arguments: [
            ("null", .null), ("true", true), ("false", false), ("0", 0), ("-0", 0), ("7", 7), ("-12", -12),
            ("9223372036854775807", .integer(.max)), ("-9223372036854775808", .integer(.min)),
            (#""""#, ""), (#""a""#, "a"), (" \t\r\n1 \n", 1), ("[]", []), ("[ ]", []), ("{}", [:]), ("{ }", [:]),
            ("[1,[2,[]],{}]", [1, [2, []], [:]]), (#"{"a":1,"b":[true,null]}"#, ["a": 1, "b": [true, .null]]),
            (#"{"":1}"#, ["": 1]), (#""\"\\\/\b\f\n\r\t""#, "\"\\/\u{8}\u{C}\n\r\t"), (#""\u0041\u00e9\u20AC""#, "Aé€"),
            (#""\ud83d\ude00""#, "😀"), ("\"é€😀\"", "é€😀"), ("\"\u{7F}\"", "\u{7F}"), (#"{"\u0061":1}"#, ["a": 1]),
        ] as [(String, JSONValue)]
    )
    func accepts(text: String, expected: JSONValue) throws {
        #expect(try StrictJSON.parse(Array(text.utf8)) == expected)
    }

    @Test(
        "refuses",
        arguments: [
            ("", .emptyInput), ("  ", .emptyInput), ("nul", .unexpectedEnd), ("nulL", .unexpectedByte),
            ("True", .unexpectedByte), ("NaN", .unexpectedByte), ("Infinity", .unexpectedByte), ("+1", .unexpectedByte),
            (".5", .unexpectedByte), ("'a'", .unexpectedByte), ("1 2", .trailingBytes), ("{}x", .trailingBytes),
            ("nullx", .trailingBytes), ("1.0", .notAnInteger), ("1e2", .notAnInteger), ("1E2", .notAnInteger),
            ("1.", .notAnInteger), ("01", .notAnInteger), ("-01", .notAnInteger), ("00", .notAnInteger),
            ("-", .notAnInteger), ("--1", .notAnInteger), ("-a", .notAnInteger), ("0x10", .trailingBytes),
            ("9223372036854775808", .integerOutOfRange), ("-9223372036854775809", .integerOutOfRange),
            ("1000000000000000000000000000000", .integerOutOfRange), ("[", .unexpectedEnd), ("[1", .unexpectedEnd),
            ("[1,", .unexpectedEnd), ("[1,]", .unexpectedByte), ("[,1]", .unexpectedByte), ("[1 2]", .unexpectedByte),
            ("]", .unexpectedByte), ("{", .unexpectedEnd), (#"{"a"}"#, .unexpectedByte), (#"{"a":}"#, .unexpectedByte),
            (#"{"a":1,}"#, .unexpectedByte), (#"{a:1}"#, .unexpectedByte), (#"{"a":1 "b":2}"#, .unexpectedByte),
            (#"{1:1}"#, .unexpectedByte), (#"{"a":1"#, .unexpectedEnd), (#"{"a":1,"#, .unexpectedEnd),
            (#"{"a":1,"a":2}"#, .duplicateKey), (#"{"a":1,"\u0061":2}"#, .duplicateKey),
            (#""a"#, .unexpectedEnd), (#""\"#, .unexpectedEnd), (#""\u12"#, .unexpectedEnd),
            (#""\x""#, .invalidEscape), (#""\u00g0""#, .invalidEscape), (#""\U0041""#, .invalidEscape),
            (#""\ud800""#, .loneSurrogate), (#""\udc00""#, .loneSurrogate), (#""\ud800\u0041""#, .loneSurrogate),
            (#""\ud800\n""#, .loneSurrogate), (#""\u0000""#, .nulCharacter), ("\"a\u{0}\"", .rawControlCharacter),
            ("\"a\nb\"", .rawControlCharacter), ("\"\\n\tb\"", .rawControlCharacter), ("/* a */1", .unexpectedByte),
            ("1//x", .trailingBytes), ("\u{FEFF}1", .byteOrderMark), ("\u{A0}1", .unexpectedByte),
            ("\u{0B}1", .unexpectedByte),
        ] as [(String, JSONFault.Code)]
    )
    func refuses(text: String, code: JSONFault.Code) {
        let fault = #expect(throws: JSONFault.self) { try StrictJSON.parse(Array(text.utf8)) }
        #expect(fault?.code == code)
        #expect(fault?.byteOffset != nil)
        #expect(fault?.sentence.hasSuffix(".") == true)
    }

    @Test(
        "refuses bytes that are not UTF-8",
        arguments: [
            [0x22, 0xFF, 0x22], [0x22, 0xC0, 0x80, 0x22], [0x22, 0xC1, 0xBF, 0x22], [0x22, 0xE0, 0x80, 0xAF, 0x22],
            [0x22, 0xED, 0xA0, 0x80, 0x22], [0x22, 0xED, 0xBF, 0xBF, 0x22], [0x22, 0xF4, 0x90, 0x80, 0x80, 0x22],
            [0x22, 0xF0, 0x80, 0x80, 0x80, 0x22], [0x22, 0xC3, 0x22], [0x22, 0x80, 0x22],
            [0x22, 0x5C, 0x6E, 0xC3, 0x22],
            [0x31, 0x00], [0x00, 0x31], [0x5B, 0x00, 0x5D, 0x00], [0x00, 0x00, 0x00, 0x31], [0x31, 0x00, 0x00, 0x00],
        ] as [[UInt8]]
    )
    func refusesOtherEncodings(bytes: [UInt8]) {
        let fault = #expect(throws: JSONFault.self) { try StrictJSON.parse(bytes) }
        #expect(fault?.code == .invalidUTF8)
        #expect(fault?.kind == .malformed)
    }

    @Test(
        "refuses UTF-16 with a byte order mark",
        arguments: [[0xFE, 0xFF, 0, 0x31], [0xFF, 0xFE, 0x31, 0]] as [[UInt8]]
    )
    func refusesMarks(bytes: [UInt8]) {
        #expect(throws: JSONFault.self) { try StrictJSON.parse(bytes) }
    }

    @Test("keys that look the same count as the same, also among many")
    func duplicates() {
        for count in [2, 11, 12, 13, 40] {
            let fields = (0..<count).map { "\"k\($0)\":\($0)" }.joined(separator: ",")
            #expect(throws: Never.self) { try StrictJSON.parse(Array("{\(fields)}".utf8)) }
            for repeated in 0..<count {
                let fault = #expect(throws: JSONFault.self) {
                    try StrictJSON.parse(Array("{\(fields),\"k\(repeated)\":0}".utf8))
                }
                #expect(fault?.code == .duplicateKey)
                #expect(fault?.path == "k\(repeated)")
            }
        }
        #expect(throws: JSONFault.self) { try StrictJSON.parse(Array("{\"é\":1,\"e\u{301}\":2}".utf8)) }
    }

    @Test("every limit holds at its bound and breaks one behind it")
    func limits() throws {
        func code(_ text: String, _ limits: JSONLimits) -> JSONFault.Code? {
            do {
                _ = try StrictJSON.parse(Array(text.utf8), limits: limits)
                return nil
            } catch {
                return error.code
            }
        }
        #expect(code("[1]", JSONLimits(maxBytes: 3)) == nil)
        #expect(code("[1] ", JSONLimits(maxBytes: 3)) == .tooLarge)
        #expect(code("[[{}]]", JSONLimits(maxDepth: 3)) == nil)
        #expect(code("[[{\"a\":[]}]]", JSONLimits(maxDepth: 3)) == .tooDeep)
        #expect(code("[1,2]", JSONLimits(maxItems: 3)) == nil)
        #expect(code("[1,2,3]", JSONLimits(maxItems: 3)) == .tooManyItems)
        #expect(code("{\"a\":1,\"b\":2,\"c\":3}", JSONLimits(maxItems: 3)) == .tooManyItems)
        #expect(code("\"abc\"", JSONLimits(maxStringBytes: 3)) == nil)
        #expect(code("\"abcd\"", JSONLimits(maxStringBytes: 3)) == .stringTooLong)
        #expect(code("\"\\n\\n\\n\"", JSONLimits(maxStringBytes: 3)) == nil)
        #expect(code("\"\\n\\n\\n\\n\"", JSONLimits(maxStringBytes: 3)) == .stringTooLong)
        #expect(code("\"abcd\\n\"", JSONLimits(maxStringBytes: 3)) == .stringTooLong)
        #expect(code("\"éé\"", JSONLimits(maxStringBytes: 3)) == .stringTooLong)
        #expect(code("{\"abc\":1}", JSONLimits(maxKeyBytes: 3)) == nil)
        #expect(code("{\"abcd\":1}", JSONLimits(maxKeyBytes: 3)) == .keyTooLong)
    }

    @Test("a bomb of brackets is refused whatever depth the limits ask for")
    func bomb() {
        let open = [UInt8](repeating: UInt8(ascii: "["), count: 1_000_000)
        for depth in [0, 1, 32, .max] {
            let fault = #expect(throws: JSONFault.self) {
                try StrictJSON.parse(open, limits: JSONLimits(maxBytes: .max, maxDepth: depth))
            }
            #expect(fault?.code == .tooDeep)
            #expect(fault?.kind == .unacceptable)
        }
    }

    @Test(
        "request text is printable",
        arguments: [
            #""\n""#, #""\u001b[31m""#, "\"\u{7F}\"", #""\u0085""#, "\"\u{202E}abc\"", "\"\u{2066}\"", #"{"a\tb":1}"#,
        ]
    )
    func printable(text: String) {
        #expect(throws: Never.self) { try StrictJSON.parse(Array(text.utf8)) }
        let fault = #expect(throws: JSONFault.self) { try StrictJSON.parse(Array(text.utf8), limits: .request) }
        #expect(fault?.code == .forbiddenCharacter)
    }

    @Test(
        "faults say where",
        arguments: [
            (#"{"lines":[{"q":1},{"q":1.5}]}"#, "lines[1].q"), (#"[[0],[1,01]]"#, "[1][1]"),
            (#"{"a b":{"c":x}}"#, "[\"a b\"].c"),
            (#"{"a":{"b":1,"b":2}}"#, "a.b"), ("1.5", ""),
        ]
    )
    func paths(text: String, path: String) {
        let fault = #expect(throws: JSONFault.self) { try StrictJSON.parse(Array(text.utf8)) }
        #expect(fault?.path == path)
    }

    @Test("paths and sentences stay short and clean whatever the keys are")
    func longPaths() {
        let key = String(repeating: "\\u001b\u{202E}\\\"", count: 50)
        let text = String(repeating: "{\"\(key)\":", count: 30) + "x"
        let fault = #expect(throws: JSONFault.self) { try StrictJSON.parse(Array(text.utf8)) }
        #expect((fault?.path.count ?? .max) <= JSONFault.pathCap)
        #expect(fault?.path.unicodeScalars.allSatisfy { $0.value >= 0x20 && $0.value != 0x202E } == true)
    }
}
