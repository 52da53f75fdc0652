import ArgumentParser
import Foundation
import Messaging
import StrictJSON
import Terminal
import Webhooks

/// `waybill webhook verify`
struct WebhookVerifyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify",
        abstract: "Check a signature, and say why it does not fit.",
        discussion: """
            The body is read from standard input, byte for byte. A public key (whpk_…) verifies v1a signatures.

            Example:
              waybill webhook verify --secret whsec_… --id msg_1 --timestamp 1700000000 --signature v1,… --any-time < body.json
            """
    )
    @Option(name: .long, help: "The endpoint's secret, whsec_…, or its public key, whpk_….") var secret: String
    @Option(name: .long, help: "The header webhook-id.") var id: String
    @Option(name: .long, help: "The header webhook-timestamp.") var timestamp: String
    @Option(name: .long, help: "The header webhook-signature.") var signature: String
    @Flag(name: .long, help: "Do not mind that it was long ago.") var anyTime = false
    @OptionGroup var common: CommonOptions

    func run() async throws {
        let verifier: WebhookVerifier
        if let key = WebhookPublicKey(secret) {
            verifier = WebhookVerifier(secrets: [], publicKeys: [key])
        } else {
            verifier = WebhookVerifier(secrets: [try WebhookSecret.typed(secret)])
        }
        let body = try StandardInput.bytes()
        let now = anyTime ? Int64(timestamp).map { Timestamp(millisecondsSinceEpoch: $0 &* 1000) } : nil
        let verdict = verifier.verify(
            headers: [("webhook-id", id), ("webhook-timestamp", timestamp), ("webhook-signature", signature)],
            body: body,
            at: now ?? SystemClock().now()
        )
        switch verdict {
        case .success:
            common.json
                ? JSONOutput.print(.object(["valid": true]))
                : Console.print(Console.colored("The signature is good.", .good))
        case .failure(let rejection):
            if common.json {
                JSONOutput.print(
                    .object([
                        "valid": false, "code": .string(rejection.code.rawValue),
                        "explanation": .string(rejection.explanation),
                    ])
                )
            }
            throw CommandEnd.no(common.json ? "" : rejection.explanation)
        }
    }
}

/// `waybill webhook sign`
struct WebhookSignCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sign",
        abstract: "Print the headers that a sender would put on a body.",
        discussion: """
            The body is read from standard input, byte for byte. A signing key (whsk_…) makes a v1a signature.

            Example:
              waybill webhook sign --secret whsec_… --id msg_1 < body.json
            """
    )
    @Option(name: .long, help: "The secret, whsec_…, or a signing key, whsk_….") var secret: String
    @Option(name: .long, help: "The header webhook-id.") var id: String
    @Option(name: .long, help: "Seconds since 1970; now unless given.") var timestamp: Int64?
    @OptionGroup var common: CommonOptions

    func run() async throws {
        guard (1...128).contains(id.utf8.count), id.utf8.allSatisfy({ (0x21...0x7E).contains($0) && $0 != 0x2E }) else {
            throw CommandEnd.failed("An id is 1 to 128 visible ASCII characters without a point.")
        }
        let signer: WebhookSigner
        if let key = WebhookSigningKey(secret) {
            signer = WebhookSigner(secrets: [], signingKey: key)
        } else {
            signer = WebhookSigner(secrets: [try WebhookSecret.typed(secret)])
        }
        let seconds = timestamp ?? SystemClock().now().millisecondsSinceEpoch / 1000
        let body = try StandardInput.bytes()
        let headers = [
            ("webhook-id", id), ("webhook-timestamp", String(seconds)),
            ("webhook-signature", signer.signatures(id: id, timestamp: seconds, body: body)),
        ]
        if common.json { return JSONOutput.print(.object(JSONObject(headers.map { JSONMember($0.0, .string($0.1)) }))) }
        for (name, value) in headers { Console.print("\(name): \(value)") }
    }
}

extension WebhookSecret {
    /// A secret that a person typed.
    static func typed(_ text: String) throws(CommandEnd) -> WebhookSecret {
        do throws(Fault) {
            return try WebhookSecret(text)
        } catch {
            throw .failed("The secret cannot be used: \(error)")
        }
    }
}
