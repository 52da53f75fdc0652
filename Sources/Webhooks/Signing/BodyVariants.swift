import StrictJSON

/// What bodies turn into on the way, in order to explain a signature that does not fit.
enum BodyVariants {
    /// Other forms of a body, with the sentence that says how it came to this one.
    static func of(_ body: [UInt8]) -> [(bytes: [UInt8], sentence: String)] {
        var variants: [(bytes: [UInt8], sentence: String)] = []
        var trimmed = body
        while let last = trimmed.last, last == 0x0A || last == 0x0D || last == 0x20 { trimmed.removeLast() }
        if trimmed.count != body.count {
            variants.append((trimmed, "White space was added to the end of the body after it was signed."))
        }
        variants.append((body + [0x0A], "A line break at the end of the body was removed after it was signed."))
        if body.starts(with: [0xEF, 0xBB, 0xBF]) {
            variants.append((Array(body.dropFirst(3)), "A byte order mark was put before the body."))
        }
        guard body.count <= 1 << 20, let value = try? StrictJSON.parse(body, limits: .message) else { return variants }
        let sentence =
            "The body was parsed and written again on the way. Verify the bytes as they came, before parsing."
        variants.append((StrictJSON.encode(value, sortedKeys: true), sentence))
        variants.append((StrictJSON.encode(value, sortedKeys: false), sentence))
        return variants.filter { $0.bytes != body }
    }
}
