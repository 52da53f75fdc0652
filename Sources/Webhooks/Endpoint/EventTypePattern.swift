/// Which event types an endpoint wants: a type, or a pattern with `*`.
///
/// A `*` stands for one part between points; at the end it stands for one or more: `shop.order.*` fits `shop.order.placed` and
/// `shop.order.placed.v1`, `*.placed.*` fits the second only.
public struct EventTypePattern: Sendable, Hashable, CustomStringConvertible {
    public let description: String

    /// The longest pattern, in bytes.
    public static let maximumLength = 128

    /// Makes a pattern; `nil` unless every part is `*` or letters, digits, `_` and `-`.
    public init?(_ text: String) {
        guard (1...Self.maximumLength).contains(text.utf8.count) else { return nil }
        var rest: Substring.UTF8View? = Substring(text).utf8
        while let parts = rest {
            let (part, others) = Self.cut(parts)
            guard Self.isPart(part) else { return nil }
            rest = others
        }
        description = text
    }

    /// Whether a type is meant. Asked for each event and each endpoint, so nothing is allocated.
    public func matches(_ type: String) -> Bool {
        var wanted = Substring(description).utf8
        var given = Substring(type).utf8
        while true {
            let (part, otherParts) = Self.cut(wanted)
            let (word, otherWords) = Self.cut(given)
            let isAny = Self.isAny(part)
            guard let otherParts else { return isAny || otherWords == nil && part.elementsEqual(word) }
            guard let otherWords, isAny || part.elementsEqual(word) else { return false }
            (wanted, given) = (otherParts, otherWords)
        }
    }

    /// What stands before the first point and, if there is one, what stands behind it.
    private static func cut(
        _ text: Substring.UTF8View
    ) -> (first: Substring.UTF8View, rest: Substring.UTF8View?) {
        guard let point = text.firstIndex(of: UInt8(ascii: ".")) else { return (text, nil) }
        return (text[..<point], text[text.index(after: point)...])
    }

    private static func isAny(_ part: Substring.UTF8View) -> Bool {
        part.elementsEqual(CollectionOfOne(UInt8(ascii: "*")))
    }

    private static func isPart(_ part: Substring.UTF8View) -> Bool {
        isAny(part)
            || !part.isEmpty
                && part.allSatisfy {
                    (0x30...0x39).contains($0) || (0x41...0x5A).contains($0) || (0x61...0x7A).contains($0)
                        || $0 == UInt8(ascii: "_") || $0 == UInt8(ascii: "-")
                }
    }
}
