import Messaging
import StrictJSON
import Synchronization
import Terminal
import Verification
import Webhooks

/// What the receiver has seen. Safe from any task.
final class ReceiverState: Sendable {
    private struct State {
        var verifier = WebhookVerifier(secrets: [])
        /// Never empty; the last one stays.
        var answers: [Answers.Item]
        var next = 0
        var left: Int?
        var seen: Set<String> = []
    }

    /// A request with what its signature is worth.
    struct Arrival: Sendable {
        let verdict: Result<VerifiedWebhook, WebhookRejection>
        let body: [UInt8]
        /// The event's, from the body, or in binary mode from the headers.
        let type: String
        let subject: String

        var id: String { (try? verdict.get())?.id ?? "" }
        var isVerified: Bool { (try? verdict.get()) != nil }
    }

    /// Ids that are remembered to tell a repetition; beyond it all are forgotten.
    private static let maximumSeen = 100_000

    private let state: Mutex<State>
    private let receipts: LineFile?
    private let ended = AsyncStream<Void>.makeStream()

    init(answers: [Answers.Item], limit: Int?, receipts: LineFile?) {
        state = Mutex(State(answers: answers, left: limit))
        self.receipts = receipts
    }

    func use(_ secret: String) throws {
        do throws(WebhookSecret.Fault) {
            let secret = try WebhookSecret(secret)
            state.withLock { $0.verifier = WebhookVerifier(secrets: [secret]) }
        } catch {
            throw CommandEnd.failed("The secret cannot be used: \(error)")
        }
    }

    func verify(headers: [(name: String, value: String)], body: [UInt8]) -> Arrival {
        let verifier = state.withLock { $0.verifier }
        let payload = (try? StrictJSON.parse(body)) ?? .null
        func attribute(_ name: String) -> String {
            let header = headers.first { $0.name.lowercased() == "ce-" + name }?.value
            return header ?? payload[name]?.shown ?? ""
        }
        return Arrival(
            verdict: verifier.verify(headers: headers, body: body, at: SystemClock().now()),
            body: body,
            type: attribute("type"),
            subject: attribute("subject")
        )
    }

    /// Notes a request and says what it is answered with.
    ///
    /// - Parameter given: what it was answered with by somebody else; `nil` to go on with the planned answers.
    func receive(_ arrival: Arrival, given: Answers.Item?, json: Bool) -> Answers.Item {
        let (answer, isRepeated) = state.withLock { state -> (Answers.Item, Bool) in
            if let left = state.left { state.left = left - 1 }
            guard arrival.isVerified else { return (.status(401, retryAfter: nil), false) }
            let item = given ?? state.answers[min(state.next, state.answers.count - 1)]
            state.next = min(state.next + 1, state.answers.count)
            guard item.isGood else { return (item, false) }
            if state.seen.count >= Self.maximumSeen { state.seen.removeAll() }
            return (item, !state.seen.insert(arrival.id).inserted)
        }
        // Written before the answer: what the sender believes delivered stands here.
        receipts?.write([
            "id": .string(arrival.id), "digest": .string(ContentDigest.text(of: arrival.body)),
            "verified": .bool(arrival.isVerified), "status": .integer(Int64(answer.status)),
        ])
        show(arrival, answer, note(arrival, answer, isRepeated, isForwarded: given != nil), isRepeated, json: json)
        if state.withLock({ $0.left.map { $0 <= 0 } ?? false }) { ended.continuation.finish() }
        return answer
    }

    func waitForLimit() async {
        for await _ in ended.stream {}
    }

    private func note(_ arrival: Arrival, _ answer: Answers.Item, _ isRepeated: Bool, isForwarded: Bool) -> String {
        switch arrival.verdict {
        case .failure(let rejection): "REFUSED \(rejection.code.rawValue): \(rejection.explanation)"
        case .success where isForwarded: "verified, passed on, answered \(answer)\(isRepeated ? ", seen before" : "")"
        case .success where !answer.isGood: "verified, failed on purpose (\(answer))"
        case .success: isRepeated ? "verified, seen before" : "verified"
        }
    }

    private func show(_ arrival: Arrival, _ answer: Answers.Item, _ note: String, _ isRepeated: Bool, json: Bool) {
        if json {
            return JSONOutput.print(
                .object([
                    "id": .string(arrival.id), "type": .string(arrival.type), "verdict": .string(note),
                    "answered": .string(answer.description), "duplicate": .bool(isRepeated),
                    "body": (try? StrictJSON.parse(arrival.body)) ?? .null,
                ])
            )
        }
        let color: Console.Color = !arrival.isVerified ? .bad : answer.isGood ? .good : .waiting
        let type = Console.colored(Console.safe(arrival.type).padding(to: 34), .strong)
        Console.print(
            "\(OrderOutput.time(.string(SystemClock().now().description)))  \(type) \(Console.safe(arrival.subject))"
                + "  \(Console.colored(note, color))"
        )
    }
}
