public import Hummingbird
import HummingbirdCore
public import Logging
import NIOCore
public import ServiceLifecycle
import Synchronization
public import Telemetry

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// A listener could not start, said in one sentence.
public struct ListenerError: Error, Sendable, CustomStringConvertible {
    /// What happened and what to do.
    public let description: String
}

/// One HTTP/1.1 listener as a service: bind, serve, drain on graceful shutdown.
///
/// Made by ``makeListener(name:port:router:options:registry:logger:)``. Run it once.
public final class HTTPListener: Service, Sendable {
    /// Name in logs and metrics.
    public let name: String

    private let port: Int
    private let options: ListenerOptions
    private let logger: Logger
    private let responder: RequestPipeline<RouterResponder<APIContext>>
    private let bound = BoundPort()

    init(
        name: String,
        port: Int,
        options: ListenerOptions,
        logger: Logger,
        responder: RequestPipeline<RouterResponder<APIContext>>
    ) {
        self.name = name
        self.port = port
        self.options = options
        self.logger = logger
        self.responder = responder
    }

    /// The port that was bound (of use when 0 was asked for). Waits until it is; throws when ``run()`` ends before.
    public func boundPort() async throws -> Int { try await bound.value() }

    /// Serves until the graceful shutdown or the cancellation of the task.
    ///
    /// - Throws: ``ListenerError`` when the address cannot be bound.
    public func run() async throws {
        defer { bound.fail(ListenerError(description: "The listener \(name) has ended.")) }
        var isWaiting = false
        while !Task.isCancelled, !Task.isShuttingDownGracefully {
            do {
                try await server().run { [bound, logger, name, options] port in
                    logger.info("listening", metadata: ["listener": "\(name)", "address": "\(options.host):\(port)"])
                    bound.succeed(port)
                }
                return
            } catch let error as IOError where error.errnoCode == Self.addressInUse && options.waitsForPort {
                if !isWaiting {
                    logger.info("waiting for a busy port", metadata: ["listener": "\(name)", "port": "\(port)"])
                }
                isWaiting = true
                let pause = options.portRetryInterval
                // Both ways of being stopped end the pause and, above, the loop.
                try? await cancelWhenGracefulShutdown { try await Task.sleep(for: pause) }
            } catch let error as IOError {
                let failure = ListenerError(description: sentence(error))
                bound.fail(failure)
                throw failure
            }
        }
    }

    private static let addressInUse = EADDRINUSE

    private func sentence(_ error: IOError) -> String {
        if error.errnoCode == Self.addressInUse {
            return "Port \(port) on \(options.host) is in use by another program, so the listener \(name) cannot start."
        }
        return "The listener \(name) cannot bind \(options.host):\(port): \(error.description)."
    }

    private func server() -> HTTPServer {
        let options = options
        let timeouts = ConnectionGuard.Timeouts(
            read: TimeAmount(options.readTimeout),
            write: TimeAmount(options.writeTimeout)
        )
        var decoder = HTTP1Channel.Configuration.DecoderConfiguration()
        decoder.maxHeaderFieldSize = options.maxHeaderFieldBytes
        decoder.maxHeaderListSize = options.maxHeaderListBytes
        decoder.maxHeaderFieldCount = options.maxHeaderFields
        let channel = HTTP1Channel.Configuration(
            additionalChannelHandlers: [ConnectionGuard(maxBodyBytes: options.maxBodyBytes, timeouts: timeouts)],
            idleTimeout: TimeAmount(options.idleTimeout),
            httpDecoderConfiguration: decoder
        )
        var named = logger
        named[metadataKey: "listener"] = "\(name)"
        return HTTPServer(
            child: HTTP1Channel(responder: HTTPServer.respond(with: responder, logger: named), configuration: channel),
            host: options.host,
            port: port,
            maxConnections: options.maxConnections,
            logger: named
        )
    }
}

/// Makes a listener for `router`.
///
/// - Parameters:
///   - name: for logs and metrics, such as `public` or `operator`.
///   - port: 0 lets the system choose; see ``HTTPListener/boundPort()``.
///   - router: all routes and middleware must have been added. Throw ``Problem`` from handlers; bare errors
///     (404, 405, 413, 500 …) leave as problem documents too.
///   - registry: receives `http_server_request_duration_seconds` and `http_server_active_requests`.
public func makeListener(
    name: String,
    port: Int,
    router: Router<APIContext>,
    options: ListenerOptions = ListenerOptions(),
    registry: PrometheusRegistry,
    logger: Logger
) -> HTTPListener {
    let pipeline = RequestPipeline(
        base: router.buildResponder(),
        routes: RouteTable(router),
        metrics: RequestMetrics(listener: name, registry: registry),
        maxBodyBytes: options.maxBodyBytes,
        maxTargetBytes: options.maxTargetBytes
    )
    return HTTPListener(name: name, port: port, options: options, logger: logger, responder: pipeline)
}

/// A value that is set once and awaited by any number of tasks.
private final class BoundPort: Sendable {
    private enum State {
        case waiting([CheckedContinuation<Int, any Error>])
        case done(Result<Int, any Error>)
    }

    private let state = Mutex(State.waiting([]))

    func value() async throws -> Int {
        try await withCheckedThrowingContinuation { continuation in
            let result = state.withLock { state -> Result<Int, any Error>? in
                switch state {
                case .done(let result): return result
                case .waiting(let waiters):
                    state = .waiting(waiters + [continuation])
                    return nil
                }
            }
            if let result { continuation.resume(with: result) }
        }
    }

    func succeed(_ port: Int) { finish(.success(port)) }

    func fail(_ error: any Error) { finish(.failure(error)) }

    private func finish(_ result: Result<Int, any Error>) {
        let waiters = state.withLock { state -> [CheckedContinuation<Int, any Error>] in
            guard case .waiting(let waiters) = state else { return [] }
            state = .done(result)
            return waiters
        }
        for waiter in waiters { waiter.resume(with: result) }
    }
}
