import Foundation
import Messaging
import NIOCore
import NIOPosix
import NIOSSL
import Synchronization

/// A server that answers with whatever bytes a test wants. It parses requests with code of its own and shares nothing with the
/// sender.
final class HostileServer: Sendable {
    struct Request: Sendable {
        var method: String
        var target: String
        var headers: [(name: String, value: String)]
        var body: [UInt8]
        func header(_ name: String) -> String? { headers.first { $0.name == name }?.value }
    }

    /// What a connection does with a request.
    enum Reply: Sendable {
        /// These bytes, then wait for the next request.
        case bytes([UInt8])
        /// These bytes, then close.
        case bytesThenClose([UInt8])
        /// These bytes, then a reset.
        case bytesThenReset([UInt8])
        /// Nothing, for ever.
        case silence
        /// These bytes, one each interval, for ever repeated.
        case drip([UInt8], every: TimeAmount)
        /// These bytes, then zeros for ever.
        case flood([UInt8])
        /// These bytes after a while.
        case later(TimeAmount, [UInt8])
    }

    private let channel: any Channel
    private let state: Mutex<State>

    private struct State {
        var requests: [Request] = []
        var connections = 0
        var open: [ObjectIdentifier: any Channel] = [:]
        var bytes = 0
    }

    let port: Int

    init(
        host: String = "127.0.0.1",
        tls: NIOSSLContext? = nil,
        keepsRequests: Bool = true,
        reply: @escaping @Sendable (_ request: Request, _ number: Int) -> Reply
    ) async throws {
        let state = Mutex(State())
        let box = StateBox()
        self.state = state
        channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .serverChannelOption(.backlog, value: 1024)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    if let tls { try channel.pipeline.syncOperations.addHandler(NIOSSLServerHandler(context: tls)) }
                    try channel.pipeline.syncOperations.addHandler(
                        Handler(
                            onOpen: { box.server?.opened($0) },
                            onClose: { box.server?.closed($0) },
                            onRequest: { request in reply(request, keepsRequests ? box.server?.note(request) ?? 0 : 0) }
                        )
                    )
                }
            }
            .bind(host: host, port: 0).get()
        port = channel.localAddress?.port ?? 0
        box.server = self
    }

    var url: String { "http://127.0.0.1:\(port)/hook" }
    var requests: [Request] { state.withLock { $0.requests } }
    var connections: Int { state.withLock { $0.connections } }

    func close() async {
        try? await channel.close()
        for open in state.withLock({ Array($0.open.values) }) { try? await open.close() }
    }

    static func answer(_ status: String, _ headers: [(String, String)] = [], body: String = "") -> [UInt8] {
        var text = "HTTP/1.1 \(status)\r\ncontent-length: \(body.utf8.count)\r\n"
        for (name, value) in headers { text += "\(name): \(value)\r\n" }
        return Array((text + "\r\n" + body).utf8)
    }

    static let ok = answer("200 OK", body: "ok")

    private func note(_ request: Request) -> Int {
        state.withLock { state in
            state.requests.append(request)
            return state.requests.count
        }
    }

    private func opened(_ channel: any Channel) {
        state.withLock { state in
            state.connections += 1
            state.open[ObjectIdentifier(channel)] = channel
        }
    }

    private func closed(_ channel: any Channel) { state.withLock { $0.open[ObjectIdentifier(channel)] = nil } }

    private final class StateBox: Sendable {
        private let held = Mutex<Weak>(Weak())
        private struct Weak { weak var server: HostileServer? }
        var server: HostileServer? {
            get { held.withLock { $0.server } }
            set { held.withLock { $0.server = newValue } }
        }
    }

    private final class Handler: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        typealias OutboundOut = ByteBuffer
        private var received: [UInt8] = []
        private let onOpen: (any Channel) -> Void
        private let onClose: (any Channel) -> Void
        private let onRequest: (Request) -> Reply

        init(
            onOpen: @escaping (any Channel) -> Void,
            onClose: @escaping (any Channel) -> Void,
            onRequest: @escaping (Request) -> Reply
        ) {
            self.onOpen = onOpen
            self.onClose = onClose
            self.onRequest = onRequest
        }

        func channelActive(context: ChannelHandlerContext) { onOpen(context.channel) }
        func channelInactive(context: ChannelHandlerContext) { onClose(context.channel) }
        func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            received.append(contentsOf: unwrapInboundIn(data).readableBytesView)
            while let request = next() { act(onRequest(request), context) }
        }

        /// One whole request from what was received.
        private func next() -> Request? {
            guard let end = received.firstRange(of: Array("\r\n\r\n".utf8)) else { return nil }
            let head = String(decoding: received[..<end.lowerBound], as: UTF8.self)
            var lines = head.components(separatedBy: "\r\n")
            let first = lines.removeFirst().split(separator: " ")
            let headers = lines.map { line in
                let parts = line.split(separator: ":", maxSplits: 1)
                return (name: parts[0].lowercased(), value: parts[1].trimmingCharacters(in: .whitespaces))
            }
            let length = headers.first { $0.name == "content-length" }.flatMap { Int($0.value) } ?? 0
            guard received.count >= end.upperBound + length else { return nil }
            let body = Array(received[end.upperBound..<end.upperBound + length])
            received.removeFirst(end.upperBound + length)
            return Request(method: String(first[0]), target: String(first[1]), headers: headers, body: body)
        }

        private func act(_ reply: Reply, _ context: ChannelHandlerContext) {
            func write(_ bytes: [UInt8]) {
                context.writeAndFlush(wrapOutboundOut(ByteBuffer(bytes: bytes)), promise: nil)
            }
            switch reply {
            case .bytes(let bytes): write(bytes)
            case .bytesThenClose(let bytes):
                write(bytes)
                context.close(promise: nil)
            case .bytesThenReset(let bytes):
                write(bytes)
                // Zero linger: closing sends a reset.
                let channel = context.channel
                _ = (channel as? any SocketOptionProvider)?.setSoLinger(linger(l_onoff: 1, l_linger: 0)).always { _ in
                    channel.close(promise: nil)
                }
            case .silence: break
            case .drip(let bytes, let interval):
                let channel = context.channel
                let index = Mutex(0)
                context.eventLoop.scheduleRepeatedTask(initialDelay: interval, delay: interval) { task in
                    guard channel.isActive else { return task.cancel() }
                    let byte = index.withLock { index in
                        defer { index += 1 }
                        return bytes[index % bytes.count]
                    }
                    channel.writeAndFlush(ByteBuffer(bytes: [byte]), promise: nil)
                }
            case .flood(let bytes):
                write(bytes)
                Self.flood(context.channel)
            case .later(let time, let bytes):
                let channel = context.channel
                context.eventLoop.scheduleTask(in: time) {
                    channel.writeAndFlush(ByteBuffer(bytes: bytes), promise: nil)
                }
            }
        }

        private static func flood(_ channel: any Channel) {
            channel.writeAndFlush(ByteBuffer(repeating: 0x20, count: 16 << 10)).whenSuccess { flood(channel) }
        }
    }
}
