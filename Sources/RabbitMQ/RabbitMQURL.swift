/// Why a text is not a usable AMQP URL. Never contains the text itself, which may hold a password.
public enum RabbitMQURLError: Error, Sendable, Hashable, CustomStringConvertible {
    /// The scheme is not `amqp`.
    case unknownScheme
    /// `amqps` was asked for; this client speaks plain TCP only (loopback, a private network or a TLS tunnel).
    case tlsNotSupported
    /// There is no host.
    case missingHost
    /// The port is not a number from 1 to 65535.
    case invalidPort
    /// A `%` is not followed by two hexadecimal digits, or the decoded bytes are not UTF-8.
    case invalidPercentEncoding
    /// A part contains a character that may not be there (a NUL, a second slash, a question mark, a fragment).
    case invalidCharacter

    /// One sentence for people.
    public var description: String {
        switch self {
        case .unknownScheme: return "the AMQP URL must start with amqp://"
        case .tlsNotSupported: return "amqps:// is not supported; use amqp:// over loopback or a TLS tunnel"
        case .missingHost: return "the AMQP URL has no host"
        case .invalidPort: return "the port of the AMQP URL is not a number from 1 to 65535"
        case .invalidPercentEncoding: return "the AMQP URL has a broken percent-encoding"
        case .invalidCharacter: return "the AMQP URL contains a character that may not be there"
        }
    }
}

extension RabbitMQConfiguration {
    /// Parses `amqp://user:password@host:port/vhost` (RabbitMQ URI specification).
    ///
    /// User, password, host and virtual host are percent-decoded. Missing parts: user and password `guest`, port 5672,
    /// virtual host `/`. `amqp://host/` names the virtual host with the empty name. IPv6 addresses stand in brackets.
    ///
    /// - Throws: ``RabbitMQURLError``; no part of the URL appears in it.
    public init(url: String) throws(RabbitMQURLError) {
        let bytes = Array(url.utf8)
        guard !bytes.contains(0) else { throw .invalidCharacter }
        let rest: ArraySlice<UInt8>
        if let after = Self.drop("amqp://", from: bytes) {
            rest = after
        } else {
            throw Self.drop("amqps://", from: bytes) != nil ? .tlsNotSupported : .unknownScheme
        }
        let slash = rest.firstIndex(of: UInt8(ascii: "/"))
        let authority = rest[..<(slash ?? rest.endIndex)]
        guard !authority.contains(UInt8(ascii: "?")), !authority.contains(UInt8(ascii: "#")) else {
            throw .invalidCharacter
        }

        var user = "guest"
        var password = "guest"
        var hostAndPort = authority
        if let at = authority.lastIndex(of: UInt8(ascii: "@")) {
            let credentials = authority[..<at]
            hostAndPort = authority[(at + 1)...]
            if let colon = credentials.firstIndex(of: UInt8(ascii: ":")) {
                user = try Self.percentDecoded(credentials[..<colon])
                password = try Self.percentDecoded(credentials[(colon + 1)...])
            } else {
                user = try Self.percentDecoded(credentials)
            }
        }

        var hostBytes = hostAndPort
        var portBytes: ArraySlice<UInt8>?
        if hostAndPort.first == UInt8(ascii: "[") {
            guard let end = hostAndPort.firstIndex(of: UInt8(ascii: "]")) else { throw .missingHost }
            hostBytes = hostAndPort[(hostAndPort.startIndex + 1)..<end]
            let after = hostAndPort[(end + 1)...]
            if let first = after.first {
                guard first == UInt8(ascii: ":") else { throw .invalidCharacter }
                portBytes = after.dropFirst()
            }
        } else if let colon = hostAndPort.firstIndex(of: UInt8(ascii: ":")) {
            hostBytes = hostAndPort[..<colon]
            portBytes = hostAndPort[(colon + 1)...]
        }
        let host = try Self.percentDecoded(hostBytes)
        guard !host.isEmpty else { throw .missingHost }
        var port: UInt16 = 5_672
        if let portBytes {
            guard !portBytes.isEmpty, portBytes.allSatisfy({ (0x30...0x39).contains($0) }),
                let number = UInt16(String(decoding: portBytes, as: UTF8.self)), number > 0
            else { throw .invalidPort }
            port = number
        }

        var virtualHost = "/"
        if let slash {
            let path = rest[(slash + 1)...]
            guard !path.contains(where: { $0 == 0x2F || $0 == 0x3F || $0 == 0x23 }) else { throw .invalidCharacter }
            virtualHost = try Self.percentDecoded(path)
        }
        self.init(host: host, port: port, virtualHost: virtualHost, user: user, password: password)
    }

    private static func drop(_ prefix: String, from bytes: [UInt8]) -> ArraySlice<UInt8>? {
        let expected = Array(prefix.utf8)
        guard bytes.count >= expected.count else { return nil }
        // The scheme is case-insensitive (RFC 3986, section 3.1).
        for (index, byte) in expected.enumerated() where bytes[index] != byte && bytes[index] | 0x20 != byte {
            return nil
        }
        return bytes[expected.count...]
    }

    private static func percentDecoded(_ bytes: ArraySlice<UInt8>) throws(RabbitMQURLError) -> String {
        var decoded: [UInt8] = []
        decoded.reserveCapacity(bytes.count)
        var index = bytes.startIndex
        while index < bytes.endIndex {
            if bytes[index] == UInt8(ascii: "%") {
                guard bytes.endIndex - index > 2, let high = hexValue(bytes[index + 1]),
                    let low = hexValue(bytes[index + 2])
                else { throw .invalidPercentEncoding }
                decoded.append(high << 4 | low)
                index += 3
            } else {
                decoded.append(bytes[index])
                index += 1
            }
        }
        // The C library takes NUL-terminated texts: a NUL would cut one short.
        guard !decoded.contains(0) else { throw .invalidCharacter }
        guard let text = String(validating: decoded, as: UTF8.self) else { throw .invalidPercentEncoding }
        return text
    }

    private static func hexValue(_ byte: UInt8) -> UInt8? {
        switch byte {
        case 0x30...0x39: return byte - 0x30
        case 0x41...0x46: return byte - 0x41 + 10
        case 0x61...0x66: return byte - 0x61 + 10
        default: return nil
        }
    }
}
