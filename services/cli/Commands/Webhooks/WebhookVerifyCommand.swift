import ArgumentParser
import Foundation
import Messaging
import StrictJSON
import Webhooks

/// `waybill webhook verify`
struct WebhookVerifyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify",
        abstract: "Check a signature, and say why it does not fit.",
        discussion: """
            The body is read from standard input, byte for byte.

            Example:
              waybill webhook verify --secret whsec_… --id msg_1 --timestamp 1700000000 --signature v1,… --any-time < body.json
            """
    )
    @Option(name: .long, help: "The endpoint's secret.") var secret: String
    @Option(name: .long, help: "The header webhook-id.") var id: String
    @Option(name: .long, help: "The header webhook-timestamp.") var timestamp: String
    @Option(name: .long, help: "The header webhook-signature.") var signature: String
    @Flag(name: .long, help: "Do not mind that it was long ago.") var anyTime = false
    @OptionGroup var common: CommonOptions

    func run() async throws {
        let key: WebhookSecret
        do throws(WebhookSecret.Fault) {
            key = try WebhookSecret(secret)
        } catch {
            throw CommandEnd.failed("The secret cannot be used: \(error)")
        }
        let body = [UInt8](FileHandle.standardInput.readDataToEndOfFile())
        let now = anyTime ? Int64(timestamp).map { Timestamp(millisecondsSinceEpoch: $0 &* 1000) } : nil
        let verdict = WebhookVerifier(secrets: [key]).verify(
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
