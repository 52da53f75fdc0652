import HTTPKit
import Terminal
import Webhooks

/// Passes requests on to another receiver on this machine, as they came: the signature stays good.
struct Forwarder: Sendable {
    /// What the other receiver answered; 502 when it could not be asked.
    struct Reply: Sendable {
        let status: Int
        let retryAfter: Int?
    }

    private let url: String
    private let sender = HTTPSender()

    /// Headers of the connection to us, which say nothing about the one to the other receiver.
    private static let ownHeaders: Set<String> = ["host", "content-length", "connection", "transfer-encoding"]

    init(_ url: String) throws {
        guard (try? WebhookURL(url)) != nil else {
            throw CommandEnd.failed("--forward-to needs an http or https URL.")
        }
        self.url = url
    }

    func pass(headers: [(name: String, value: String)], body: [UInt8]) async -> Reply {
        let result = await sender.send(
            "POST",
            url: url,
            headers: headers.filter { !Self.ownHeaders.contains($0.name.lowercased()) }.map { ($0.name, $0.value) },
            body: body,
            deadline: .seconds(14)
        )
        switch result {
        case .success(let reply):
            return Reply(status: reply.status, retryAfter: reply.header("retry-after").flatMap { Int($0) })
        case .failure(let failure):
            Console.error("\(url) cannot be reached (\(failure)).")
            return Reply(status: 502, retryAfter: nil)
        }
    }

    func close() async { await sender.shutdown() }
}
