/// Text that names one thing, checked when it is made. Two kinds of identifier never mix.
public protocol Identifier: Sendable, Hashable, Codable, CustomStringConvertible {
    /// The text.
    var text: String { get }
    /// Makes an identifier; `nil` when the text is not one.
    init?(_ text: String)
    /// What the text must be, for error messages: "must be …".
    static var rule: String { get }
}

extension Identifier {
    public var description: String { text }

    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        guard let value = Self(try container.decode(String.self)) else {
            throw DecodingError.dataCorruptedError(in: container, debugDescription: Self.rule)
        }
        self = value
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(text)
    }
}

/// Names an order: a UUID in canonical lower-case text.
public struct OrderID: Identifier {
    public let text: String
    public static let rule = "must be a UUID in lower case"

    public init?(_ text: String) {
        guard isCanonicalUUID(text) else { return nil }
        self.text = text
    }
}

/// Names a payment: a UUID in canonical lower-case text.
public struct PaymentID: Identifier {
    public let text: String
    public static let rule = "must be a UUID in lower case"

    public init?(_ text: String) {
        guard isCanonicalUUID(text) else { return nil }
        self.text = text
    }
}

/// Names an article in the catalogue: 1…32 capital letters, digits and hyphens, beginning with a letter or digit.
public struct SKU: Identifier, Comparable {
    public let text: String
    public static let rule = "must be 1 to 32 capital letters, digits or hyphens"

    public init?(_ text: String) {
        guard (1...32).contains(text.utf8.count), text.utf8.first != UInt8(ascii: "-"),
            text.utf8.allSatisfy({ (0x41...0x5A).contains($0) || (0x30...0x39).contains($0) || $0 == UInt8(ascii: "-") }
            )
        else { return nil }
        self.text = text
    }

    public static func < (lhs: SKU, rhs: SKU) -> Bool {
        lhs.text < rhs.text
    }
}

/// Names a customer: 1…64 letters, digits and `._@-`.
public struct CustomerID: Identifier {
    public let text: String
    public static let rule = "must be 1 to 64 letters, digits or . _ @ -"

    public init?(_ text: String) {
        guard isToken(text, upTo: 64) else { return nil }
        self.text = text
    }
}

/// Stands for a card; the card itself never reaches Waybill. 1…64 letters, digits and `._@-`.
public struct CardToken: Identifier {
    public let text: String
    public static let rule = "must be 1 to 64 letters, digits or . _ @ -"

    public init?(_ text: String) {
        guard isToken(text, upTo: 64) else { return nil }
        self.text = text
    }
}

private func isToken(_ text: String, upTo maximum: Int) -> Bool {
    (1...maximum).contains(text.utf8.count)
        && text.utf8.allSatisfy { byte in
            switch byte {
            case 0x30...0x39, 0x41...0x5A, 0x61...0x7A: true
            case UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "@"), UInt8(ascii: "-"): true
            default: false
            }
        }
}

private func isCanonicalUUID(_ text: String) -> Bool {
    var index = 0
    for byte in text.utf8 {
        switch index {
        case 8, 13, 18, 23:
            guard byte == UInt8(ascii: "-") else { return false }
        default:
            guard (0x30...0x39).contains(byte) || (0x61...0x66).contains(byte) else { return false }
        }
        index += 1
    }
    return index == 36
}
