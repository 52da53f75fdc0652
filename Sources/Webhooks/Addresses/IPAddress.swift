/// An IP address as a number.
public struct IPAddress: Sendable, Hashable, CustomStringConvertible {
    /// The bytes in network order: 4 or 16.
    let bytes: [UInt8]

    /// Makes an address from 4 or 16 bytes in network order; `nil` for any other number. `::ffff:a.b.c.d` becomes `a.b.c.d`.
    public init?(bytes: [UInt8]) {
        switch bytes.count {
        case 4: self.bytes = bytes
        case 16:
            let isMapped = bytes.prefix(10).allSatisfy { $0 == 0 } && bytes[10] == 0xFF && bytes[11] == 0xFF
            self.bytes = isMapped ? Array(bytes[12...]) : bytes
        default: return nil
        }
    }

    /// Reads `192.0.2.1`, or the text of an IPv6 address without brackets. No other spellings.
    public init?(_ text: String) {
        if let four = Self.four(text) {
            self.init(bytes: four)
        } else if let sixteen = Self.sixteen(text) {
            self.init(bytes: sixteen)
        } else {
            return nil
        }
    }

    /// Whether it has 16 bytes.
    public var isV6: Bool { bytes.count == 16 }

    public var description: String {
        guard isV6 else { return bytes.map(String.init).joined(separator: ".") }
        let groups = (0..<8).map { Int(bytes[2 * $0]) << 8 | Int(bytes[2 * $0 + 1]) }
        // RFC 5952: the longest run of zero groups, the first of equals, at least two.
        var best = (start: 0, length: 0)
        var start = 0
        while start < 8 {
            var end = start
            while end < 8, groups[end] == 0 { end += 1 }
            if end - start > best.length { best = (start, end - start) }
            start = max(end, start + 1)
        }
        func text(_ part: some Sequence<Int>) -> String { part.map { String($0, radix: 16) }.joined(separator: ":") }
        guard best.length >= 2 else { return text(groups) }
        return text(groups[..<best.start]) + "::" + text(groups[(best.start + best.length)...])
    }

    private static func four(_ text: String) -> [UInt8]? {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 4 else { return nil }
        var bytes: [UInt8] = []
        for part in parts {
            guard (1...3).contains(part.utf8.count), part.utf8.allSatisfy({ (0x30...0x39).contains($0) }),
                part == "0" || part.utf8.first != UInt8(ascii: "0"), let byte = UInt8(part)
            else { return nil }
            bytes.append(byte)
        }
        return bytes
    }

    private static func sixteen(_ text: String) -> [UInt8]? {
        guard text.utf8.count <= 45, text.contains(":") else { return nil }
        var head: [UInt8] = []
        var tail: [UInt8] = []
        var hasGap = false
        let halves = text.split(separator: "::", maxSplits: 2, omittingEmptySubsequences: false)
        guard halves.count <= 2 else { return nil }
        for (index, half) in halves.enumerated() {
            if index == 1 { hasGap = true }
            guard !half.isEmpty else { continue }
            let groups = half.split(separator: ":", omittingEmptySubsequences: false)
            var bytes: [UInt8] = []
            for (position, group) in groups.enumerated() {
                if index == halves.count - 1, position == groups.count - 1, group.contains(".") {
                    guard let embedded = four(String(group)) else { return nil }
                    bytes += embedded
                } else {
                    guard (1...4).contains(group.utf8.count), group.utf8.allSatisfy(isHexadecimal),
                        let value = UInt16(group, radix: 16)
                    else { return nil }
                    bytes += [UInt8(value >> 8), UInt8(value & 0xFF)]
                }
            }
            if index == 0 { head = bytes } else { tail = bytes }
        }
        let count = head.count + tail.count
        guard hasGap ? count <= 14 : count == 16 else { return nil }
        return head + [UInt8](repeating: 0, count: 16 - count) + tail
    }

    private static func isHexadecimal(_ byte: UInt8) -> Bool {
        (0x30...0x39).contains(byte) || (0x41...0x46).contains(byte) || (0x61...0x66).contains(byte)
    }
}

/// A block of addresses: `10.0.0.0/8`, `fe80::/10`.
public struct AddressBlock: Sendable, Hashable, CustomStringConvertible {
    let base: IPAddress
    let prefix: Int

    /// Reads `address/prefix`, or an address alone; `nil` for anything else.
    public init?(_ text: String) {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count <= 2, let first = parts.first, let base = IPAddress(String(first)) else { return nil }
        let longest = base.bytes.count * 8
        guard parts.count == 2 else {
            self.base = base
            prefix = longest
            return
        }
        guard (1...3).contains(parts[1].utf8.count), let prefix = Int(parts[1]), (0...longest).contains(prefix) else {
            return nil
        }
        self.base = base
        self.prefix = prefix
    }

    /// Whether an address lies in the block. Blocks of one family never hold addresses of the other.
    public func contains(_ address: IPAddress) -> Bool {
        guard address.bytes.count == base.bytes.count else { return false }
        let whole = prefix / 8
        guard address.bytes.prefix(whole) == base.bytes.prefix(whole) else { return false }
        let rest = prefix % 8
        guard rest > 0 else { return true }
        let mask = UInt8(truncatingIfNeeded: 0xFF00 >> rest)
        return address.bytes[whole] & mask == base.bytes[whole] & mask
    }

    public var description: String { "\(base)/\(prefix)" }
}
