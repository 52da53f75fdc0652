import Glibc
import NIOCore
import NIOPosix
import Synchronization
import Testing

@testable import FaultProxy

/// Each fault on a real connection to a server that sends everything back.
@Suite(.timeLimit(.minutes(1)))
struct ProxyTests {
    @Test("Without a fault everything passes")
    func passes() async throws {
        try await withLink { proxy, client, _ in
            let bytes = (0..<300_000).map { UInt8($0 & 0xff) }
            client.send(bytes)
            #expect(await client.waits { $0.received.count == bytes.count })
            #expect(client.snapshot.received == bytes)
            #expect(proxy.counts.bytesToServer == bytes.count && proxy.counts.bytesToClient == bytes.count)
        }
    }

    @Test("Latency delays both ways")
    func latency() async throws {
        try await withLink { proxy, client, _ in
            await proxy.set(.latency(delay: .milliseconds(150), jitter: .zero))
            let start = ContinuousClock.now
            client.send(Array("hello".utf8))
            #expect(await client.waits { $0.received.count == 5 })
            #expect(ContinuousClock.now - start >= .milliseconds(300))
        }
    }

    @Test("Bandwidth is a cap")
    func bandwidth() async throws {
        try await withLink { proxy, client, _ in
            await proxy.set(.bandwidth(bytesPerSecond: 50_000))
            let start = ContinuousClock.now
            client.send([UInt8](repeating: 1, count: 25_000))
            #expect(await client.waits { $0.received.count == 25_000 })
            #expect(ContinuousClock.now - start >= .milliseconds(500))
        }
    }

    @Test("A stall holds everything and loses nothing")
    func stall() async throws {
        try await withLink { proxy, client, server in
            await proxy.set(.stall)
            client.send(Array("held".utf8))
            #expect(await !client.waits(for: .milliseconds(300)) { !$0.received.isEmpty })
            #expect(server.received == 0)
            await proxy.set(nil)
            #expect(await client.waits { $0.received == Array("held".utf8) })
            #expect(client.snapshot.isOpen)
        }
    }

    @Test("A black hole swallows, and the connection does not survive it")
    func blackhole() async throws {
        try await withLink { proxy, client, server in
            await proxy.set(.blackhole)
            client.send(Array("lost".utf8))
            #expect(await !client.waits(for: .milliseconds(300)) { !$0.received.isEmpty || !$0.isOpen })
            await proxy.set(nil)
            #expect(await client.waits { !$0.isOpen })
            #expect(server.received == 0)
        }
    }

    @Test("Behind a one-way cut the server works and its answers are lost")
    func oneWayCut() async throws {
        try await withLink { proxy, client, server in
            await proxy.set(.oneWayCut(.toClient))
            client.send(Array("done".utf8))
            #expect(await server.waits { $0 == 4 })
            #expect(await !client.waits(for: .milliseconds(200)) { !$0.received.isEmpty || !$0.isOpen })
            await proxy.set(nil)
            #expect(await client.waits { !$0.isOpen })
        }
    }

    @Test("A reset breaks what is open and lets new connections through")
    func reset() async throws {
        try await withLink { proxy, client, _ in
            await proxy.set(.reset)
            #expect(await client.waits { !$0.isOpen && $0.wasReset })
            let second = try await TestClient.connect(port: proxy.port)
            second.send([1])
            #expect(await second.waits { $0.received == [1] })
        }
    }

    @Test("Refused is refused until healed")
    func refuse() async throws {
        try await withLink { proxy, client, _ in
            await proxy.set(.refuse)
            #expect(await client.waits { !$0.isOpen })
            if let second = try? await TestClient.connect(port: proxy.port) {
                #expect(await second.waits { !$0.isOpen })
            }
            await proxy.set(nil)
            let third = try await TestClient.connect(port: proxy.port)
            third.send([1])
            #expect(await third.waits { $0.received == [1] })
        }
    }

    @Test("A flapping link breaks connections again and again, and is quiet when healed")
    func flap() async throws {
        try await withLink { proxy, client, _ in
            await proxy.set(.flap(period: .milliseconds(100)))
            #expect(await client.waits { !$0.isOpen })
            var broken = 0
            let end = ContinuousClock.now + .seconds(20)
            while broken < 2, ContinuousClock.now < end {
                guard let next = try? await TestClient.connect(port: proxy.port) else { continue }
                next.send([1])
                if await next.waits(for: .seconds(1), until: { !$0.isOpen }) { broken += 1 }
            }
            #expect(broken == 2)
            await proxy.set(nil)
            let last = try await TestClient.connect(port: proxy.port)
            last.send([1])
            #expect(await last.waits { $0.received == [1] })
            #expect(await !last.waits(for: .milliseconds(300)) { !$0.isOpen })
        }
    }

