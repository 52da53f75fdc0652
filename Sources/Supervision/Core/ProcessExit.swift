/// How a child process ended.
public enum ProcessExit: Sendable, Equatable {
    /// It returned this code.
    case code(Int32)
    /// A signal ended it.
    case signal(Int32)

    /// Whether this is a good end after a request to stop: code 0, or SIGTERM or SIGINT before the process had its own handler.
    public var isCleanStop: Bool {
        switch self {
        case .code(let code): code == 0
        case .signal(let signal): signal == 15 || signal == 2
        }
    }
}

extension ProcessExit: CustomStringConvertible {
    /// `code 3` or `signal 9`.
    public var description: String {
        switch self {
        case .code(let code): "code \(code)"
        case .signal(let signal): "signal \(signal)"
        }
    }
}
