import Foundation

/// Headers as JSON text in a column.
enum HeaderText {
    /// An object, its names sorted.
    static func encode(_ headers: [String: String]) -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        guard let data = try? encoder.encode(headers) else { return "{}" }
        return String(decoding: data, as: UTF8.self)
    }

    /// The headers of an object; none if the text is no such object.
    static func decode(_ text: String) -> [String: String] {
        (try? JSONDecoder().decode([String: String].self, from: Data(text.utf8))) ?? [:]
    }

    /// An array of pairs, in the order in which the headers came, repeated names kept.
    static func encode(_ headers: [(name: String, value: String)]) -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = .withoutEscapingSlashes
        guard let data = try? encoder.encode(headers.map { [$0.name, $0.value] }) else { return [UInt8]("[]".utf8) }
        return [UInt8](data)
    }

    /// The pairs of an array; `nil` if the bytes are no such array.
    static func decodePairs(_ bytes: [UInt8]) -> [(name: String, value: String)]? {
        guard let pairs = try? JSONDecoder().decode([[String]].self, from: Data(bytes)),
            pairs.allSatisfy({ $0.count == 2 })
        else { return nil }
        return pairs.map { ($0[0], $0[1]) }
    }
}

extension String {
    /// The longest prefix of whole characters within a number of UTF-8 bytes.
    func capped(atUTF8 limit: Int) -> String {
        guard utf8.count > limit else { return self }
        var end = utf8.index(utf8.startIndex, offsetBy: limit)
        while end > startIndex, Index(end, within: self) == nil { end = utf8.index(before: end) }
        return String(self[..<end])
    }
}
