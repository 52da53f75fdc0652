public import Commerce
import Cryptography
import StrictJSON

/// What a customer asks for.
public struct PlacementRequest: Codable, Sendable, Hashable {
    /// Who orders.
    public let customer: CustomerID
    /// Stands for the card that pays.
    public let card: CardToken
    /// What is ordered.
    public let lines: [OrderedItem]

    /// Makes a request.
    public init(customer: CustomerID, card: CardToken, lines: [OrderedItem]) {
        self.customer = customer
        self.card = card
        self.lines = lines
    }

    /// SHA-256 of the canonical form: two requests that say the same have the same, however they are spaced and ordered.
    func fingerprint() throws -> [UInt8] {
        SHA256.hash(try StrictJSON.encode(self)).bytes
    }
}

/// What makes a request safe to repeat: 1…255 printable ASCII characters, chosen by the client.
public struct IdempotencyKey: Sendable, Hashable {
    /// The key.
    public let text: String

    /// The most characters.
    public static let maximumLength = 255

    /// Makes a key; `nil` when the text is none.
    public init?(_ text: String) {
        guard (1...Self.maximumLength).contains(text.utf8.count), text.utf8.allSatisfy({ (0x20...0x7E).contains($0) })
        else { return nil }
        self.text = text
    }
}
