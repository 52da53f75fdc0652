import Logging
import NIOCore
import NIOPosix
import Synchronization
import Testing

@testable import EventLog

/// A bare client: sends frames, reads frames, in order.
final class TestClient: Sendable {
    struct Closed: Error {}

    private final class Handler: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer

        private var received = ByteBuffer()
        private let sink: AsyncStream<ByteBuffer>.Continuation

        init(sink: AsyncStream<ByteBuffer>.Continuation) { self.sink = sink }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            var bytes = unwrapInboundIn(data)
            received.writeBuffer(&bytes)
            while let length = received.getInteger(at: received.readerIndex, as: Int32.self),
                received.readableBytes >= 4 + Int(length)
            {
                received.moveReaderIndex(forwardBy: 4)
                if let frame = received.readSlice(length: Int(length)) { sink.yield(frame) }
            }
        }

        func channelInactive(context: ChannelHandlerContext) { sink.finish() }
        func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
    }

    private let channel: any Channel
    private let frames: AsyncStream<ByteBuffer>
    private let nextId = Mutex<Int32>(1)

    private init(channel: any Channel, frames: AsyncStream<ByteBuffer>) {
        self.channel = channel
        self.frames = frames
    }

    /// Without `reads` whatever the server sends stays in the sockets.
    static func connect(_ port: Int, reads: Bool = true) async throws -> TestClient {
        let (frames, sink) = AsyncStream.makeStream(of: ByteBuffer.self)
        let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .channelOption(.autoRead, value: reads)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(Handler(sink: sink))
                }
            }
            .connect(host: "127.0.0.1", port: port).get()
        return TestClient(channel: channel, frames: frames)
    }

    /// Sends raw bytes.
    func write(_ bytes: [UInt8]) async throws { try await channel.writeAndFlush(ByteBuffer(bytes: bytes)) }

    /// Sends a request; its answer is read by ``receive(_:_:version:)``.
    func send<Message: WireStruct>(_ key: ApiKey, _ message: Message, version: Int16) async throws {
        let id = nextId.withLock { id in
            defer { id += 1 }
            return id
        }
        try await channel.writeAndFlush(try Self.frame(key, message, version: version, correlationId: id))
    }

    static func frame<Message: WireStruct>(
        _ key: ApiKey,
        _ message: Message,
        version: Int16,
        correlationId: Int32
    ) throws -> ByteBuffer {
        let row = try #require(ApiTable.row(key: key.rawValue))
        var frame = ByteBuffer()
        frame.writeInteger(Int32(0))
        frame.writeInteger(key.rawValue)
        frame.writeInteger(version)
        frame.writeInteger(correlationId)
        frame.writeInteger(Int16(4))
        frame.writeString("test")
        if row.isFlexible(version) { frame.writeInteger(UInt8(0)) }
        var writer = WireWriter(version: version, isFlexible: row.isFlexible(version))
        writer.message(message)
        var body = writer.finishContiguous()
        frame.writeBuffer(&body)
        frame.setInteger(Int32(frame.readableBytes - 4), at: 0)
        return frame
    }

    /// The next frame, or ``Closed``. Two minutes, because the largest request takes one under the thread sanitizer.
    func receiveFrame() async throws -> ByteBuffer {
        try await withThrowingTaskGroup(of: ByteBuffer?.self) { group in
            group.addTask { [frames] in
                for await frame in frames { return frame }
                return nil
            }
            group.addTask {
                try await Task.sleep(for: .seconds(120))
                throw Closed()
            }
            defer { group.cancelAll() }
            guard let frame = try await group.next() ?? nil else { throw Closed() }
            return frame
        }
    }

    func receive<Message: WireStruct>(_ key: ApiKey, _ type: Message.Type, version: Int16) async throws -> Message {
        let row = try #require(ApiTable.row(key: key.rawValue))
        var frame = try await receiveFrame()
        frame.moveReaderIndex(forwardBy: 4)
        if row.responseHeaderIsFlexible(version) { frame.moveReaderIndex(forwardBy: 1) }
        var reader = WireReader(frame, version: version, isFlexible: row.isFlexible(version))
        let message = try reader.message(type)
        #expect(reader.buffer.readableBytes == 0)
        return message
    }

    func call<Request: WireStruct, Response: WireStruct>(
        _ key: ApiKey,
        _ request: Request,
        _ type: Response.Type,
        version: Int16
    ) async throws -> Response {
        try await send(key, request, version: version)
        return try await receive(key, type, version: version)
    }

    /// Whether the server closes the connection.
    func isClosedByServer() async -> Bool {
        do {
            _ = try await receiveFrame()
            return false
        } catch {
            return !channel.isActive
        }
    }

    func close() async { try? await channel.close() }
}

