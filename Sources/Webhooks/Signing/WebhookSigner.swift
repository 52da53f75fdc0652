import Cryptography
import Foundation

/// Signs a request: what goes into `webhook-signature` (Standard Webhooks 1.0.0).
public struct WebhookSigner: Sendable {
    private let secrets: [WebhookSecret]
    private let signingKey: WebhookSigningKey?

    /// Makes a signer.
    ///
    /// - Parameters:
    ///   - secrets: every key that is valid now, the newest first; each signs.
    ///   - signingKey: signs as `v1a` beside them.
    public init(secrets: [WebhookSecret], signingKey: WebhookSigningKey? = nil) {
        self.secrets = secrets
        self.signingKey = signingKey
    }

    /// The value of `webhook-signature`: one token per key, separated by single spaces.
    ///
    /// - Parameters:
    ///   - id: the value of `webhook-id`; must not contain a point.
    ///   - timestamp: the value of `webhook-timestamp`: seconds since the epoch of **this** attempt.
    ///   - body: the bytes exactly as they are sent.
    public func signatures(id: String, timestamp: Int64, body: [UInt8]) -> String {
        let content = Self.content(id: id, timestamp: String(timestamp), body: body)
        var tokens = secrets.map { "v1," + Self.base64(HMACSHA256.code(for: content, key: $0.key)) }
        if let signature = signingKey?.signature(for: content) { tokens.append("v1a," + Self.base64(signature)) }
        return tokens.joined(separator: " ")
    }

    /// `id.timestamp.body`, what is signed.
    static func content(id: String, timestamp: String, body: [UInt8]) -> [UInt8] {
        var content: [UInt8] = []
        content.reserveCapacity(id.utf8.count + timestamp.utf8.count + 2 + body.count)
        content.append(contentsOf: id.utf8)
        content.append(UInt8(ascii: "."))
        content.append(contentsOf: timestamp.utf8)
        content.append(UInt8(ascii: "."))
        content.append(contentsOf: body)
        return content
    }

    private static func base64(_ bytes: [UInt8]) -> String { Data(bytes).base64EncodedString() }
}
