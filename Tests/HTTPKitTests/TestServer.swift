import HTTPKit
import Hummingbird
import Logging
import ServiceLifecycle
import StrictJSON
import Telemetry

/// Runs a listener on a port of the system's choice while `body` runs.
func withServer<T: Sendable>(
    options: ListenerOptions = ListenerOptions(),
    registry: PrometheusRegistry = PrometheusRegistry(),
    routes: (Router<APIContext>) -> Void,
    body: @escaping @Sendable (_ base: String, _ port: Int, _ sender: HTTPSender) async throws -> T
) async throws -> T {
    let router = Router(context: APIContext.self)
    routes(router)
    let listener = makeListener(
        name: "test",
        port: 0,
        router: router,
        options: options,
        registry: registry,
        logger: quietLogger
    )
    let group = ServiceGroup(configuration: .init(services: [listener], logger: quietLogger))
    return try await withThrowingTaskGroup(of: Void.self) { tasks in
        tasks.addTask { try await group.run() }
        let port = try await listener.boundPort()
        let sender = HTTPSender()
        do {
            let result = try await body("http://127.0.0.1:\(port)", port, sender)
            await sender.shutdown()
            await group.triggerGracefulShutdown()
            try await tasks.waitForAll()
            return result
        } catch {
            await sender.shutdown()
            await group.triggerGracefulShutdown()
            throw error
        }
    }
}

extension HTTPReply {
    /// The body as JSON; `null` when it is none.
    var json: JSONValue { (try? StrictJSON.parse(body)) ?? .null }
}

/// Says nothing.
var quietLogger: Logger { Logger(label: "quiet", factory: { _ in SwiftLogNoOpLogHandler() }) }
