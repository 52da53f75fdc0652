import Foundation

/// Standard output and standard error, with colour only where a person looks.
enum Console {
    /// Colours that tables and lines use; each has a meaning, and the text says the same without it.
    enum Color: String {
        case good = "32"
        case bad = "31"
        case waiting = "33"
        case quiet = "2"
        case strong = "1"
    }

    /// Whether standard output is a terminal.
    static let isTerminal = isatty(STDOUT_FILENO) == 1
    /// Whether standard error is a terminal: progress is shown there.
    static let showsProgress = isatty(STDERR_FILENO) == 1
    private static let hasColor = isTerminal && ProcessInfo.processInfo.environment["NO_COLOR"] == nil

    /// The width of the terminal, 100 where there is none.
    static var width: Int {
        var size = winsize()
        guard isTerminal, ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return 100 }
        return Int(size.ws_col)
    }

    static func print(_ line: String) {
        FileHandle.standardOutput.write(Data((line + "\n").utf8))
    }

    static func error(_ line: String) {
        guard !line.isEmpty else { return }
        FileHandle.standardError.write(Data((line + "\n").utf8))
    }

    /// Replaces the present line of standard error, for progress without a known end.
    static func progress(_ text: String) {
        FileHandle.standardError.write(Data("\r\u{1B}[K\(text)".utf8))
    }

    /// Takes back the last `lines` lines of standard output, for tables that are drawn again.
    static func rewind(_ lines: Int) {
        guard isTerminal, lines > 0 else { return }
        FileHandle.standardOutput.write(Data("\u{1B}[\(lines)A\u{1B}[J".utf8))
    }

    /// Text in a colour, or as it is.
    static func colored(_ text: String, _ color: Color?) -> String {
        guard hasColor, let color else { return text }
        return "\u{1B}[\(color.rawValue)m\(text)\u{1B}[0m"
    }

    /// The colour of a status of an order.
    static func color(ofStatus status: String) -> Color? {
        switch status {
        case "completed": .good
        case "rejected", "cancelled": .quiet
        case "needsOperator": .bad
        default: .waiting
        }
    }

    /// What came from outside, made safe for a terminal: control characters become `·`.
    static func safe(_ text: String) -> String {
        String(
            String.UnicodeScalarView(
                text.unicodeScalars.map { $0.properties.generalCategory == .control ? "·" : $0 }
            )
        )
    }
}
