// Verifies Waybill's webhooks (Standard Webhooks 1.0.0) with swift-crypto, or CryptoKit on Apple's systems.
import Crypto
import Foundation

/// Why a request is not accepted.
enum VerificationFault: Error {
    case badSecret, badHeaders, noSignatureFits, tooOldOrTooNew
}

/// Verifies a request and returns the webhook's id, by which duplicates are found.
///
/// - Parameters:
///   - secret: `whsec_…`
///   - headers: names in lower case.
///   - body: the bytes exactly as they came.
func verifyWebhook(
    secret: String,
    headers: [String: String],
    body: Data,
    now: Date = Date(),
    tolerance: TimeInterval = 300
) throws -> String {
    // The key is what the base64 stands for, not the text.
    guard secret.hasPrefix("whsec_"), let key = Data(base64Encoded: String(secret.dropFirst(6))) else {
        throw VerificationFault.badSecret
    }
    guard let id = headers["webhook-id"], let timestamp = headers["webhook-timestamp"], let seconds = UInt32(timestamp),
        let signatures = headers["webhook-signature"]
    else { throw VerificationFault.badHeaders }
    let content = Data("\(id).\(timestamp).".utf8) + body
    // One token per key that is valid; each is compared in constant time.
    let fits = signatures.split(separator: " ").contains { token in
        guard token.hasPrefix("v1,"), let code = Data(base64Encoded: String(token.dropFirst(3))) else { return false }
        return HMAC<SHA256>.isValidAuthenticationCode(code, authenticating: content, using: SymmetricKey(data: key))
    }
    guard fits else { throw VerificationFault.noSignatureFits }
    guard abs(now.timeIntervalSince1970 - Double(seconds)) <= tolerance else { throw VerificationFault.tooOldOrTooNew }
    return id
}
