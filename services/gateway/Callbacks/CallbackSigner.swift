import Crypto
import Foundation
public import Messaging

/// Signs callbacks as Standard Webhooks 1.0.0 says: HMAC-SHA256 over `id.timestamp.body` with the decoded secret.
public struct CallbackSigner: Sendable {
    private let key: SymmetricKey

    /// Makes a signer.
    ///
    /// - Parameter secret: `whsec_` and the base64 text of 24…64 random bytes; white space around it is ignored. `nil` comes back
    ///   for anything else.
    public init?(secret: String) {
        let text = secret.trimmingCharacters(in: .whitespacesAndNewlines)
        guard text.hasPrefix("whsec_"), let bytes = Data(base64Encoded: String(text.dropFirst(6))),
            (24...64).contains(bytes.count)
        else { return nil }
        key = SymmetricKey(data: bytes)
    }

    /// The three headers of one attempt.
    public func headers(id: String, body: [UInt8], at now: Timestamp) -> [(name: String, value: String)] {
        let seconds = String(now.millisecondsSinceEpoch / 1000)
        var hmac = HMAC<SHA256>(key: key)
        hmac.update(data: Array("\(id).\(seconds).".utf8))
        hmac.update(data: body)
        let signature = "v1," + Data(hmac.finalize()).base64EncodedString()
        return [("webhook-id", id), ("webhook-timestamp", seconds), ("webhook-signature", signature)]
    }
}