    @Test("Sliced bytes arrive complete and in order")
    func slice() async throws {
        try await withLink { proxy, client, _ in
            await proxy.set(.slice(largest: 2))
            let bytes = (0..<200).map { UInt8($0) }
            client.send(bytes)
            #expect(await client.waits { $0.received.count == 200 })
            // How many slices a read finds is the kernel's business; how they are cut is seen in PureTests.
            #expect(client.snapshot.received == bytes)
        }
    }

    @Test("A limit cuts in the middle of what is sent")
    func limit() async throws {
        try await withLink { proxy, client, server in
            await proxy.set(.limit(bytes: 1000))
            client.send([UInt8](repeating: 1, count: 5000))
            #expect(await client.waits { !$0.isOpen })
            #expect(server.received <= 1000)
        }
    }

    @Test("Damage changes bytes")
    func damage() async throws {
        try await withLink { proxy, client, _ in
            await proxy.set(.damage(oneIn: 1))
            let request = Array("GET / HTTP/1.1\r\n\r\n".utf8)
            client.send(request)
            #expect(await client.waits { $0.received.count == request.count })
            #expect(client.snapshot.received != request)
            #expect(client.snapshot.received.dropFirst() == request.dropFirst())
        }
    }

    @Test("A server that is not there is a reset")
    func noServer() async throws {
        let proxy = FaultProxy(name: "nowhere", port: 1, framing: .http, seed: 1)
        // The reset may come before the connection is seen to be made, or after.
        if let client = try? await TestClient.connect(port: try await proxy.start()) {
            #expect(await client.waits { !$0.isOpen })
        }
        #expect(proxy.counts.resets == 1)
        await proxy.close()
    }

    private func withLink(_ body: (FaultProxy, TestClient, EchoServer) async throws -> Void) async throws {
        let server = try await EchoServer.start()
        let proxy = FaultProxy(name: "test", port: server.port, framing: .http, seed: 1)
        let client = try await TestClient.connect(port: try await proxy.start())
        // The way through is open before the fault comes.
        client.send([0])
        #expect(await client.waits { $0.received == [0] })
        client.forget()
        server.forget()
        proxy.forgetCounts()
        try await body(proxy, client, server)
        await proxy.close()
        await server.close()
    }
}

/// Sends back what it gets.
final class EchoServer: Sendable {
    private let count = Mutex(0)
    private let channel = Mutex<(any Channel)?>(nil)

    static func start() async throws -> EchoServer {
        let server = EchoServer()
        let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(Echo(server))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        server.channel.withLock { $0 = channel }
        return server
    }

    var port: Int { channel.withLock { $0?.localAddress?.port ?? 0 } }
    var received: Int { count.withLock { $0 } }
    func forget() { count.withLock { $0 = 0 } }
    func close() async { try? await channel.withLock { $0 }?.close() }

    func waits(_ condition: (Int) -> Bool) async -> Bool {
        await eventually(.seconds(20)) { condition(received) }
    }

    private final class Echo: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        private let server: EchoServer
        init(_ server: EchoServer) { self.server = server }
        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            let buffer = unwrapInboundIn(data)
            server.count.withLock { $0 += buffer.readableBytes }
            context.writeAndFlush(data, promise: nil)
        }
        func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
    }
}

/// A connection that remembers what it got.
final class TestClient: Sendable {
    struct Snapshot {
        var received: [UInt8] = []
        var isOpen = true
        var wasReset = false
    }

    private let state = Mutex(Snapshot())
    private let channel = Mutex<(any Channel)?>(nil)

    static func connect(port: Int) async throws -> TestClient {
        let client = TestClient()
        let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(Collector(client))
                }
            }
            .connect(host: "127.0.0.1", port: port).get()
        client.channel.withLock { $0 = channel }
        return client
    }

    var snapshot: Snapshot { state.withLock { $0 } }
    func forget() { state.withLock { $0 = Snapshot() } }
    func send(_ bytes: [UInt8]) { channel.withLock { $0 }?.writeAndFlush(ByteBuffer(bytes: bytes), promise: nil) }

    /// Whether the condition comes true in time.
    func waits(for limit: Duration = .seconds(20), until condition: (Snapshot) -> Bool) async -> Bool {
        await eventually(limit) { condition(snapshot) }
    }

    private final class Collector: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        private let client: TestClient
        init(_ client: TestClient) { self.client = client }
        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            let bytes = unwrapInboundIn(data).readableBytesView
            client.state.withLock { $0.received += bytes }
        }
        func channelInactive(context: ChannelHandlerContext) { client.state.withLock { $0.isOpen = false } }
        func errorCaught(context: ChannelHandlerContext, error: any Error) {
            client.state.withLock { $0.wasReset = (error as? IOError)?.errnoCode == ECONNRESET }
            context.close(promise: nil)
        }
    }
}

private func eventually(_ limit: Duration, _ condition: () -> Bool) async -> Bool {
    let end = ContinuousClock.now + limit
    while !condition() {
        guard ContinuousClock.now < end else { return false }
        try? await Task.sleep(for: .milliseconds(5))
    }
    return true
}
