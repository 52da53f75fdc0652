/// Why a JSON text was refused: where, and in one sentence for people.
///
/// Neither the sentence nor the code holds values of the text (which may be personal), and the path holds at most
/// ``pathCap`` characters of its keys. All three are safe to answer, to log and to store.
public struct JSONFault: Error, Sendable, Hashable, CustomStringConvertible {
    /// What is wrong. The raw values are stable: programs may depend on them.
    public enum Code: String, Sendable, Hashable, CaseIterable {
        // The text is not JSON as we accept it.
        case emptyInput = "empty-input"
        case byteOrderMark = "byte-order-mark"
        case invalidUTF8 = "invalid-utf8"
        case unexpectedEnd = "unexpected-end"
        case unexpectedByte = "unexpected-byte"
        case trailingBytes = "trailing-bytes"
        case invalidEscape = "invalid-escape"
        case loneSurrogate = "lone-surrogate"
        case rawControlCharacter = "raw-control-character"

        // It is JSON but over a bound.
        case tooLarge = "too-large"
        case tooDeep = "too-deep"
        case tooManyItems = "too-many-items"
        case stringTooLong = "string-too-long"
        case keyTooLong = "key-too-long"

        // It is JSON but says something that we never accept.
        case duplicateKey = "duplicate-key"
        case nulCharacter = "nul-character"
        case forbiddenCharacter = "forbidden-character"
        case notAnInteger = "not-an-integer"
        case integerOutOfRange = "integer-out-of-range"

        // It does not fit the type that is wanted.
        case missingField = "missing-field"
        case unknownField = "unknown-field"
        case unexpectedNull = "unexpected-null"
        case wrongType = "wrong-type"
        case invalidValue = "invalid-value"

        // The Swift type itself asks for something that this JSON dialect does not have (a programmer's error).
        case unsupportedType = "unsupported-type"
    }

    /// The three questions an HTTP edge or a consumer asks about a fault.
    public enum Kind: Sendable, Hashable {
        /// Not JSON at all.
        case malformed
        /// Over the size of the whole text.
        case tooLarge
        /// JSON, but not what is accepted here.
        case unacceptable
    }

    /// What is wrong.
    public var code: Code

    /// Where, as in `lines[3].quantity`; empty for the whole text. Cut at ``pathCap`` characters.
    public var path: String

    /// What is wrong, as one English sentence without the path.
    public var sentence: String

    /// Offset of the byte at which reading stopped; nil once the text was read and only its meaning is wrong.
    public var byteOffset: Int?

    /// Longest path in characters.
    public static let pathCap = 256

    /// Longest sentence in characters.
    public static let sentenceCap = 240

    /// Creates a fault. Over-long paths and sentences are cut, control characters in them replaced.
    public init(_ code: Code, path: String = "", sentence: String, byteOffset: Int? = nil) {
        self.code = code
        self.path = Self.tame(path, cap: Self.pathCap)
        self.sentence = Self.tame(sentence, cap: Self.sentenceCap)
        self.byteOffset = byteOffset
    }

    /// How an edge should class this fault.
    public var kind: Kind {
        switch code {
        case .emptyInput, .byteOrderMark, .invalidUTF8, .unexpectedEnd, .unexpectedByte, .trailingBytes, .invalidEscape,
            .loneSurrogate, .rawControlCharacter:
            .malformed
        case .tooLarge:
            .tooLarge
        case .tooDeep, .tooManyItems, .stringTooLong, .keyTooLong, .duplicateKey, .nulCharacter, .forbiddenCharacter,
            .notAnInteger, .integerOutOfRange, .missingField, .unknownField, .unexpectedNull, .wrongType, .invalidValue,
            .unsupportedType:
            .unacceptable
        }
    }

    /// `code at path: sentence`.
    public var description: String {
        let place = path.isEmpty ? "" : " at \(path)"
        let offset = byteOffset.map { " (byte \($0))" } ?? ""
        return "\(code.rawValue)\(place): \(sentence)\(offset)"
    }

    /// The same fault seen from one level further out.
    func inside(_ step: JSONPathStep) -> JSONFault {
        JSONFault(code, path: step.text + JSONPathStep.join(path), sentence: sentence, byteOffset: byteOffset)
    }

    private static func tame(_ text: String, cap: Int) -> String {
        if text.utf8.count <= cap, text.utf8.allSatisfy({ $0 >= 0x20 && $0 < 0x7F }) { return text }
        var result = ""
        var count = 0
        for scalar in text.unicodeScalars {
            if count == cap - 1 {
                result += "…"
                break
            }
            result.unicodeScalars.append(JSONText.isPrintable(scalar) ? scalar : "\u{FFFD}")
            count += 1
        }
        return result
    }
}
