/// Where a probe asks: plain HTTP or a bare TCP connection, always on the loopback interface.
///
/// Text forms: `http://127.0.0.1:8280/health/ready`, `tcp://127.0.0.1:5673`. A TCP probe says only that somebody listens: the
/// kernel accepts connections for a frozen process too, so it cannot find a freeze.
public struct ProbeTarget: Sendable, Equatable {
    /// How the question is asked.
    public enum Kind: Sendable, Equatable {
        /// `GET path`; any HTTP answer is a sign of life, 2xx means ready.
        case http(path: String)
        /// A connection that is accepted means ready.
        case tcp
    }

    /// How the question is asked.
    public var kind: Kind
    /// The port on 127.0.0.1.
    public var port: UInt16

    /// Reads the text form; `nil` for anything but the two forms above with a port of 1…65535.
    public init?(_ text: String) {
        let rest: Substring
        let isHTTP: Bool
        if text.hasPrefix("http://127.0.0.1:") {
            (rest, isHTTP) = (text.dropFirst("http://127.0.0.1:".count), true)
        } else if text.hasPrefix("tcp://127.0.0.1:") {
            (rest, isHTTP) = (text.dropFirst("tcp://127.0.0.1:".count), false)
        } else {
            return nil
        }
        let digits = rest.prefix { $0.isASCII && $0.isNumber }
        guard let port = UInt16(digits), port > 0 else { return nil }
        let path = rest.dropFirst(digits.count)
        if isHTTP {
            guard path.isEmpty || path.hasPrefix("/") else { return nil }
            guard path.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7f }) else { return nil }
            kind = .http(path: path.isEmpty ? "/" : String(path))
        } else {
            guard path.isEmpty else { return nil }
            kind = .tcp
        }
        self.port = port
    }

    /// The bytes to send after connecting; empty for TCP.
    public var request: [UInt8] {
        switch kind {
        case .tcp: []
        case .http(let path):
            Array("GET \(path) HTTP/1.1\r\nHost: 127.0.0.1:\(port)\r\nConnection: close\r\n\r\n".utf8)
        }
    }
}

extension ProbeTarget: CustomStringConvertible {
    /// The text form.
    public var description: String {
        switch kind {
        case .http(let path): "http://127.0.0.1:\(port)\(path)"
        case .tcp: "tcp://127.0.0.1:\(port)"
        }
    }
}
