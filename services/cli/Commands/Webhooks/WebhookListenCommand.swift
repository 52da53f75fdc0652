import ArgumentParser
import HTTPKit
import HTTPTypes
import Hummingbird
import Logging
import Messaging
import ServiceLifecycle
import StrictJSON
import Synchronization
import Telemetry
import UnixSignals
import Verification
import Webhooks

/// `waybill webhook listen`
struct WebhookListenCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "listen",
        abstract: "A local receiver: verifies, prints, and can fail on purpose.",
        discussion: """
            Adds itself as an endpoint while it runs, and removes itself at the end (ctrl-c); with --secret it only listens.

            Examples:
              waybill webhook listen
              waybill webhook listen --events 'order.*' --fail 3 --status 503 --delay 2s
              waybill webhook listen --respond 500,429:30,drop,204 --json
              waybill webhook listen --port 9000 --secret whsec_…
            """
    )
    @Option(name: .long, help: "The port on loopback; a free one unless given.") var port = 0
    @Option(name: .long, help: "Only listen, for an endpoint that has this secret.") var secret: String?
    @Option(name: .long, help: "An event type or pattern; repeat it for more; all unless given.") var events: [String] =
        []
    @Option(name: .long, help: "Answer the first N requests with --status.") var fail = 0
    @Option(name: .long, help: "The status of those answers.") var status = 503
    @Option(name: .long, help: "How long to wait before each answer: 2s, 500ms.") var delay = Span.zero
    @Option(
        name: .long,
        help:
            "Answers in turn, the last one for good: statuses, 429:30 with Retry-After, drop to break off in the middle of a 500."
    )
    var respond: Answers?
    @Flag(name: .long, help: "Print the secret, to verify with something else.") var printSecret = false
    @Option(name: .long, help: "End after so many requests.") var count: Int?
    @Option(name: .long, help: "Write each request as a JSON line, for waybill verify --receipts.") var receipts:
        String?
    @OptionGroup var common: CommonOptions

    func validate() throws {
        guard (200...599).contains(status), delay.milliseconds <= 3_600_000, (0...65_535).contains(port) else {
            throw ValidationError("--status is 200 to 599, --delay at most an hour, --port 0 to 65535.")
        }
        guard respond == nil || fail == 0 else { throw ValidationError("Either --respond or --fail.") }
    }

    func run() async throws {
        let failures = Array(repeating: Answers.Item.status(status, retryAfter: nil), count: max(0, min(fail, 100_000)))
        let state = ReceiverState(
            answers: respond?.items ?? failures + [.status(204, retryAfter: nil)],
            limit: count,
            receipts: try receipts.map(LineFile.init)
        )
        if let secret { try state.use(secret) }
        var logger = Logger(label: "waybill.listen") { StreamLogHandler.standardError(label: $0) }
        logger.logLevel = .error
        let router = Router(context: APIContext.self)
        let receiver = self
        // “**” matches any path but the root.
        for path in ["/", "**"] {
            router.on(RouterPath(path), method: .post) { request, _ in
                try await receiver.answer(request, state)
            }
        }
        let listener = makeListener(
            name: "webhooks",
            port: port,
            router: router,
            registry: PrometheusRegistry(),
            logger: logger
        )
        let group = ServiceGroup(
            configuration: ServiceGroupConfiguration(
                services: [listener],
                gracefulShutdownSignals: [.sigint, .sigterm],
                logger: logger
            )
        )
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask { try await group.run() }
            let bound = try await listener.boundPort()
            let endpoint = try await register(port: bound, state)
            Console.error("Listening on http://127.0.0.1:\(bound)/ — ctrl-c ends it.")
            tasks.addTask {
                await state.waitForLimit()
                await group.triggerGracefulShutdown()
            }
            try await tasks.next()
            tasks.cancelAll()
            if let endpoint { await remove(endpoint) }
        }
    }

    private func answer(_ request: Request, _ state: ReceiverState) async throws -> Response {
        let body = try await JSONRequest.body(of: request, upTo: 1 << 20)
        let headers = request.headers.map { (name: $0.name.rawName, value: $0.value) }
        let answer = state.receive(headers: headers, body: body, json: common.json)
        if delay.milliseconds > 0 { try await Task.sleep(for: .milliseconds(delay.milliseconds)) }
        switch answer {
        case .status(let status, let retryAfter):
            var headers = HTTPFields()
            if let retryAfter { headers[.retryAfter] = String(retryAfter) }
            return Response(status: HTTPResponse.Status(code: status), headers: headers)
        // The connection ends in the middle of the answer. No 2xx: whatever follows its head, that is a success.
        case .drop:
            return Response(
                status: .internalServerError,
                headers: [.contentLength: "1"],
                body: ResponseBody { _ in throw Dropped() }
            )
        }
    }

    private struct Dropped: Error {}

    private func register(port: Int, _ state: ReceiverState) async throws -> String? {
        guard secret == nil else { return nil }
        let session = Session()
        var body: JSONObject = [
            "url": .string("http://127.0.0.1:\(port)/"), "description": "waybill webhook listen", "breakerThreshold": 0,
            "scheduleMs": .array([500, 1000, 2000, 5000, 10_000].map { .integer($0) }),
        ]
        if !events.isEmpty { body["eventTypes"] = .array(events.map(JSONValue.string)) }
        let endpoint = try await session.operatorJSON(
            "POST",
            "notification",
            WebhookEndpointCommand.path,
            body: .object(body)
        )
        await session.close()
        try state.use(endpoint["secret"]?.shown ?? "")
        if printSecret { Console.error("secret \(endpoint["secret"]?.shown ?? "")") }
        return endpoint["id"]?.stringValue
    }

    private func remove(_ id: String) async {
        let session = Session()
        _ = try? await session.operatorJSON("DELETE", "notification", WebhookEndpointCommand.path + "/" + escaped(id))
        await session.close()
    }
}

