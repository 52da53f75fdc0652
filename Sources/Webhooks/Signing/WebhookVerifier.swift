import Cryptography
import Foundation
public import Messaging

/// Verifies what a sender of Standard Webhooks 1.0.0 sent. Signatures are compared in constant time.
///
/// ```swift
/// let verifier = WebhookVerifier(secrets: [try WebhookSecret("whsec_…")])
/// switch verifier.verify(headers: headers, body: bytes, at: SystemClock().now()) {
/// case .success(let webhook): // seen webhook.id before? then answer 200 and do nothing
/// case .failure(let rejection): // answer 401; rejection.explanation says why
/// }
/// ```
public struct WebhookVerifier: Sendable {
    /// How far a timestamp may be from the present in both directions, unless said otherwise: 5 minutes, as the reference libraries.
    public static let tolerance: Duration = .seconds(300)
    /// The most signatures of one header that are looked at.
    public static let maximumSignatures = 16

    private let secrets: [WebhookSecret]
    private let publicKeys: [WebhookPublicKey]
    private let toleranceSeconds: Int64

    /// Makes a verifier; a message is good when any of the keys signed it.
    public init(
        secrets: [WebhookSecret],
        publicKeys: [WebhookPublicKey] = [],
        tolerance: Duration = WebhookVerifier.tolerance
    ) {
        self.secrets = secrets
        self.publicKeys = publicKeys
        toleranceSeconds = tolerance.components.seconds
    }

    /// Verifies a request.
    ///
    /// - Parameters:
    ///   - headers: all headers; names in any case.
    ///   - body: the bytes exactly as they came, before any parsing.
    public func verify(
        headers: [(name: String, value: String)],
        body: [UInt8],
        at now: Timestamp
    ) -> Result<VerifiedWebhook, WebhookRejection> {
        var values: [String: String] = [:]
        for (name, value) in headers {
            let name = name.lowercased()
            guard name.hasPrefix("webhook-") else { continue }
            if values.updateValue(value, forKey: name) != nil, Self.required.contains(name) {
                return .failure(.init(.repeatedHeader, "The header \(name) came more than once."))
            }
        }
        for name in Self.required where values[name] == nil {
            return .failure(.init(.missingHeader, "The header \(name) is missing."))
        }
        return verify(
            id: values["webhook-id"] ?? "",
            timestamp: values["webhook-timestamp"] ?? "",
            signatures: values["webhook-signature"] ?? "",
            body: body,
            at: now
        )
    }

    /// Verifies the three values by themselves.
    public func verify(
        id: String,
        timestamp: String,
        signatures: String,
        body: [UInt8],
        at now: Timestamp
    ) -> Result<VerifiedWebhook, WebhookRejection> {
        guard WebhookRules.isID(id) else {
            return .failure(.init(.invalidID, "webhook-id must be 1 to 128 visible ASCII characters without a point."))
        }
        guard (1...18).contains(timestamp.utf8.count), timestamp.utf8.allSatisfy({ (0x30...0x39).contains($0) }),
            let seconds = Int64(timestamp)
        else {
            return .failure(.init(.invalidTimestamp, "webhook-timestamp must be whole seconds since 1970, in digits."))
        }
        let content = WebhookSigner.content(id: id, timestamp: timestamp, body: body)
        let tokens = signatures.split(separator: " ").prefix(Self.maximumSignatures)
        switch matches(tokens, content) {
        case .some(true): break
        case .some(false): return .failure(mismatch(tokens, id: id, timestamp: timestamp, body: body))
        case .none:
            return .failure(
                .init(
                    .noUsableSignature,
                    "webhook-signature holds no signature that these keys can check: \(publicKeys.isEmpty ? "v1," : "v1, or v1a,") and base64."
                )
            )
        }
        // After the signature, so that the answer tells a forger nothing about clocks.
        let age = now.millisecondsSinceEpoch / 1000 - seconds
        guard age <= toleranceSeconds, age >= -toleranceSeconds else { return .failure(clock(age, timestamp)) }
        return .success(VerifiedWebhook(id: id, sentAt: Timestamp(millisecondsSinceEpoch: seconds * 1000)))
    }

    private static let required = ["webhook-id", "webhook-timestamp", "webhook-signature"]

