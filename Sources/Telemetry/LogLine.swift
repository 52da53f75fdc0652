/// Builds one log line: a JSON object whose size is bounded while it grows.
struct LogLine {
    /// Longest line, in bytes, without the line feed.
    static let maxBytes = 8192
    /// Longest string in it, in bytes before escaping.
    static let maxStringBytes = 1024
    /// Most nested levels and elements that are shown of a structured value.
    static let maxDepth = 4
    static let maxElements = 32
    /// Room that is kept for `,"truncated":true}`.
    private static let reserve = 24

    private(set) var bytes: [UInt8] = [UInt8(ascii: "{")]
    private var isTruncated = false
    private var keys: Set<String> = []

    init() { bytes.reserveCapacity(512) }

    /// Adds a field unless its key is taken or the line would grow over its bound.
    mutating func add(_ key: String, _ write: (inout LogLine) -> Void) {
        guard !isTruncated, keys.insert(key).inserted else { return }
        let mark = bytes.count
        if mark > 1 { bytes.append(UInt8(ascii: ",")) }
        string(key)
        bytes.append(UInt8(ascii: ":"))
        write(&self)
        if bytes.count > Self.maxBytes - Self.reserve {
            bytes.removeSubrange(mark...)
            isTruncated = true
        }
    }

    mutating func add(_ key: String, _ text: String) { add(key) { $0.string(text) } }

    mutating func finish() -> [UInt8] {
        if isTruncated { bytes += Array(",\"truncated\":true".utf8) }
        bytes.append(UInt8(ascii: "}"))
        return bytes
    }

    /// Over the bound already: the field at hand will be taken back, so writing on would only cost time.
    var isFull: Bool { bytes.count > Self.maxBytes }

    mutating func raw(_ text: StaticString) {
        bytes.append(contentsOf: UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }

    /// A JSON string; cut at a character's border with `…` when too long.
    mutating func string(_ text: String) {
        guard !isFull else { return }
        bytes.append(UInt8(ascii: "\""))
        var used = 0
        for scalar in text.unicodeScalars {
            let width = UTF8.width(scalar)
            if used + width > Self.maxStringBytes {
                bytes += Array("…".utf8)
                break
            }
            used += width
            append(scalar)
        }
        bytes.append(UInt8(ascii: "\""))
    }

    private mutating func append(_ scalar: Unicode.Scalar) {
        switch scalar.value {
        case 0x22, 0x5C:
            bytes.append(UInt8(ascii: "\\"))
            bytes.append(UInt8(scalar.value))
        case 0x0A: raw("\\n")
        case 0x0D: raw("\\r")
        case 0x09: raw("\\t")
        // C1 controls and bidirectional marks could steer a terminal that shows the log: they are escaped too.
        case 0x00..<0x20, 0x7F...0x9F, 0x200E, 0x200F, 0x2028...0x202E, 0x2066...0x2069:
            let digits = String(scalar.value, radix: 16)
            bytes += Array(("\\u" + String(repeating: "0", count: 4 - digits.count) + digits).utf8)
        default:
            bytes.append(contentsOf: UTF8.encode(scalar) ?? UTF8.EncodedScalar())
        }
    }
}