/// What the receiver has seen. Safe from any task.
private final class ReceiverState: Sendable {
    private struct State {
        var verifier = WebhookVerifier(secrets: [])
        /// Never empty; the last one stays.
        var answers: [Answers.Item]
        var next = 0
        var left: Int?
        var seen: Set<String> = []
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

    func receive(headers: [(name: String, value: String)], body: [UInt8], json: Bool) -> Answers.Item {
        let verifier = state.withLock { $0.verifier }
        let verdict = verifier.verify(headers: headers, body: body, at: SystemClock().now())
        let answer = state.withLock { state -> (Answers.Item, Bool) in
            if let left = state.left { state.left = left - 1 }
            guard case .success(let webhook) = verdict else { return (.status(401, retryAfter: nil), false) }
            let item = state.answers[min(state.next, state.answers.count - 1)]
            state.next = min(state.next + 1, state.answers.count)
            guard item.isGood else { return (item, false) }
            if state.seen.count >= Self.maximumSeen { state.seen.removeAll() }
            return (item, !state.seen.insert(webhook.id).inserted)
        }
        let id = (try? verdict.get())?.id
        let status =
            switch answer.0 {
            case .status(let status, _): status
            case .drop: 500
            }
        // Written before the answer: what the sender believes delivered stands here.
        receipts?.write([
            "id": .string(id ?? ""), "digest": .string(ContentDigest.text(of: body)), "verified": .bool(id != nil),
            "status": .integer(Int64(status)),
        ])
        show(verdict, answer.0, isRepeated: answer.1, body, json: json)
        if state.withLock({ $0.left.map { $0 <= 0 } ?? false }) { ended.continuation.finish() }
        return answer.0
    }

    func waitForLimit() async {
        for await _ in ended.stream {}
    }

    private func show(
        _ verdict: Result<VerifiedWebhook, WebhookRejection>,
        _ answer: Answers.Item,
        isRepeated: Bool,
        _ body: [UInt8],
        json: Bool
    ) {
        let payload = (try? StrictJSON.parse(body)) ?? .null
        let type = payload["type"]?.shown ?? ""
        let subject = payload["subject"]?.shown ?? ""
        let id: String
        let note: String
        switch verdict {
        case .success(let webhook):
            id = webhook.id
            note =
                !answer.isGood
                ? "verified, failed on purpose (\(answer))" : isRepeated ? "verified, seen before" : "verified"
        case .failure(let rejection):
            id = ""
            note = "REFUSED \(rejection.code.rawValue): \(rejection.explanation)"
        }
        if json {
            return JSONOutput.print(
                .object([
                    "id": .string(id), "type": .string(type), "verdict": .string(note),
                    "answered": .string(answer.description), "duplicate": .bool(isRepeated), "body": payload,
                ])
            )
        }
        let color: Console.Color = id.isEmpty ? .bad : answer.isGood ? .good : .waiting
        Console.print(
            "\(OrderOutput.time(.string(SystemClock().now().description)))  \(Console.colored(Console.safe(type).padding(to: 34), .strong))"
                + " \(Console.safe(subject))  \(Console.colored(note, color))"
        )
    }
}

/// What a receiver answers, in turn: `500,429:30,drop,204`.
struct Answers: ExpressibleByArgument {
    /// One answer.
    enum Item: Equatable, CustomStringConvertible {
        case status(Int, retryAfter: Int?)
        case drop

        /// Whether it accepts the webhook.
        var isGood: Bool {
            guard case .status(200...299, _) = self else { return false }
            return true
        }

        var description: String {
            switch self {
            case .drop: "drop"
            case .status(let status, let seconds): seconds.map { "\(status), Retry-After \($0)" } ?? String(status)
            }
        }
    }

    let items: [Item]

    init?(argument: String) {
        var items: [Item] = []
        for part in argument.split(separator: ",", omittingEmptySubsequences: false) {
            if part == "drop" {
                items.append(.drop)
                continue
            }
            let numbers = part.split(separator: ":", omittingEmptySubsequences: false).map { Int($0) }
            guard (1...2).contains(numbers.count), let status = numbers[0], (200...599).contains(status),
                numbers.count == 1 || (numbers[1].map { $0 >= 0 } ?? false)
            else { return nil }
            items.append(.status(status, retryAfter: numbers.count == 2 ? numbers[1] : nil))
        }
        guard !items.isEmpty else { return nil }
        self.items = items
    }
}
