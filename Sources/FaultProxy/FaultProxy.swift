import NIOCore
import NIOPosix
import Synchronization

/// A TCP proxy on loopback between one kind of client and one server, which can go wrong on purpose.
///
/// Without a fault it passes every byte on at once. ``set(_:)`` puts one ``LinkFault`` on all its connections, present and future,
/// or takes it away. Memory is bounded: a connection reads no further while 256 KiB of it wait. Safe to use from any task.
public final class FaultProxy: Sendable {
    /// What went through so far.
    public struct Counts: Sendable, Hashable {
        /// Connections that were accepted.
        public var connections = 0
        /// Connections that are open.
        public var open = 0
        /// Connections that were reset by a fault, or because the server could not be reached.
        public var resets = 0
        /// Bytes that were passed on, by direction.
        public var bytesToServer = 0
        /// Bytes that were passed on to clients.
        public var bytesToClient = 0
    }

    private struct State {
        var fault: LinkFault?
        /// Whether a flapping link is in its bad half.
        var isDown = false
        var flapping: RepeatedTask?
        var links: [Int: NIOLoopBound<Link>] = [:]
        var counts = Counts()
        var listener: (any Channel)?
        var port = 0
    }

    /// What the link is called: `order→rabbitmq`.
    public let name: String
    let host: String
    let upstream: Int
    private let framing: Framing
    private let seed: UInt64
    private let group: any EventLoopGroup
    private let state = Mutex(State())

    /// Makes a proxy; ``start()`` opens it.
    ///
    /// - Parameters:
    ///   - name: for people.
    ///   - host: where the server is.
    ///   - port: the server's port.
    ///   - framing: what travels.
    ///   - seed: decides jitter, fragments and which frames are damaged.
    public init(name: String, host: String = "127.0.0.1", port: Int, framing: Framing, seed: UInt64) {
        self.name = name
        self.host = host
        upstream = port
        self.framing = framing
        self.seed = seed
        group = MultiThreadedEventLoopGroup.singleton
    }

    /// Listens on a free port of loopback and returns it.
    /// - Throws: what the system says when there is none.
    public func start() async throws -> Int {
        let listener = try await ServerBootstrap(group: group)
            .serverChannelOption(.backlog, value: 256)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            .childChannelInitializer { [self] client in
                client.eventLoop.makeCompletedFuture { try accept(client) }
            }
            .bind(host: "127.0.0.1", port: 0)
            .get()
        let port = listener.localAddress?.port ?? 0
        state.withLock {
            $0.listener = listener
            $0.port = port
        }
        return port
    }

    /// The port on which it listens; 0 before ``start()``.
    public var port: Int { state.withLock { $0.port } }

    /// The fault that is on; `nil` when the link is well.
    public var fault: LinkFault? { state.withLock { $0.fault } }

    /// What went through so far.
    public var counts: Counts {
        state.withLock { state in
            var counts = state.counts
            counts.open = state.links.count
            return counts
        }
    }

    /// Puts a fault on the link instead of the one that is on; `nil` heals it. When it returns, every connection knows.
    public func set(_ fault: LinkFault?) async {
        let (links, old) = state.withLock { state in
            state.fault = fault
            state.isDown = false
            let old = state.flapping
            state.flapping = nil
            if case .flap = fault { state.isDown = true }
            return (Array(state.links.values), old)
        }
        old?.cancel()
        let breaks =
            switch fault {
            case .reset, .refuse, .flap: true
            default: false
            }
        if case .flap(let period) = fault { flap(every: period) }
        for link in links {
            try? await link.eventLoop.submit { link.value.faultChanged(fault, breaks: breaks) }.get()
        }
    }

    /// Stops listening and breaks what is open.
    public func close() async {
        await set(nil)
        let (listener, links) = state.withLock { ($0.listener, $0.links.values) }
        try? await listener?.close()
        for link in links { link.eventLoop.execute { link.value.reset() } }
    }

    // MARK: - Connections

    private func accept(_ client: any Channel) throws {
        let (number, fault, isRefused) = state.withLock { state in
            state.counts.connections += 1
            return (state.counts.connections, state.fault, state.fault == .refuse || state.isDown)
        }
        let link = Link(client, of: self, number: number, fault: fault, isRefused: isRefused)
        try client.pipeline.syncOperations.addHandler(FlowHandler(link.toServer, of: link))
        let bound = NIOLoopBound(link, eventLoop: client.eventLoop)
        state.withLock { $0.links[number] = bound }
        // The fault may have changed between the two looks.
        let present = self.fault
        if present != fault { link.faultChanged(present, breaks: false) }
    }

    private func flap(every period: Duration) {
        let interval = TimeAmount.nanoseconds(max(1_000_000, period.wholeNanoseconds))
        let task = group.next().scheduleRepeatedTask(initialDelay: interval, delay: interval) { [self] _ in
            let links = state.withLock { state -> [NIOLoopBound<Link>] in
                guard case .flap = state.fault else { return [] }
                state.isDown.toggle()
                return state.isDown ? Array(state.links.values) : []
            }
            for link in links { link.eventLoop.execute { link.value.reset() } }
        }
        let isStale = state.withLock { state in
            if case .flap = state.fault, state.flapping == nil {
                state.flapping = task
                return false
            }
            return true
        }
        if isStale { task.cancel() }
    }

    func forget(_ number: Int) {
        state.withLock { _ = $0.links.removeValue(forKey: number) }
    }

    func count(bytes: Int, _ direction: LinkFault.Direction) {
        state.withLock {
            switch direction {
            case .toServer: $0.counts.bytesToServer += bytes
            case .toClient: $0.counts.bytesToClient += bytes
            }
        }
    }

    /// Begins to count anew.
    func forgetCounts() {
        state.withLock { $0.counts = Counts(connections: $0.counts.connections) }
    }

    func countReset() {
        state.withLock { $0.counts.resets += 1 }
    }

    func shaper(_ direction: LinkFault.Direction, connection: Int) -> FlowShaper {
        var random = ProxyRandom(state: seed &+ UInt64(connection) &* 2 &+ (direction == .toServer ? 0 : 1))
        return FlowShaper(direction, framing: framing, seed: random.next())
    }

    func rewriter() -> AddressRewriter? {
        framing == .kafka ? AddressRewriter(server: upstream, proxy: port) : nil
    }
}
