import NIOCore
import NIOPosix
public import NIOSSL
import Synchronization

/// An HTTP/1.1 client for calling addresses that strangers enter.
///
/// - The name is resolved for each request, every address is checked against the ``AddressPolicy``, and the connection goes to an
///   address that was checked; `Host`, SNI and certificate stay the name's.
/// - One deadline covers everything from the resolution to the last byte of the body.
/// - One call puts at most one request on the wire. Redirects are answers. Nothing is decompressed. Proxy variables are ignored.
/// - Of the answer at most 64 KiB of body and 128 KiB of head are read; then the connection is closed.
///
/// Connections are kept for the next request to the same name **and** address, at most 256 idle ones for 4 s each.
public final class WebhookClient: WebhookSending {
    /// Bounds of a client.
    public struct Options: Sendable {
        /// Longest time for one TCP connection; never longer than the request's own deadline.
        public var connectTimeout: Duration = .seconds(5)
        /// Bytes of body that are kept.
        public var maximumBody = 64 << 10
        /// How long an idle connection is kept.
        public var idleTimeout: Duration = .seconds(4)
        /// The most idle connections.
        public var maximumIdle = 256
        /// Certificates of authorities; the system's unless set.
        public var trustRoots: NIOSSLTrustRoots = .default

        /// The defaults.
        public init() {}
    }

    private let policy: AddressPolicy
    private let resolver: any HostResolver
    private let options: Options
    private let pool: ConnectionPool
    private let tls = Mutex<NIOSSLContext?>(nil)
    private let lookups = Mutex(Lookups())
    private let group = MultiThreadedEventLoopGroup.singleton

    /// Those who wait for a name. A lookup itself cannot be ended; waiting for it can.
    private struct Lookups {
        var nextID = 0
        var isInterrupted = false
        var waiting: [Int: FirstAnswer<[IPAddress]?>] = [:]
    }

    /// Makes a client.
    public init(policy: AddressPolicy, resolver: any HostResolver = SystemResolver(), options: Options = Options()) {
        self.policy = policy
        self.resolver = resolver
        self.options = options
        pool = ConnectionPool(maximumIdle: options.maximumIdle, idleTimeout: TimeAmount(options.idleTimeout))
    }

    /// Connections made so far. For tests and metrics.
    public var connectionsMade: Int { pool.made }

    public func interrupt() async {
        pool.close()
        let waiting = lookups.withLock { lookups in
            lookups.isInterrupted = true
            return Array(lookups.waiting.values)
        }
        for waiter in waiting { waiter.give(nil) }
    }

    public func send(_ request: WebhookRequest) async -> WebhookExchange {
        let start = NIODeadline.now()
        let deadline = start + TimeAmount(request.timeout)
        var exchange = WebhookExchange(result: .failed(.timeout, detail: "the deadline passed"))
        await run(request, start, deadline, &exchange)
        exchange.timings.total = microseconds(since: start)
        if pool.isClosed, case .failed = exchange.result {
            exchange.result = .failed(.interrupted, detail: "the sender stopped")
        }
        return exchange
    }

    private func run(
        _ request: WebhookRequest,
        _ start: NIODeadline,
        _ deadline: NIODeadline,
        _ exchange: inout WebhookExchange
    ) async {
        guard !pool.isClosed else {
            exchange.result = .failed(.interrupted, detail: "the sender stopped")
            return
        }
        guard !policy.requiresTLS || request.url.isSecure else {
            exchange.result = .failed(.blockedAddress, detail: "only https is permitted")
            return
        }
        guard let addresses = await resolve(request.url.host, until: deadline) else {
            exchange.result = .failed(.timeout, detail: "the name was not resolved in time")
            return
        }
        exchange.timings.resolve = microseconds(since: start)
        guard !addresses.isEmpty else {
            exchange.result = .failed(.dns, detail: "the name has no address")
            return
        }
        if let denied = addresses.first(where: { !policy.permits($0) }) {
            exchange.address = denied
            exchange.result = .failed(.blockedAddress, detail: "\(denied) must not be called")
            return
        }
        do {
            var isDone = false
            while !isDone {
                let connection = try await connection(to: request.url, addresses, deadline, &exchange)
                let outcome = await connection.send(request, until: deadline, maximumBody: options.maximumBody)
                exchange.timings.firstByte = outcome.firstByte
                exchange.result = outcome.result
                pool.giveBack(connection, reusable: outcome.isReusable)
                // A kept connection that its other side had closed meanwhile: nothing was sent, so another one may serve.
                isDone = outcome.isSent || !exchange.reusedConnection
            }
        } catch {
            let (fault, detail) = FaultSorting.sort(error)
            exchange.result = .failed(fault, detail: detail)
        }
    }

