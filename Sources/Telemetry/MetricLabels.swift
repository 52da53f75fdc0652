/// The label pairs of one series: sorted by name, cleaned and bounded, so that equal sets are equal values.
struct MetricLabels: Hashable, Sendable {
    /// Most labels of one series.
    static let maxLabels = 16
    /// Longest label value, in UTF-8 bytes.
    static let maxValueBytes = 128

    /// `a="1",b="2"`, escaped for the text format; empty without labels.
    let text: String

    init(_ pairs: [(String, String)]) {
        var seen: Set<String> = []
        var clean: [(name: String, value: String)] = []
        for (name, value) in pairs.prefix(Self.maxLabels) {
            let label = MetricName.label(name)
            if seen.insert(label).inserted { clean.append((label, Self.cut(value))) }
        }
        clean.sort { $0.name < $1.name }
        text = clean.map { "\($0.name)=\"\(Self.escape($0.value))\"" }.joined(separator: ",")
    }

    private init(text: String) {
        self.text = text
    }

    /// The set under which a family gathers everything that came after its bound was reached.
    static let overflow = MetricLabels(text: "overflow=\"true\"")

    private static func cut(_ value: String) -> String {
        guard value.utf8.count > maxValueBytes else { return value }
        var result = ""
        for character in value {
            if result.utf8.count + character.utf8.count > maxValueBytes { break }
            result.append(character)
        }
        return result
    }

    /// Escapes as the text format asks: backslash, double quote, line feed. Other control characters become spaces.
    static func escape(_ value: String) -> String {
        guard value.utf8.contains(where: { $0 < 0x20 || $0 == 0x22 || $0 == 0x5C || $0 == 0x7F }) else { return value }
        var result = ""
        for scalar in value.unicodeScalars {
            switch scalar {
            case "\\": result += "\\\\"
            case "\"": result += "\\\""
            case "\n": result += "\\n"
            default: result.unicodeScalars.append(scalar.value < 0x20 || scalar.value == 0x7F ? " " : scalar)
            }
        }
        return result
    }
}

/// Makes names that the text format accepts.
enum MetricName {
    /// A metric name: `[a-zA-Z_:][a-zA-Z0-9_:]*`; anything else becomes an underscore.
    static func metric(_ name: String) -> String { clean(name, colons: true) }

    /// A label name: `[a-zA-Z_][a-zA-Z0-9_]*`, not `le`, `quantile` nor starting with two underscores (all reserved).
    static func label(_ name: String) -> String {
        var result = clean(name, colons: false)
        while result.hasPrefix("__") { result.removeFirst() }
        return result == "le" || result == "quantile" ? "label_" + result : result
    }

    /// `name` with `suffix` unless it has it.
    static func suffixed(_ name: String, _ suffix: String) -> String {
        name.hasSuffix(suffix) ? name : name + suffix
    }

    private static func clean(_ name: String, colons: Bool) -> String {
        var bytes: [UInt8] = []
        for byte in name.utf8.prefix(160) {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "_"):
                bytes.append(byte)
            case UInt8(ascii: "0")...UInt8(ascii: "9"):
                if bytes.isEmpty { bytes.append(UInt8(ascii: "_")) }
                bytes.append(byte)
            case UInt8(ascii: ":") where colons:
                bytes.append(byte)
            default:
                bytes.append(UInt8(ascii: "_"))
            }
        }
        return bytes.isEmpty ? "_" : String(decoding: bytes, as: UTF8.self)
    }
}
