import ArgumentParser
import HTTPKit
import HTTPTypes
import Hummingbird
import Logging
import NIOCore
import ServiceLifecycle
import StrictJSON
import Telemetry
import Terminal
import UnixSignals

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
              waybill webhook listen --respond 500,429:30,drop,drip,204 --json
              waybill webhook listen --forward-to http://127.0.0.1:3000/hook
              waybill webhook listen --port 9000 --secret whsec_…
            """
    )
    @Option(name: .long, help: "The port on loopback; a free one unless given.") var port = 0
    @Option(name: .long, help: "Only listen, for an endpoint that has this secret.") var secret: String?
    @Option(name: .long, help: "An event type or pattern; repeat it for more; all unless given.") var events: [String] =
        []
    @Option(name: .long, help: "Answer the first N requests with --status.") var fail = 0
    @Option(name: .long, help: "The status of those answers.") var status = 503
    @Option(name: .long, help: "How long to wait before each answer: 2s, 500ms.") var delay = Span(seconds: 0)
    @Option(
        name: .long,
        help:
            "Answers in turn, the last one for good: statuses, 429:30 with Retry-After, drop and drip as below."
    )
    var respond: Answers?
    @Flag(name: .long, help: "Break every answer off, in the middle of a 500.") var drop = false
    @Flag(name: .long, help: "Answer everything with a 500 that comes one byte a second.") var drip = false
    @Option(name: .long, help: "Pass what is verified on to this address, byte for byte, and answer as it does.")
    var forwardTo: String?
    @Flag(name: .long, help: "Print the secret, to verify with something else.") var printSecret = false
    @Option(name: .long, help: "End after so many requests.") var count: Int?
    @Option(name: .long, help: "Write each request as a JSON line, for waybill verify --receipts.") var receipts:
        String?
    @OptionGroup var common: CommonOptions

    func validate() throws {
        guard (200...599).contains(status), delay.milliseconds <= 3_600_000, (0...65_535).contains(port) else {
            throw ValidationError("--status is 200 to 599, --delay at most an hour, --port 0 to 65535.")
        }
        guard [respond != nil, fail != 0, drop, drip, forwardTo != nil].count(where: { $0 }) <= 1 else {
            throw ValidationError("One of --respond, --fail, --drop, --drip and --forward-to.")
        }
    }

    /// What is answered in turn.
    private var planned: [Answers.Item] {
        if let respond { return respond.items }
        if drop { return [.drop] }
        if drip { return [.drip] }
        return Array(repeating: .status(status, retryAfter: nil), count: max(0, min(fail, 100_000)))
            + [.status(204, retryAfter: nil)]
    }

    func run() async throws {
        let state = ReceiverState(
            answers: planned,
            limit: count,
            receipts: try receipts.map(LineFile.init)
        )
        if let secret { try state.use(secret) }
        var logger = Logger(label: "waybill.listen") { StreamLogHandler.standardError(label: $0) }
        logger.logLevel = .error
        let router = Router(context: APIContext.self)
        let receiver = self
        let forwarder = try forwardTo.map(Forwarder.init)
        // “**” matches any path but the root.
        for path in ["/", "**"] {
            router.on(RouterPath(path), method: .post) { request, _ in
                try await receiver.answer(request, state, forwarder)
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
            await forwarder?.close()
        }
    }

    private func answer(_ request: Request, _ state: ReceiverState, _ forwarder: Forwarder?) async throws -> Response {
        let body = try await JSONRequest.body(of: request, upTo: 1 << 20)
        let headers = request.headers.map { (name: $0.name.rawName, value: $0.value) }
        let arrival = state.verify(headers: headers, body: body)
        // What is not ours to believe is not passed on either.
        let reply = arrival.isVerified ? await forwarder?.pass(headers: headers, body: body) : nil
        let answer = state.receive(
            arrival,
            given: reply.map { .status($0.status, retryAfter: $0.retryAfter) },
            json: common.json
        )
        if delay.milliseconds > 0 { try await Task.sleep(for: delay.duration) }
        switch answer {
        case .status(let status, let retryAfter):
            var headers = HTTPFields()
            if let retryAfter { headers[.retryAfter] = String(retryAfter) }
            return Response(status: HTTPResponse.Status(code: status), headers: headers)
        // No 2xx in either: whatever follows its head, that is a success.
        case .drop: return Self.broken(length: 1) { _ in throw Dropped() }
        case .drip:
            return Self.broken(length: 3600) { writer in
                for _ in 0..<3600 {
                    try await writer.write(ByteBuffer(string: "."))
                    try await Task.sleep(for: .seconds(1))
                }
                try await writer.finish(nil)
            }
        }
    }

    /// A 500 whose body is not what a client hopes for.
    private static func broken(
        length: Int,
        _ write: @escaping @Sendable (inout any ResponseBodyWriter) async throws -> Void
    ) -> Response {
        Response(
            status: .internalServerError,
            headers: [.contentLength: String(length)],
            body: ResponseBody { writer in try await write(&writer) }
        )
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
