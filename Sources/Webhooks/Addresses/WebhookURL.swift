/// The address of an endpoint, taken apart by one strict parser: what is checked is what is called.
///
/// `http` or `https`, visible ASCII only, no user information, no fragment, port 1…65535.
public struct WebhookURL: Sendable, Hashable, CustomStringConvertible {
    /// Whether it is `https`.
    public let isSecure: Bool
    /// The host in lower case, without brackets.
    public let host: String
    /// The port.
    public let port: Int
    /// Path and query, beginning with `/`.
    public let target: String
    /// The text as it was given.
    public let description: String
    /// Whether the host stood in brackets.
    let isBracketed: Bool

    /// The longest URL, in bytes.
    public static let maximumLength = 2048

    /// Reads a URL.
    /// - Throws: ``Fault`` with a sentence.
    public init(_ text: String) throws(Fault) {
        guard (1...Self.maximumLength).contains(text.utf8.count) else {
            throw Fault("A URL has 1 to \(Self.maximumLength) bytes.")
        }
        guard text.utf8.allSatisfy({ (0x21...0x7E).contains($0) && !Self.neverInURL.contains($0) }) else {
            throw Fault("A URL is visible ASCII; write other characters percent-encoded and names in their xn-- form.")
        }
        guard let scheme = text.firstRange(of: "://") else { throw Fault("A URL begins with https:// or http://.") }
        switch text[..<scheme.lowerBound].lowercased() {
        case "https": isSecure = true
        case "http": isSecure = false
        default: throw Fault("Only https and http can be called.")
        }
        guard !text.contains("#") else { throw Fault("A URL for calls has no fragment (#).") }
        let rest = text[scheme.upperBound...]
        let end = rest.firstIndex { $0 == "/" || $0 == "?" } ?? rest.endIndex
        let authority = rest[..<end]
        guard !authority.contains("@") else { throw Fault("A URL holds no user name or password.") }
        let path = rest[end...]
        target = path.hasPrefix("/") ? String(path) : "/" + path
        let portText: Substring?
        if authority.hasPrefix("[") {
            guard let close = authority.firstIndex(of: "]") else {
                throw Fault("The address in brackets does not end.")
            }
            let inside = String(authority[authority.index(after: authority.startIndex)..<close])
            guard let address = IPAddress(inside), inside.contains(":") else {
                throw Fault("The text in brackets is no IPv6 address.")
            }
            host = address.description
            isBracketed = true
            let after = authority[authority.index(after: close)...]
            guard after.isEmpty || after.hasPrefix(":") else {
                throw Fault("After the brackets only a port may follow.")
            }
            portText = after.isEmpty ? nil : after.dropFirst()
        } else {
            let parts = authority.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
            host = parts.first?.lowercased() ?? ""
            isBracketed = false
            portText = parts.count == 2 ? parts[1] : nil
            guard (1...253).contains(host.utf8.count), host.utf8.allSatisfy(Self.isHostByte), !host.hasPrefix("."),
                !host.contains("..")
            else { throw Fault("The URL names no valid host.") }
        }
        if let portText {
            guard (1...5).contains(portText.utf8.count), portText.utf8.allSatisfy({ (0x30...0x39).contains($0) }),
                let port = Int(portText), (1...65_535).contains(port)
            else { throw Fault("The port is a number from 1 to 65535.") }
            self.port = port
        } else {
            port = isSecure ? 443 : 80
        }
        description = text
    }

    /// The value of the `host` header.
    var hostHeader: String {
        let name = isBracketed && host.contains(":") ? "[\(host)]" : host
        return port == (isSecure ? 443 : 80) ? name : "\(name):\(port)"
    }

    private static let neverInURL = Set("\"<>\\^`{|}".utf8)

    private static func isHostByte(_ byte: UInt8) -> Bool {
        (0x30...0x39).contains(byte) || (0x61...0x7A).contains(byte) || byte == UInt8(ascii: "-")
            || byte == UInt8(ascii: ".")
            || byte == UInt8(ascii: "_")
    }

    /// Why a text is no URL that can be called.
    public struct Fault: Error, Sendable, Hashable, CustomStringConvertible {
        /// One sentence.
        public let description: String

        /// Makes a fault.
        init(_ description: String) { self.description = description }
    }
}
