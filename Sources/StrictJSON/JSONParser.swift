/// A recursive-descent reader of one text.
///
/// It indexes an array (bounds-checked) and checks the end before each access, so that neither a wrong text nor a mistake here
/// reads outside. Recursion is bounded by `limits.maxDepth`, memory by `limits.maxItems` and the text's own size.
struct JSONParser {
    private let bytes: [UInt8]
    private let end: Int
    private let limits: JSONLimits
    private let maxDepth: Int
    private var index = 0
    private var items = 0

    /// Up to this many members a linear search for duplicates is cheaper than a set.
    private static let linearMembers = 12

    init(_ bytes: [UInt8], limits: JSONLimits) {
        self.bytes = bytes
        self.end = bytes.count
        self.limits = limits
        self.maxDepth = min(limits.maxDepth, JSONLimits.depthCap)
    }

    mutating func parseText() throws(JSONFault) -> JSONValue {
        guard end <= limits.maxBytes else {
            throw fault(.tooLarge, "The text has \(end) bytes; \(limits.maxBytes) are allowed.")
        }
        if end >= 2 {
            let mark = (bytes[0], bytes[1])
            if mark == (0xEF, 0xBB) || mark == (0xFE, 0xFF) || mark == (0xFF, 0xFE) {
                throw fault(.byteOrderMark, "The text starts with a byte order mark; UTF-8 without one is wanted.")
            }
            // UTF-16 and UTF-32 without a mark show themselves by a zero byte beside the first ASCII character.
            if mark.0 == 0 || mark.1 == 0 {
                throw fault(.invalidUTF8, "The text is not UTF-8.")
            }
        }
        skipSpace()
        guard index < end else { throw fault(.emptyInput, "There is no value.") }
        let value = try parseValue(depth: 0)
        skipSpace()
        guard index == end else { throw fault(.trailingBytes, "There is something behind the value.") }
        return value
    }

    private mutating func parseValue(depth: Int) throws(JSONFault) -> JSONValue {
        guard index < end else { throw endFault() }
        items += 1
        guard items <= limits.maxItems else {
            throw fault(.tooManyItems, "The text has more than \(limits.maxItems) values.")
        }
        let byte = bytes[index]
        switch byte {
        case UInt8(ascii: "\""):
            return .string(try parseString(maxBytes: limits.maxStringBytes, tooLong: .stringTooLong))
        case UInt8(ascii: "{"):
            return try parseObject(depth: depth + 1)
        case UInt8(ascii: "["):
            return try parseArray(depth: depth + 1)
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"):
            return .integer(try parseInteger())
        case UInt8(ascii: "t"):
            try expect("true")
            return .bool(true)
        case UInt8(ascii: "f"):
            try expect("false")
            return .bool(false)
        case UInt8(ascii: "n"):
            try expect("null")
            return .null
        default:
            throw fault(.unexpectedByte, "A value was expected.")
        }
    }

    private mutating func parseArray(depth: Int) throws(JSONFault) -> JSONValue {
        try checkDepth(depth)
        index += 1
        var elements: [JSONValue] = []
        skipSpace()
        if index < end, bytes[index] == UInt8(ascii: "]") {
            index += 1
            return .array(elements)
        }
        while true {
            do throws(JSONFault) {
                elements.append(try parseValue(depth: depth))
            } catch {
                throw error.inside(.index(elements.count))
            }
            skipSpace()
            guard index < end else { throw endFault() }
            let byte = bytes[index]
            guard byte == UInt8(ascii: ",") || byte == UInt8(ascii: "]") else {
                throw fault(.unexpectedByte, "A comma or the end of the array was expected.")
            }
            index += 1
            if byte == UInt8(ascii: "]") { return .array(elements) }
            skipSpace()
        }
    }

    private mutating func parseObject(depth: Int) throws(JSONFault) -> JSONValue {
        try checkDepth(depth)
        index += 1
        var members: [JSONMember] = []
        var seen: Set<String> = []
        skipSpace()
        if index < end, bytes[index] == UInt8(ascii: "}") {
            index += 1
            return .object(JSONObject(distinct: members))
        }
        while true {
            guard index < end else { throw endFault() }
            guard bytes[index] == UInt8(ascii: "\"") else {
                throw fault(.unexpectedByte, "A field name in double quotes was expected.")
            }
            let key = try parseString(maxBytes: limits.maxKeyBytes, tooLong: .keyTooLong)
            if Self.isDuplicate(key, members, &seen) {
                throw fault(.duplicateKey, "The field occurs twice.").inside(.key(key))
            }
            skipSpace()
            guard index < end else { throw endFault() }
            guard bytes[index] == UInt8(ascii: ":") else { throw fault(.unexpectedByte, "A colon was expected.") }
            index += 1
            skipSpace()
            do throws(JSONFault) {
                members.append(JSONMember(key, try parseValue(depth: depth)))
            } catch {
                throw error.inside(.key(key))
            }
            skipSpace()
            guard index < end else { throw endFault() }
            let byte = bytes[index]
            guard byte == UInt8(ascii: ",") || byte == UInt8(ascii: "}") else {
                throw fault(.unexpectedByte, "A comma or the end of the object was expected.")
            }
            index += 1
            if byte == UInt8(ascii: "}") { return .object(JSONObject(distinct: members)) }
            skipSpace()
        }
    }

