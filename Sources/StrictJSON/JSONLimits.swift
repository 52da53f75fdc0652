/// Bounds that a JSON text must keep to be read at all.
///
/// Every field is an upper bound and inclusive: a text with exactly `maxDepth` levels is accepted.
public struct JSONLimits: Sendable, Hashable {
    /// Which characters a string (or key) may hold. Unescaped control characters are never accepted.
    public enum Text: Sendable, Hashable {
        /// Every Unicode scalar but U+0000.
        case anyExceptNUL

        /// No control characters (C0, DEL, C1), no line or paragraph separators and no bidirectional controls:
        /// what a person may type into a single-line field. Nothing in it can forge a log line or a terminal sequence.
        case printable
    }

    /// Longest whole text, in bytes.
    public var maxBytes: Int

    /// Deepest nesting of arrays and objects. Values over ``depthCap`` act as ``depthCap``.
    public var maxDepth: Int

    /// Most values in the whole text, counting scalars, arrays, objects and the members of objects alike.
    public var maxItems: Int

    /// Longest string value, in UTF-8 bytes after unescaping.
    public var maxStringBytes: Int

    /// Longest key of an object, in UTF-8 bytes after unescaping.
    public var maxKeyBytes: Int

    /// Which characters strings and keys may hold.
    public var text: Text

    /// Hard ceiling of ``maxDepth``: the parser recurses once per level and must stay inside a small thread stack.
    public static let depthCap = 128

    /// Creates limits; each bound that is left out takes the value of ``message``.
    public init(
        maxBytes: Int = 1 << 20,
        maxDepth: Int = 32,
        maxItems: Int = 100_000,
        maxStringBytes: Int = 4096,
        maxKeyBytes: Int = 256,
        text: Text = .anyExceptNUL
    ) {
        self.maxBytes = maxBytes
        self.maxDepth = maxDepth
        self.maxItems = maxItems
        self.maxStringBytes = maxStringBytes
        self.maxKeyBytes = maxKeyBytes
        self.text = text
    }

    /// For messages between programs: 1 MiB, 32 levels, 100 000 values, strings of 4 KiB.
    public static let message = JSONLimits()

    /// For request bodies of people and their programs: 64 KiB, 16 levels, 10 000 values, strings of 4 KiB, printable text only.
    public static let request = JSONLimits(maxBytes: 64 << 10, maxDepth: 16, maxItems: 10_000, text: .printable)
}
