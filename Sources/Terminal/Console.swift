import Foundation

/// Standard output and standard error, with colour only where a person looks.
public enum Console {
    /// Colours that tables and lines use; each has a meaning, and the text says the same without it.
    public enum Color: String, Sendable {
        /// Done, healthy.
        case good = "32"
        /// Failed, violated.
        case bad = "31"
        /// Not over yet.
        case waiting = "33"
        /// Of less interest, such as headings.
        case quiet = "2"
        /// What the eye is to find first.
        case strong = "1"
    }

    /// Whether standard output is a terminal.
    public static let isTerminal = isatty(STDOUT_FILENO) == 1
    /// Whether standard error is a terminal: progress is shown there.
    public static let showsProgress = isatty(STDERR_FILENO) == 1
    /// `NO_COLOR` counts when it is not empty (https://no-color.org).
    private static let hasColor = isTerminal && (ProcessInfo.processInfo.environment["NO_COLOR"] ?? "").isEmpty

    /// The width of the terminal; `nil` where there is none.
    public static var width: Int? {
        var size = winsize()
        guard isTerminal, ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return nil }
        return Int(size.ws_col)
    }

    /// A line on standard output. Ends the program where nothing can be written there: as a closed pipe ends any program, or with code 2
    /// and a sentence.
    public static func print(_ line: String) { put(line + "\n") }

    /// A line on standard error; nothing when it is empty.
    public static func error(_ line: String) {
        guard !line.isEmpty else { return }
        tell(line + "\n")
    }

    /// Replaces the present line of standard error, for progress.
    public static func progress(_ text: String) { tell("\r\u{1B}[K\(text)") }

    /// Takes back the last `lines` lines of standard output, for tables that are drawn again.
    public static func rewind(_ lines: Int) {
        guard isTerminal, lines > 0 else { return }
        put("\u{1B}[\(lines)A\u{1B}[J")
    }

    /// `FileHandle.write` would trap: the networking library has SIGPIPE ignored, so a reader that went away is an error of `write(2)`.
    private static func put(_ text: String) {
        let reason = write(text, to: STDOUT_FILENO)
        guard reason != 0 else { return }
        if reason == EPIPE {
            signal(SIGPIPE, SIG_DFL)
            raise(SIGPIPE)
        }
        error("Standard output cannot be written: \(String(cString: strerror(reason))).")
        exit(2)
    }

    /// Who does not see it is not told: there is nobody left to tell.
    private static func tell(_ text: String) { _ = write(text, to: STDERR_FILENO) }

    /// - Returns: 0, or the `errno` with which it ended.
    private static func write(_ text: String, to descriptor: Int32) -> Int32 {
        var bytes = Array(text.utf8)[...]
        while !bytes.isEmpty {
            let count = bytes.withUnsafeBytes { Foundation.write(descriptor, $0.baseAddress, $0.count) }
            if count > 0 { bytes = bytes.dropFirst(count) } else if errno != EINTR { return errno }
        }
        return 0
    }

    /// Text in a colour, or as it is.
    public static func colored(_ text: String, _ color: Color?) -> String {
        guard hasColor, let color else { return text }
        return "\u{1B}[\(color.rawValue)m\(text)\u{1B}[0m"
    }

    /// What came from outside, made safe for a terminal: control characters become `·`.
    public static func safe(_ text: String) -> String {
        String(
            String.UnicodeScalarView(
                text.unicodeScalars.map { $0.properties.generalCategory == .control ? "·" : $0 }
            )
        )
    }
}