/// A server on a free port and a directory of its own.
struct TestServer {
    let server: LogServer
    let directory: String

    static func start(
        directory: String? = nil,
        files: any FileLayer = PosixFileLayer(),
        _ change: (inout EventLogConfiguration) -> Void = { _ in }
    ) async throws -> TestServer {
        let path = directory ?? "/tmp/event-log-test-\(UInt64.random(in: .min ... .max))"
        var configuration = EventLogConfiguration(dataDirectory: path)
        configuration.port = 0
        configuration.defaultPartitions = 1
        change(&configuration)
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        return TestServer(
            server: try await LogServer.start(configuration, logger: logger, files: files),
            directory: path
        )
    }

    /// Runs a test on a fresh server and removes it afterwards.
    static func with(
        files: any FileLayer = PosixFileLayer(),
        _ change: (inout EventLogConfiguration) -> Void = { _ in },
        _ body: (TestServer) async throws -> Void
    ) async throws {
        let test = try await start(files: files, change)
        do {
            try await body(test)
        } catch {
            try? await test.stop()
            throw error
        }
        try await test.stop()
    }

    func stop() async throws {
        try await server.stop()
        Self.remove(directory)
    }

    static func remove(_ directory: String) {
        let files = PosixFileLayer()
        guard let names = try? files.entries(of: directory) else { return }
        for name in names {
            let path = "\(directory)/\(name)"
            if (try? files.entries(of: path)) != nil { remove(path) } else { try? files.remove(path) }
        }
        try? files.removeDirectory(directory)
    }

    func client(reads: Bool = true) async throws -> TestClient {
        try await TestClient.connect(server.port, reads: reads)
    }
}

/// Shorthands for the requests that most tests need.
extension TestClient {
    func createTopic(_ name: String, partitions: Int32 = 1, configs: [String: String] = [:]) async throws {
        let topic = CreateTopicsRequest.Topic(
            name: name,
            partitionCount: partitions,
            replicationFactor: 1,
            configs: configs.map { .init(name: $0.key, value: $0.value) }
        )
        let response = try await call(
            .createTopics,
            CreateTopicsRequest(topics: [topic], timeoutMs: 1000),
            CreateTopicsResponse.self,
            version: 7
        )
        #expect(response.topics.first?.error == ErrorCode.none)
    }

    static func produceRequest(
        _ topic: String,
        _ partition: Int32 = 0,
        _ batch: ByteBuffer,
        acks: Int16 = -1
    ) -> ProduceRequest {
        ProduceRequest(
            acks: acks,
            timeoutMs: 1000,
            topics: [.init(name: topic, partitions: [.init(index: partition, records: batch)])]
        )
    }

    func produce(_ topic: String, _ partition: Int32 = 0, _ batch: ByteBuffer) async throws -> ProduceResponse.Partition
    {
        let response = try await call(
            .produce,
            Self.produceRequest(topic, partition, batch),
            ProduceResponse.self,
            version: 9
        )
        return try #require(response.topics.first?.partitions.first)
    }

    static func fetchRequest(
        _ topic: String,
        _ partition: Int32 = 0,
        offset: Int64,
        maxWaitMs: Int32 = 0,
        minBytes: Int32 = 1,
        maxBytes: Int32 = 1 << 20
    ) -> FetchRequest {
        FetchRequest(
            maxWaitMs: maxWaitMs,
            minBytes: minBytes,
            maxBytes: maxBytes,
            topics: [.init(name: topic, partitions: [.init(index: partition, fetchOffset: offset, maxBytes: maxBytes)])]
        )
    }

    func fetch(_ request: FetchRequest) async throws -> FetchResponse.Partition {
        let response = try await call(.fetch, request, FetchResponse.self, version: 12)
        return try #require(response.topics.first?.partitions.first)
    }

    func producerId() async throws -> Int64 {
        try await call(.initProducerId, InitProducerIdRequest(), InitProducerIdResponse.self, version: 4).producerId
    }
}
