import Dispatch
import NIOCore
import NIOPosix
import Synchronization
import Testing

@testable import EventLog

/// What an operator sees: health, metrics, and the tools that look into a data directory.
@Suite struct OperatorViewTests {
    private final class Collector: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer

        private var received = ByteBuffer()
        private let done: EventLoopPromise<String>

        init(done: EventLoopPromise<String>) { self.done = done }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            var bytes = unwrapInboundIn(data)
            received.writeBuffer(&bytes)
        }

        func channelInactive(context: ChannelHandlerContext) { done.succeed(String(buffer: received)) }
        func errorCaught(context: ChannelHandlerContext, error: any Error) { done.fail(error) }
    }

    /// The whole answer, head and body.
    private func get(_ path: String, _ port: Int, method: String = "GET") async throws -> String {
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        let done = loop.makePromise(of: String.self)
        let channel: any Channel
        do {
            channel = try await ClientBootstrap(group: loop)
                .channelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture {
                        try channel.pipeline.syncOperations.addHandler(Collector(done: done))
                    }
                }
                .connect(host: "127.0.0.1", port: port).get()
        } catch {
            done.fail(error)
            throw error
        }
        try await channel.writeAndFlush(ByteBuffer(string: "\(method) \(path) HTTP/1.1\r\nhost: test\r\n\r\n"))
        return try await done.futureResult.get()
    }

    /// A port that is free together with the next one, for what has to be known before a start is over. Looked for below
    /// those that the system gives out by itself.
    private func freePorts() async throws -> Int {
        while true {
            let port = Int.random(in: 20_000..<30_000)
            let bootstrap = ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            guard let first = try? await bootstrap.bind(host: "127.0.0.1", port: port).get() else { continue }
            let second = try? await bootstrap.bind(host: "127.0.0.1", port: port + 1).get()
            try await first.close()
            try await second?.close()
            if second != nil { return port }
        }
    }

    @Test func metricsTellBytesBatchesSynchronisationsGroupsAndLag() async throws {
        try await TestServer.with({ $0.metricsHost = "127.0.0.1" }) { test in
            let client = try await test.client()
            try await client.createTopic("t")
            let batch = TestBatch.make(["a", "b", "c"])
            for _ in 0..<2 { _ = try await client.produce("t", 0, batch) }
            _ = try await client.fetch(TestClient.fetchRequest("t", offset: 0))
            let commit = OffsetCommitRequest(
                groupId: "g",
                topics: [.init(name: "t", partitions: [.init(index: 0, offset: 2, metadata: "")])]
            )
            _ = try await client.call(.offsetCommit, commit, OffsetCommitResponse.self, version: 8)
            let port = try #require(test.server.metricsPort)
            let page = try await get("/metrics", port)
            let bytes = 2 * batch.readableBytes
            for line in [
                "event_log_batches_total 2", "event_log_synced_bytes_total \(bytes)",
                "event_log_fetched_bytes_total \(bytes)", "event_log_connections 1",
                "event_log_groups{state=\"Empty\"} 1", "event_log_partition_end_offset{partition=\"0\",topic=\"t\"} 6",
                "event_log_partition_bytes{partition=\"0\",topic=\"t\"} \(bytes)",
                "event_log_group_lag{group=\"g\",partition=\"0\",topic=\"t\"} 4",
            ] {
                #expect(page.contains("\n\(line)\n"), "\(line)")
            }
            let count = page.split(separator: "\n").first { $0.hasPrefix("event_log_sync_seconds_count") }
            let synchronisations = count.flatMap { $0.split(separator: " ").last }.flatMap { Int($0) } ?? 0
            // Two batches, a topic's creation and a commit, at the least.
            #expect(synchronisations >= 4)
            #expect(try await get("/health/ready", port).hasPrefix("HTTP/1.1 200"))
            #expect(try await get("/elsewhere", port).hasPrefix("HTTP/1.1 404"))
            #expect(try await get("/metrics", port, method: "DELETE").hasPrefix("HTTP/1.1 405"))
        }
    }

    /// While the data directory is being read, the process is alive and not ready, and clients cannot connect.
    @Test func readyOnlyAfterRecovery() async throws {
        let (mayGoOn, hasBegun) = (DispatchSemaphore(value: 0), AsyncStream.makeStream(of: Void.self))
        let isFirst = SharedBox(Atomic(true))
        let disk = MemoryFileLayer { (_: String, _: String) throws(StorageError) in
            guard isFirst.value.exchange(false, ordering: .relaxed) else { return }
            hasBegun.continuation.finish()
            mayGoOn.wait()
        }
        let port = try await freePorts()
        async let starting = TestServer.start(directory: "/data", files: disk) {
            $0.metricsHost = "127.0.0.1"
            $0.metricsPort = port
            $0.port = port + 1
        }
        for await _ in hasBegun.stream {}
        #expect(try await get("/health/live", port).hasPrefix("HTTP/1.1 200"))
        #expect(try await get("/health/ready", port).hasPrefix("HTTP/1.1 503"))
        await #expect(throws: (any Error).self) { _ = try await TestClient.connect(port + 1) }
        mayGoOn.signal()
        let test = try await starting
        #expect(try await get("/health/ready", port).hasPrefix("HTTP/1.1 200"))
        #expect(try await TestClient.connect(port + 1).producerId() >= 0)
        try await test.server.stop()
    }

    @Test func toolsShowWhatIsThere() async throws {
        let test = try await TestServer.start()
        let client = try await test.client()
        try await client.createTopic("b", partitions: 2, configs: ["retention.ms": "1000"])
        try await client.createTopic("a")
        _ = try await client.produce("b", 1, TestBatch.make(["x", "y"], producerId: 5, epoch: 0, sequence: 0))
        _ = try await client.produce("b", 1, TestBatch.make(["z"], producerId: 5, epoch: 0, sequence: 2))
        try await test.server.stop()
        let inspector = try EventLogInspector(dataDirectory: test.directory)
        #expect(inspector.topics.map(\.name) == ["a", "b"])
        #expect(inspector.topics.last?.partitions == 2)
        #expect(inspector.topics.last?.settings == ["retention.ms": "1000"])
        let batches = try inspector.batches(topic: "b", partition: 1)
        #expect(batches.map(\.baseOffset) == [0, 2] && batches.map(\.lastOffset) == [1, 2])
        #expect(batches.allSatisfy { $0.isIntact && $0.producerId == 5 && $0.segment == 0 })
        #expect(try inspector.batches(topic: "b", partition: 1, from: 2).map(\.baseOffset) == [2])
        #expect(throws: EventLogError.self) { _ = try inspector.batches(topic: "b", partition: 2) }
        let reports = try inspector.verify()
        #expect(reports.map { "\($0.topic)-\($0.partition): \($0.records)" } == ["a-0: 0", "b-0: 0", "b-1: 3"])
        #expect(reports.allSatisfy { $0.problems.isEmpty && $0.unfinishedBytes == 0 })
        #expect(reports.last?.endOffset == 3)
        TestServer.remove(test.directory)
    }
}
