import Crypto
import Foundation
public import Messaging

/// Verifies callbacks as Standard Webhooks 1.0.0 says: HMAC-SHA256 over `id.timestamp.body`, any of the signatures of the header,
/// compared in constant time, not older or newer than five minutes.
public struct CallbackVerifier: Sendable {
    /// How far a timestamp may be from the present, in seconds, in both directions.
    public static let tolerance: Int64 = 300
    /// The most signatures of one header that are looked at.
    static let maximumSignatures = 8

    private let key: SymmetricKey

    /// Makes a verifier.
    ///
    /// - Parameter secret: `whsec_` and the base64 text of 24…64 bytes; white space around it is ignored. `nil` for anything else.
    public init?(secret: String) {
        let text = secret.trimmingCharacters(in: .whitespacesAndNewlines)
        guard text.hasPrefix("whsec_"), let bytes = Data(base64Encoded: String(text.dropFirst(6))),
            (24...64).contains(bytes.count)
        else { return nil }
        key = SymmetricKey(data: bytes)
    }

    /// Whether the three headers fit the body and the time.
    public func accepts(id: String, timestamp: String, signatures: String, body: [UInt8], at now: Timestamp) -> Bool {
        guard (1...128).contains(id.utf8.count),
            id.utf8.allSatisfy({ (0x21...0x7E).contains($0) && $0 != UInt8(ascii: ".") }),
            (1...15).contains(timestamp.utf8.count), timestamp.utf8.allSatisfy({ (0x30...0x39).contains($0) }),
            let seconds = Int64(timestamp), abs(now.millisecondsSinceEpoch / 1000 - seconds) <= Self.tolerance
        else { return false }
        let content = Array("\(id).\(timestamp).".utf8) + body
        var isValid = false
        for signature in signatures.split(separator: " ").prefix(Self.maximumSignatures)
        where signature.hasPrefix("v1,") {
            guard let code = Data(base64Encoded: String(signature.dropFirst(3))) else { continue }
            // Compares in constant time (swift-crypto).
            if HMAC<SHA256>.isValidAuthenticationCode(code, authenticating: content, using: key) { isValid = true }
        }
        return isValid
    }
}
