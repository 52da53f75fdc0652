/// Which event types an endpoint wants: a type, or a pattern with `*`.
///
/// A `*` stands for one part between points; at the end it stands for one or more: `shop.order.*` fits `shop.order.placed` and
/// `shop.order.placed.v1`, `*.placed.*` fits the second only.
public struct EventTypePattern: Sendable, Hashable, CustomStringConvertible {
    private let parts: [Substring]
    public let description: String

    /// The longest pattern, in bytes.
    public static let maximumLength = 128

    /// Makes a pattern; `nil` unless every part is `*` or letters, digits, `_` and `-`.
    public init?(_ text: String) {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard (1...Self.maximumLength).contains(text.utf8.count), parts.allSatisfy(Self.isPart) else { return nil }
        self.parts = parts
        description = text
    }

    /// Whether a type is meant.
    public func matches(_ type: String) -> Bool {
        let given = type.split(separator: ".", omittingEmptySubsequences: false)
        for (index, part) in parts.enumerated() {
            guard index < given.count else { return false }
            if part == "*", index == parts.count - 1 { return true }
            guard part == "*" || part == given[index] else { return false }
        }
        return given.count == parts.count
    }

    private static func isPart(_ part: Substring) -> Bool {
        part == "*"
            || (!part.isEmpty
                && part.utf8.allSatisfy {
                    (0x30...0x39).contains($0) || (0x41...0x5A).contains($0) || (0x61...0x7A).contains($0)
                        || $0 == UInt8(ascii: "_") || $0 == UInt8(ascii: "-")
                })
    }
}
