import StrictJSON
import Testing

@Suite("Random texts")
struct FuzzTests {
    /// Texts that mutations start from: between them they reach every branch of the parser.
    static let corpus: [String] = [
        #"{"id":"018f","lines":[{"sku":"A-1","quantity":2},{"sku":"B","quantity":-7}],"note":null,"paid":true}"#,
        #"[[[[[[[["deep"]]]]]]],{"a":{"b":{"c":[false,0,-0,9223372036854775807,-9223372036854775808]}}}]"#,
        #""\u00e9\ud83d\ude00\\\"\/\b\f\n\r\t plain é€😀""#,
        #"{"a":1,"b":2,"c":3,"d":4,"e":5,"f":6,"g":7,"h":8,"i":9,"j":1,"k":2,"l":3,"m":4}"#,
        " [ 1 , 2 , { \"x\" : [ ] , \"y\" : { } } ] ",
    ]

    static func mutate(_ seed: [UInt8], _ random: inout SplitMix64) -> [UInt8] {
        var bytes = seed
        let interesting = Array(#"{}[]",:\u0d8eE+-.09tfn"#.utf8) + [0, 0x0A, 0x1F, 0x7F, 0x80, 0xC0, 0xED, 0xF4, 0xFF]
        for _ in 0..<Int.random(in: 1...6, using: &random) {
            guard !bytes.isEmpty else { return bytes }
            let at = Int.random(in: 0..<bytes.count, using: &random)
            switch Int.random(in: 0..<6, using: &random) {
            case 0: bytes[at] = UInt8.random(in: .min ... .max, using: &random)
            case 1: bytes[at] = interesting.randomElement(using: &random) ?? 0
            case 2: bytes.remove(at: at)
            case 3: bytes.insert(interesting.randomElement(using: &random) ?? 0, at: at)
            case 4: bytes.removeSubrange(at...)
            default:
                let to = Int.random(in: at..<bytes.count, using: &random)
                bytes.insert(contentsOf: bytes[at...to], at: at)
            }
        }
        return bytes
    }

    @Test("no bytes trap, and what is accepted reads back the same", arguments: 0..<8)
    func mutations(seed: UInt64) throws {
        var random = SplitMix64(seed: seed)
        var accepted = 0
        for round in 0..<3000 {
            let base = Array(Self.corpus[round % Self.corpus.count].utf8)
            let bytes = Self.mutate(base, &random)
            let limits: JSONLimits = round % 2 == 0 ? .message : .request
            do {
                let value = try StrictJSON.parse(bytes, limits: limits)
                accepted += 1
                let written = StrictJSON.encode(value, sortedKeys: false)
                #expect(try StrictJSON.parse(written, limits: limits) == value)
                let sorted = StrictJSON.encode(value)
                #expect(StrictJSON.encode(try StrictJSON.parse(sorted, limits: limits)) == sorted)
            } catch {
                #expect(error.path.count <= JSONFault.pathCap)
                #expect((error.byteOffset ?? .max) <= bytes.count)
            }
            _ = try? StrictJSON.decode(DecodingTests.Order.self, from: bytes, unknownFields: .reject)
            _ = try? StrictJSON.decode([DecodingTests.Shape].self, from: bytes, unknownFields: .reject)
        }
        #expect(accepted > 0)
    }

    @Test("random bytes never trap", arguments: 0..<4)
    func noise(seed: UInt64) {
        var random = SplitMix64(seed: 1000 + seed)
        for _ in 0..<3000 {
            let count = Int.random(in: 0..<40, using: &random)
            let bytes = (0..<count).map { _ in UInt8.random(in: .min ... .max, using: &random) }
            _ = try? StrictJSON.parse(bytes)
        }
    }

    @Test("every prefix of a good text is refused as malformed")
    func prefixes() throws {
        for text in Self.corpus {
            let trimmed = Array(text.utf8.drop { $0 == 0x20 }.reversed().drop { $0 == 0x20 }.reversed())
            for end in 0..<trimmed.count {
                let fault = #expect(throws: JSONFault.self) { try StrictJSON.parse(Array(trimmed[..<end])) }
                #expect(fault?.kind == .malformed || fault?.code == .notAnInteger)
            }
        }
    }

    static func randomValue(_ depth: Int, _ random: inout SplitMix64) -> JSONValue {
        switch Int.random(in: 0..<(depth > 0 ? 6 : 4), using: &random) {
        case 0: return .null
        case 1: return .bool(Bool.random(using: &random))
        case 2:
            return .integer(
                Int64(bitPattern: UInt64.random(in: .min ... .max, using: &random))
                    >> Int64.random(in: 0..<64, using: &random)
            )
        case 3: return .string(randomString(&random))
        case 4: return .array((0..<Int.random(in: 0..<6, using: &random)).map { _ in randomValue(depth - 1, &random) })
        default:
            return .object(
                JSONObject(
                    (0..<Int.random(in: 0..<20, using: &random)).map { _ in
                        JSONMember(randomString(&random), randomValue(depth - 1, &random))
                    }
                )
            )
        }
    }

    static func randomString(_ random: inout SplitMix64) -> String {
        var text = ""
        for _ in 0..<Int.random(in: 0..<12, using: &random) {
            let range: ClosedRange<UInt32> =
                [0x1...0x7F, 0x20...0x7E, 0x80...0x7FF, 0x800...0xD7FF, 0x1_0000...0x10_FFFF]
                .randomElement(using: &random) ?? 0x20...0x7E
            if let scalar = Unicode.Scalar(UInt32.random(in: range, using: &random)) {
                text.unicodeScalars.append(scalar)
            }
        }
        return text
    }

    @Test("written values read back the same", arguments: 0..<8)
    func roundTrip(seed: UInt64) throws {
        var random = SplitMix64(seed: 77 + seed)
        for _ in 0..<200 {
            let value = Self.randomValue(5, &random)
            #expect(try StrictJSON.parse(StrictJSON.encode(value, sortedKeys: false)) == value)
            #expect(try StrictJSON.decode(JSONValue.self, from: StrictJSON.encode(value, sortedKeys: false)) == value)
            #expect(try StrictJSON.encode([value]) == StrictJSON.encode(.array([value])))
        }
    }
}