    /// A kept connection to one of the addresses, or a new one to the first that answers.
    private func connection(
        to url: WebhookURL,
        _ addresses: [IPAddress],
        _ deadline: NIODeadline,
        _ exchange: inout WebhookExchange
    ) async throws -> Connection {
        for address in addresses {
            if let connection = pool.take(ConnectionKey(url: url, address: address)) {
                exchange.address = address
                exchange.reusedConnection = true
                return connection
            }
        }
        exchange.reusedConnection = false
        let context = url.isSecure ? try context() : nil
        var last: any Error = ChannelError.connectTimeout(.zero)
        for address in addresses {
            // The attempt before this one may have failed because the pool was closed.
            guard !pool.isClosed else { throw CancellationError() }
            let remaining = deadline - .now()
            guard remaining > .zero else { throw ChannelError.connectTimeout(.zero) }
            exchange.address = address
            let start = NIODeadline.now()
            let connection: Connection
            do {
                connection = try await Connection.open(
                    ConnectionKey(url: url, address: address),
                    for: pool,
                    on: group.next(),
                    tls: context,
                    timeout: min(TimeAmount(options.connectTimeout), remaining)
                )
            } catch {
                // Nothing was sent: the next address may be tried.
                last = error
                continue
            }
            exchange.timings.connect = microseconds(since: start)
            guard pool.add(connection) else {
                connection.close()
                throw CancellationError()
            }
            if url.isSecure {
                let handshake = NIODeadline.now()
                do {
                    try await connection.handshake(until: deadline)
                } catch {
                    pool.giveBack(connection, reusable: false)
                    throw error is DeadlinePassed || pool.isClosed ? error : HandshakeFailed(reason: error)
                }
                exchange.timings.tls = microseconds(since: handshake)
            }
            return connection
        }
        throw last
    }

    /// The addresses of a host; `nil` when the deadline passed or the client was interrupted first.
    private func resolve(_ host: String, until deadline: NIODeadline) async -> [IPAddress]? {
        if let literal = IPAddress(host) { return [literal] }
        let resolver = resolver
        let loop = group.next()
        let id = lookups.withLock { lookups in
            lookups.nextID += 1
            return lookups.nextID
        }
        let lookup = Task { await resolver.addresses(of: host) }
        defer {
            lookups.withLock { $0.waiting[id] = nil }
            // Where nobody waits any more, the resolver need not begin.
            lookup.cancel()
        }
        return await withCheckedContinuation { (continuation: CheckedContinuation<[IPAddress]?, Never>) in
            let first = FirstAnswer<[IPAddress]?>(continuation)
            let isWaiting = lookups.withLock { lookups in
                guard !lookups.isInterrupted else { return false }
                lookups.waiting[id] = first
                return true
            }
            guard isWaiting else { return first.give(nil) }
            let timer = loop.scheduleTask(deadline: deadline) { first.give(nil) }
            Task {
                first.give(await lookup.value)
                timer.cancel()
            }
        }
    }

    /// Made once, at the first `https` request: reading the system's authorities takes a moment.
    private func context() throws -> NIOSSLContext {
        try tls.withLock { made in
            if let made { return made }
            var configuration = TLSConfiguration.makeClientConfiguration()
            configuration.trustRoots = options.trustRoots
            configuration.applicationProtocols = ["http/1.1"]
            let context = try NIOSSLContext(configuration: configuration)
            made = context
            return context
        }
    }

    private func microseconds(since start: NIODeadline) -> Int64 { (NIODeadline.now() - start).nanoseconds / 1000 }
}

/// Resumes a continuation with whichever answer comes first.
private final class FirstAnswer<Value: Sendable>: Sendable {
    private let continuation: Mutex<CheckedContinuation<Value, Never>?>

    init(_ continuation: CheckedContinuation<Value, Never>) { self.continuation = Mutex(continuation) }

    func give(_ value: Value) {
        let waiting = continuation.withLock { held in
            defer { held = nil }
            return held
        }
        waiting?.resume(returning: value)
    }
}
