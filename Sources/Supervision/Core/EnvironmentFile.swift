/// A file of `KEY=VALUE` lines: the environment of one process.
///
/// Everything after the first `=` is the value, as it stands: no quotes, no escapes, no variables. Empty lines and lines that
/// begin with `#` are skipped.
public struct EnvironmentFile: Sendable, Equatable {
    /// The most bytes such a file may have.
    public static let limit = 256 * 1024

    /// The entries in order; of equal keys the last one wins when applied.
    public var entries: [(key: String, value: String)] { pairs.map { ($0.key, $0.value) } }

    private struct Pair: Sendable, Equatable {
        var key: String
        var value: String
    }

    private var pairs: [Pair] = []

    /// Reads the text.
    ///
    /// - Throws: ``SupervisionError`` with the line's number when a line has no `=`, a bad key or a NUL.
    public init(_ text: String) throws(SupervisionError) {
        for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            if line.isEmpty || line.hasPrefix("#") { continue }
            guard let equals = line.firstIndex(of: "=") else {
                throw SupervisionError("line \(index + 1) of the environment file has no '='")
            }
            let key = line[..<equals]
            let value = line[line.index(after: equals)...]
            guard Self.isKey(key), !value.utf8.contains(0) else {
                throw SupervisionError("line \(index + 1) of the environment file is not KEY=VALUE")
            }
            pairs.append(Pair(key: String(key), value: String(value)))
        }
    }

    private static func isKey(_ text: Substring) -> Bool {
        guard let first = text.utf8.first, !(0x30...0x39).contains(first) else { return false }
        return text.utf8.allSatisfy { byte in
            byte == 0x5f || (0x30...0x39).contains(byte) || (0x41...0x5a).contains(byte) || (0x61...0x7a).contains(byte)
        }
    }
}
