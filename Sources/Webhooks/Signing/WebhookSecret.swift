import Cryptography
import Foundation

/// The shared key of an endpoint, `whsec_` and base64 (Standard Webhooks 1.0.0, "Signature scheme").
///
/// The HMAC key is what the base64 stands for, never the text. Describing a secret does not show it.
public struct WebhookSecret: Sendable, Hashable, CustomStringConvertible {
    /// The text that is handed to the receiver.
    public let text: String
    /// The key, 24…64 bytes.
    let key: [UInt8]

    /// How every secret begins.
    public static let prefix = "whsec_"
    /// The permitted lengths of a key, in bytes.
    public static let keyLengths = 24...64

    /// Reads a secret; white space around it is ignored.
    /// - Throws: ``Fault`` that says what is wrong, also for the common mistakes.
    public init(_ text: String) throws(Fault) {
        let trimmed = text.trimmingCharacters(in: .whitespacesAndNewlines)
        guard !trimmed.hasPrefix("v1," + Self.prefix) else { throw .signaturePrefix }
        guard !trimmed.hasPrefix("whpk_"), !trimmed.hasPrefix("whsk_") else { throw .otherKind }
        guard trimmed.hasPrefix(Self.prefix) else { throw .prefixMissing }
        guard trimmed.utf8.count <= 128, let bytes = Data(base64Encoded: String(trimmed.dropFirst(Self.prefix.count)))
        else {
            throw .notBase64
        }
        guard Self.keyLengths.contains(bytes.count) else { throw .length(bytes.count) }
        self.text = trimmed
        key = [UInt8](bytes)
    }

    /// Makes a secret from a key.
    /// - Throws: ``Fault/length(_:)`` unless it has 24…64 bytes.
    public init(key: [UInt8]) throws(Fault) {
        guard Self.keyLengths.contains(key.count) else { throw .length(key.count) }
        text = Self.prefix + Data(key).base64EncodedString()
        self.key = key
    }

    /// A new secret of 32 bytes.
    public static func generate() -> WebhookSecret {
        let key = randomBytes(32)
        return WebhookSecret(text: prefix + Data(key).base64EncodedString(), key: key)
    }

    private init(text: String, key: [UInt8]) {
        self.text = text
        self.key = key
    }

    public var description: String { Self.prefix + "…" }

    /// Why a text is no secret.
    public enum Fault: Error, Sendable, Hashable, CustomStringConvertible {
        /// It begins with `v1,`.
        case signaturePrefix
        /// It is an Ed25519 key.
        case otherKind
        /// It does not begin with `whsec_`.
        case prefixMissing
        /// What follows is no padded base64.
        case notBase64
        /// The key has this many bytes.
        case length(Int)

        public var description: String {
            switch self {
            case .signaturePrefix:
                "The secret begins with v1,: that is how a signature begins. Remove it; a secret begins with whsec_."
            case .otherKind: "This is an Ed25519 key (v1a); a shared secret begins with whsec_."
            case .prefixMissing: "A secret begins with whsec_."
            case .notBase64: "After whsec_ follows standard base64 with padding, which this is not."
            case .length(let count): "The key has \(count) bytes; it must have 24 to 64."
            }
        }
    }
}