    /// Whether one of the tokens fits; `nil` when none could be looked at.
    private func matches(_ tokens: some Sequence<Substring>, _ content: [UInt8]) -> Bool? {
        var looked = false
        var isValid = false
        for token in tokens {
            if token.hasPrefix("v1,"), !secrets.isEmpty, let code = Data(base64Encoded: String(token.dropFirst(3))) {
                looked = true
                for secret in secrets where HMACSHA256.isValid([UInt8](code), for: content, key: secret.key) {
                    isValid = true
                }
            } else if token.hasPrefix("v1a,"), let signature = Data(base64Encoded: String(token.dropFirst(4))) {
                for key in publicKeys {
                    looked = true
                    if key.accepts([UInt8](signature), for: content) { isValid = true }
                }
            }
        }
        return looked ? isValid : nil
    }

    private func clock(_ age: Int64, _ timestamp: String) -> WebhookRejection {
        if timestamp.utf8.count >= 12 {
            return .init(.invalidTimestamp, "webhook-timestamp looks like milliseconds; it is in seconds.")
        }
        if age > 0 {
            return .init(
                .tooOld,
                "It was signed \(age) s ago; at most \(toleranceSeconds) s are accepted. It is a replay, or a clock is wrong."
            )
        }
        return .init(
            .tooNew,
            "It was signed \(-age) s in the future; at most \(toleranceSeconds) s are accepted. A clock is wrong."
        )
    }

    /// Finds the usual reasons by trying them.
    private func mismatch(
        _ tokens: some Sequence<Substring>,
        id: String,
        timestamp: String,
        body: [UInt8]
    ) -> WebhookRejection {
        let content = WebhookSigner.content(id: id, timestamp: timestamp, body: body)
        let given = Set(
            tokens.filter { $0.hasPrefix("v1,") }.compactMap { Data(base64Encoded: String($0.dropFirst(3))) }
        )
        func fits(_ key: [UInt8], _ content: [UInt8]) -> Bool {
            given.contains(Data(HMACSHA256.code(for: content, key: key)))
        }
        for secret in secrets {
            if fits(Array(secret.text.utf8), content) || fits(Array(secret.text.dropFirst(6).utf8), content) {
                return .init(
                    .textUsedAsKey,
                    "The sender used the text of the secret as the key. The key is the base64 after whsec_, decoded."
                )
            }
            for (variant, sentence) in BodyVariants.of(body)
            where fits(secret.key, WebhookSigner.content(id: id, timestamp: timestamp, body: variant)) {
                return .init(.bodyChanged, sentence)
            }
        }
        return .init(
            .mismatch,
            "No signature fits. The secret is another endpoint's or was rotated, or the body is not the bytes that were sent."
        )
    }
}

/// A request whose signature holds.
public struct VerifiedWebhook: Sendable, Hashable {
    /// The same on every attempt for one event: the key by which a receiver absorbs duplicates.
    public let id: String
    /// When this attempt was signed.
    public let sentAt: Timestamp
}

/// Why a request is not accepted.
public struct WebhookRejection: Error, Sendable, Hashable, CustomStringConvertible {
    /// The closed set of reasons.
    public enum Code: String, Sendable, CaseIterable {
        case missingHeader = "missing-header", repeatedHeader = "repeated-header", invalidID = "invalid-id"
        case invalidTimestamp = "invalid-timestamp", tooOld = "too-old", tooNew = "too-new"
        case noUsableSignature = "no-usable-signature", textUsedAsKey = "text-used-as-key", bodyChanged = "body-changed"
        case mismatch
    }

    /// The reason.
    public let code: Code
    /// The reason in a sentence, with what to do. For the person who sets the receiver up, not for the sender.
    public let explanation: String

    init(_ code: Code, _ explanation: String) {
        self.code = code
        self.explanation = explanation
    }

    public var description: String { "\(code.rawValue): \(explanation)" }
}

/// Rules about values of the three headers.
enum WebhookRules {
    static func isID(_ id: String) -> Bool {
        (1...128).contains(id.utf8.count)
            && id.utf8.allSatisfy { (0x21...0x7E).contains($0) && $0 != UInt8(ascii: ".") }
    }
}
