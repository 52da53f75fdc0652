import Cryptography
import Foundation

/// An Ed25519 key that signs (`v1a`), `whsk_` and base64 of 64 bytes: seed and public key.
///
/// The specification leaves open what `whsk_` holds; 64 bytes are written, 32 (the seed alone) are read too.
public struct WebhookSigningKey: Sendable, CustomStringConvertible {
    let seed: [UInt8]
    /// What the receiver verifies with.
    public let publicKey: WebhookPublicKey

    /// Makes a key from its seed of 32 bytes; `nil` for any other length.
    public init?(seed: [UInt8]) {
        guard let raw = Ed25519.publicKey(ofSeed: seed) else { return nil }
        self.seed = seed
        publicKey = WebhookPublicKey(raw: raw)
    }

    /// Reads `whsk_…`; `nil` for anything else, also when seed and public key do not fit.
    public init?(_ text: String) {
        guard text.hasPrefix("whsk_"), let bytes = Data(base64Encoded: String(text.dropFirst(5))),
            bytes.count == 32 || bytes.count == 64
        else { return nil }
        self.init(seed: [UInt8](bytes.prefix(32)))
        guard bytes.count == 32 || [UInt8](bytes.suffix(32)) == publicKey.raw else { return nil }
    }

    /// A new key.
    public static func generate() -> WebhookSigningKey {
        // `nil` stands for a wrong length, and the length is right.
        guard let key = WebhookSigningKey(seed: randomBytes(Ed25519.seedSize)) else {
            fatalError("A seed of the right length was refused.")
        }
        return key
    }

    /// The text form, a secret.
    public var text: String { "whsk_" + Data(seed + publicKey.raw).base64EncodedString() }

    public var description: String { "whsk_…" }

    /// The signature of some content, 64 bytes; `nil` only when the library refuses the key.
    func signature(for content: [UInt8]) -> [UInt8]? { Ed25519.signature(of: content, seed: seed) }
}

/// The public half of a ``WebhookSigningKey``: `whpk_` and base64 of 32 bytes.
public struct WebhookPublicKey: Sendable, Hashable, CustomStringConvertible {
    let raw: [UInt8]

    init(raw: [UInt8]) { self.raw = raw }

    /// Reads `whpk_…`; `nil` for anything else.
    public init?(_ text: String) {
        guard text.hasPrefix("whpk_"), let bytes = Data(base64Encoded: String(text.dropFirst(5))), bytes.count == 32
        else {
            return nil
        }
        raw = [UInt8](bytes)
    }

    /// The text form.
    public var description: String { "whpk_" + Data(raw).base64EncodedString() }

    func accepts(_ signature: [UInt8], for content: [UInt8]) -> Bool {
        Ed25519.isValid(signature, of: content, publicKey: raw)
    }
}
