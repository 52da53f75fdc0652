public import StrictJSON

/// JSON for programs: one document or one line for each item, on standard output.
public enum JSONOutput {
    /// One document, or one item of a stream, on a line of its own.
    public static func print(_ value: JSONValue) {
        Console.print(String(decoding: StrictJSON.encode(value), as: UTF8.self))
    }
}

extension JSONValue {
    /// The text of a string, the digits of an integer, `yes` or `no`; empty for anything else.
    public var shown: String {
        switch self {
        case .string(let text): text
        case .integer(let number): String(number)
        case .bool(let flag): flag ? "yes" : "no"
        case .null, .array, .object: ""
        }
    }
}