    /// Keys that are canonically equivalent (Unicode) count as the same.
    private static func isDuplicate(_ key: String, _ members: [JSONMember], _ seen: inout Set<String>) -> Bool {
        if members.count < linearMembers {
            return members.contains { $0.key == key }
        }
        if seen.isEmpty {
            for member in members { seen.insert(member.key) }
        }
        return !seen.insert(key).inserted
    }

    private mutating func parseInteger() throws(JSONFault) -> Int64 {
        let start = index
        let negative = bytes[index] == UInt8(ascii: "-")
        if negative { index += 1 }
        let firstDigit = index
        var value: Int64 = 0
        var overflow = false
        while index < end, bytes[index] >= UInt8(ascii: "0"), bytes[index] <= UInt8(ascii: "9") {
            // Counting downwards reaches Int64.min, which has no positive counterpart.
            let (product, overflow1) = value.multipliedReportingOverflow(by: 10)
            let (sum, overflow2) = product.subtractingReportingOverflow(Int64(bytes[index] - UInt8(ascii: "0")))
            overflow = overflow || overflow1 || overflow2
            value = sum
            index += 1
        }
        let digits = index - firstDigit
        guard digits > 0 else { throw fault(.notAnInteger, "A digit was expected after the minus sign.", at: start) }
        guard digits == 1 || bytes[firstDigit] != UInt8(ascii: "0") else {
            throw fault(.notAnInteger, "A number must not start with a zero.", at: start)
        }
        if index < end {
            switch bytes[index] {
            case UInt8(ascii: "."), UInt8(ascii: "e"), UInt8(ascii: "E"):
                throw fault(.notAnInteger, "Only whole numbers without fraction or exponent are accepted.", at: start)
            default: break
            }
        }
        if !negative {
            let (positive, overflow1) = Int64(0).subtractingReportingOverflow(value)
            overflow = overflow || overflow1
            value = positive
        }
        guard !overflow else { throw fault(.integerOutOfRange, "The number does not fit 64 bits.", at: start) }
        return value
    }

    /// Reads a string whose opening quote is at `index`.
    private mutating func parseString(maxBytes: Int, tooLong: JSONFault.Code) throws(JSONFault) -> String {
        let start = index + 1
        var cursor = start
        var bits: UInt8 = 0
        var hasDelete = false
        while cursor < end {
            let byte = bytes[cursor]
            if byte == UInt8(ascii: "\"") { break }
            if byte == UInt8(ascii: "\\") {
                return try parseEscapedString(from: start, upTo: cursor, maxBytes: maxBytes, tooLong: tooLong)
            }
            if byte < 0x20 { throw fault(.rawControlCharacter, "A control character must be escaped.", at: cursor) }
            bits |= byte
            hasDelete = hasDelete || byte == 0x7F
            cursor += 1
        }
        guard cursor < end else { throw endFault() }
        guard cursor - start <= maxBytes else { throw lengthFault(maxBytes, tooLong, at: start) }
        index = cursor + 1
        if bits < 0x80 {
            if hasDelete, limits.text == .printable { throw characterFault(at: start) }
            return String(decoding: bytes[start..<cursor], as: UTF8.self)
        }
        return try validated(bytes[start..<cursor], at: start)
    }

    private mutating func parseEscapedString(
        from start: Int,
        upTo firstEscape: Int,
        maxBytes: Int,
        tooLong: JSONFault.Code
    ) throws(JSONFault) -> String {
        var buffer = Array(bytes[start..<firstEscape])
        var cursor = firstEscape
        while true {
            guard cursor < end else { throw endFault() }
            let byte = bytes[cursor]
            if byte == UInt8(ascii: "\"") { break }
            if byte < 0x20 { throw fault(.rawControlCharacter, "A control character must be escaped.", at: cursor) }
            if byte == UInt8(ascii: "\\") {
                try parseEscape(&cursor, into: &buffer)
            } else {
                buffer.append(byte)
                cursor += 1
            }
            // Checked inside the loop: the buffer stays bounded by the limit, not by the text.
            guard buffer.count <= maxBytes else { throw lengthFault(maxBytes, tooLong, at: start) }
        }
        guard buffer.count <= maxBytes else { throw lengthFault(maxBytes, tooLong, at: start) }
        index = cursor + 1
        return try validated(buffer[...], at: start)
    }

