import HTTPKit
import Hummingbird
import NIOCore
import NIOPosix
import ServiceLifecycle
import StrictJSON
import Telemetry
import Testing

@Suite("Stopping a listener", .timeLimit(.minutes(3)))
struct ShutdownTests {
    /// Connections that arrive in the very moment of the stop once made the process trap.
    @Test("stopping while clients connect neither traps nor hangs", arguments: [true, false])
    func connectionsDuringStop(gracefully: Bool) async throws {
        for _ in 0..<30 {
            let router = Router(context: APIContext.self)
            ServerTests.routes(router)
            let listener = makeListener(
                name: "stop",
                port: 0,
                router: router,
                registry: PrometheusRegistry(),
                logger: quietLogger
            )
            let group = ServiceGroup(configuration: .init(services: [listener], logger: quietLogger))
            let server = Task { try await group.run() }
            let port = try await listener.boundPort()
            await withTaskGroup(of: Void.self) { tasks in
                for _ in 0..<4 {
                    tasks.addTask {
                        for _ in 0..<10 {
                            guard
                                let channel = try? await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
                                    .connect(host: "127.0.0.1", port: port).get()
                            else { return }
                            try? await channel.close().get()
                        }
                    }
                }
                tasks.addTask {
                    await Task.yield()
                    if gracefully { await group.triggerGracefulShutdown() } else { server.cancel() }
                }
            }
            _ = await server.result
        }
    }
}
