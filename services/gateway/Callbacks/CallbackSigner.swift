import Cryptography
import Foundation
public import Messaging

/// Signs callbacks as Standard Webhooks 1.0.0 says: HMAC-SHA256 over `id.timestamp.body` with the decoded secret.
public struct CallbackSigner: Sendable, CustomStringConvertible {
    private let key: [UInt8]

    /// Makes a signer.
    ///
    /// - Parameter secret: `whsec_` and the base64 text of 24…64 random bytes; white space around it is ignored. `nil` comes back
    ///   for anything else.
    public init?(secret: String) {
        let text = secret.trimmingCharacters(in: .whitespacesAndNewlines)
        guard text.hasPrefix("whsec_"), let bytes = Data(base64Encoded: String(text.dropFirst(6))),
            (24...64).contains(bytes.count)
        else { return nil }
        key = [UInt8](bytes)
    }

    /// Without the key.
    public var description: String { "whsec_…" }

    /// The three headers of one attempt.
    public func headers(id: String, body: [UInt8], at now: Timestamp) -> [(name: String, value: String)] {
        let seconds = String(now.millisecondsSinceEpoch / 1000)
        let code = HMACSHA256.code(for: Array("\(id).\(seconds).".utf8) + body, key: key)
        let signature = "v1," + Data(code).base64EncodedString()
        return [("webhook-id", id), ("webhook-timestamp", seconds), ("webhook-signature", signature)]
    }
}