    /// Reads the escape whose backslash is at `cursor` and moves behind it.
    private func parseEscape(_ cursor: inout Int, into buffer: inout [UInt8]) throws(JSONFault) {
        let start = cursor
        guard cursor + 1 < end else { throw endFault() }
        let letter = bytes[cursor + 1]
        cursor += 2
        switch letter {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): buffer.append(letter)
        case UInt8(ascii: "b"): buffer.append(0x08)
        case UInt8(ascii: "f"): buffer.append(0x0C)
        case UInt8(ascii: "n"): buffer.append(0x0A)
        case UInt8(ascii: "r"): buffer.append(0x0D)
        case UInt8(ascii: "t"): buffer.append(0x09)
        case UInt8(ascii: "u"):
            var code = try parseHex(&cursor)
            if code >= 0xD800, code < 0xDC00 {
                guard cursor + 1 < end, bytes[cursor] == UInt8(ascii: "\\"), bytes[cursor + 1] == UInt8(ascii: "u")
                else {
                    throw fault(.loneSurrogate, "Half of a surrogate pair stands alone.", at: start)
                }
                cursor += 2
                let low = try parseHex(&cursor)
                guard low >= 0xDC00, low < 0xE000 else {
                    throw fault(.loneSurrogate, "Half of a surrogate pair stands alone.", at: start)
                }
                code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00)
            }
            guard code != 0 else { throw fault(.nulCharacter, "The character U+0000 is not accepted.", at: start) }
            guard let scalar = Unicode.Scalar(code) else {
                throw fault(.loneSurrogate, "Half of a surrogate pair stands alone.", at: start)
            }
            buffer.append(contentsOf: UTF8.encode(scalar) ?? UTF8.EncodedScalar())
        default:
            throw fault(.invalidEscape, "The escape is not one of JSON's.", at: start)
        }
    }

    private func parseHex(_ cursor: inout Int) throws(JSONFault) -> UInt32 {
        guard cursor + 4 <= end else { throw endFault() }
        var code: UInt32 = 0
        for _ in 0..<4 {
            let byte = bytes[cursor]
            let digit: UInt8
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): digit = byte - UInt8(ascii: "0")
            case UInt8(ascii: "a")...UInt8(ascii: "f"): digit = byte - UInt8(ascii: "a") + 10
            case UInt8(ascii: "A")...UInt8(ascii: "F"): digit = byte - UInt8(ascii: "A") + 10
            default: throw fault(.invalidEscape, "Four hexadecimal digits were expected.", at: cursor)
            }
            code = code << 4 | UInt32(digit)
            cursor += 1
        }
        return code
    }

    private func validated(_ slice: ArraySlice<UInt8>, at offset: Int) throws(JSONFault) -> String {
        guard let string = String(validating: slice, as: UTF8.self) else {
            throw fault(.invalidUTF8, "The text is not UTF-8.", at: offset)
        }
        if limits.text == .printable, !string.unicodeScalars.allSatisfy(JSONText.isPrintable) {
            throw characterFault(at: offset)
        }
        return string
    }

    private mutating func expect(_ word: StaticString) throws(JSONFault) {
        let start = index
        for offset in 0..<word.utf8CodeUnitCount {
            guard index < end else { throw endFault() }
            guard bytes[index] == word.utf8Start[offset] else {
                throw fault(.unexpectedByte, "A value was expected.", at: start)
            }
            index += 1
        }
    }

    @inline(__always)
    private mutating func skipSpace() {
        while index < end {
            switch bytes[index] {
            case 0x20, 0x0A, 0x0D, 0x09: index += 1
            default: return
            }
        }
    }

    private func checkDepth(_ depth: Int) throws(JSONFault) {
        guard depth <= maxDepth else { throw fault(.tooDeep, "The text is nested deeper than \(maxDepth) levels.") }
    }

    private func fault(_ code: JSONFault.Code, _ sentence: String, at offset: Int? = nil) -> JSONFault {
        JSONFault(code, sentence: sentence, byteOffset: offset ?? index)
    }

    private func endFault() -> JSONFault {
        JSONFault(.unexpectedEnd, sentence: "The text ends in the middle of a value.", byteOffset: end)
    }

    private func characterFault(at offset: Int) -> JSONFault {
        fault(.forbiddenCharacter, "Control and bidirectional characters are not accepted.", at: offset)
    }

    private func lengthFault(_ maxBytes: Int, _ code: JSONFault.Code, at offset: Int) -> JSONFault {
        let what = code == .keyTooLong ? "field name" : "string"
        return fault(code, "The \(what) is longer than \(maxBytes) bytes.", at: offset)
    }
}
