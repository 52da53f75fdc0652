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
              waybill webhook listen --events order.* --fail 3 --status 503 --delay 2
              waybill webhook listen --port 9000 --secret whsec_…
            """
    )
    @Option(name: .long, help: "The port on loopback; a free one unless given.") var port = 0
    @Option(name: .long, help: "Only listen, for an endpoint that has this secret.") var secret: String?
    @Option(name: .long, help: "An event type or pattern; repeat it for more; all unless given.") var events: [String] =
        []
    @Option(name: .long, help: "Answer the first N requests with --status.") var fail = 0
    @Option(name: .long, help: "The status of those answers.") var status = 503
    @Option(name: .long, help: "Seconds to wait before each answer.") var delay = 0.0
    @Option(name: .long, help: "End after so many requests.") var count: Int?
    @OptionGroup var common: CommonOptions

    func validate() throws {
        guard (100...599).contains(status), delay >= 0, delay <= 3600, (0...65_535).contains(port) else {
            throw ValidationError("--status is 100 to 599, --delay 0 to 3600 s, --port 0 to 65535.")
        }
    }

    func run() async throws {
        let state = ReceiverState(failures: fail, limit: count)
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
        if delay > 0 { try await Task.sleep(for: .seconds(delay)) }
        switch answer {
        case .accept: return Response(status: .noContent)
        case .failOnPurpose: return Response(status: HTTPResponse.Status(code: status))
        case .refuse: return Response(status: .unauthorized)
        }
    }

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
    enum Answer {
        case accept
        case failOnPurpose
        case refuse
    }

    private struct State {
        var verifier = WebhookVerifier(secrets: [])
        var failures: Int
        var left: Int?
        var seen: Set<String> = []
    }

    /// Ids that are remembered to tell a repetition; beyond it all are forgotten.
    private static let maximumSeen = 100_000

    private let state: Mutex<State>
    private let ended = AsyncStream<Void>.makeStream()

    init(failures: Int, limit: Int?) {
        state = Mutex(State(failures: failures, left: limit))
    }

    func use(_ secret: String) throws {
        do throws(WebhookSecret.Fault) {
            let secret = try WebhookSecret(secret)
            state.withLock { $0.verifier = WebhookVerifier(secrets: [secret]) }
        } catch {
            throw CommandEnd.failed("The secret cannot be used: \(error)")
        }
    }

    func receive(headers: [(name: String, value: String)], body: [UInt8], json: Bool) -> Answer {
        let verifier = state.withLock { $0.verifier }
        let verdict = verifier.verify(headers: headers, body: body, at: SystemClock().now())
        let answer = state.withLock { state -> (Answer, Bool) in
            if let left = state.left { state.left = left - 1 }
            guard case .success(let webhook) = verdict else { return (.refuse, false) }
            if state.failures > 0 {
                state.failures -= 1
                return (.failOnPurpose, false)
            }
            if state.seen.count >= Self.maximumSeen { state.seen.removeAll() }
            return (.accept, !state.seen.insert(webhook.id).inserted)
        }
        show(verdict, answer.0, isRepeated: answer.1, body, json: json)
        if state.withLock({ $0.left.map { $0 <= 0 } ?? false }) { ended.continuation.finish() }
        return answer.0
    }

    func waitForLimit() async {
        for await _ in ended.stream {}
    }

    private func show(
        _ verdict: Result<VerifiedWebhook, WebhookRejection>,
        _ answer: Answer,
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
                answer == .failOnPurpose
                ? "verified, failed on purpose" : isRepeated ? "verified, seen before" : "verified"
        case .failure(let rejection):
            id = ""
            note = "REFUSED \(rejection.code.rawValue): \(rejection.explanation)"
        }
        if json {
            return JSONOutput.print(
                .object(["id": .string(id), "type": .string(type), "verdict": .string(note), "body": payload])
            )
        }
        let color: Console.Color = id.isEmpty ? .bad : answer == .accept ? .good : .waiting
        Console.print(
            "\(OrderOutput.time(.string(SystemClock().now().description)))  \(Console.colored(Console.safe(type).padding(to: 34), .strong))"
                + " \(Console.safe(subject))  \(Console.colored(note, color))"
        )
    }
}
