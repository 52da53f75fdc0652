import StrictJSON

/// JSON for programs: one document or one line for each item, on standard output.
enum JSONOutput {
    static func print(_ value: JSONValue) {
        Console.print(String(decoding: StrictJSON.encode(value), as: UTF8.self))
    }
}

extension JSONValue {
    /// The text of a string, the digits of an integer, `yes` or `no`; empty for anything else.
    var shown: String {
        switch self {
        case .string(let text): text
        case .integer(let number): String(number)
        case .bool(let flag): flag ? "yes" : "no"
        case .null, .array, .object: ""
        }
    }
}
