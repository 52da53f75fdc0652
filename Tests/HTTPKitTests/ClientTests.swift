import HTTPKit
import HTTPTypes
import Hummingbird
import NIOCore
import NIOPosix
import StrictJSON
import Testing

@Suite("HTTP sender", .timeLimit(.minutes(2)))
struct ClientTests {
    /// A server that answers the first bytes with fixed ones and hangs up (nil: hangs up at once; empty: says nothing).
    private func withRawServer<T: Sendable>(
        _ answer: [UInt8]?,
        hangsUp: Bool = true,
        _ body: @Sendable (Int) async throws -> T
    ) async throws -> T {
        let server = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(FixedAnswer(answer, hangsUp))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        let result: Result<T, any Error>
        do { result = .success(try await body(server.localAddress?.port ?? 0)) } catch { result = .failure(error) }
        try? await server.close().get()
        return try result.get()
    }

    private final class FixedAnswer: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        typealias OutboundOut = ByteBuffer

        private let answer: [UInt8]?

        private let hangsUp: Bool

        init(_ answer: [UInt8]?, _ hangsUp: Bool) {
            self.answer = answer
            self.hangsUp = hangsUp
        }

        func channelActive(context: ChannelHandlerContext) {
            if answer == nil { context.close(promise: nil) }
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            guard let answer, !answer.isEmpty else { return }
            context.writeAndFlush(wrapOutboundOut(ByteBuffer(bytes: answer)), promise: nil)
            if hangsUp { context.close(promise: nil) }
        }
    }

    private func code(_ result: Result<HTTPReply, HTTPFailure>) -> HTTPFailure.Code? {
        guard case .failure(let failure) = result else { return nil }
        return failure.code
    }

    @Test("replies come with status, headers and body; redirects are not followed; nothing is decompressed")
    func replies() async throws {
        try await withServer(routes: { router in
            router.get("/redirect") { _, _ in Response(status: .found, headers: [.location: "/target"]) }
            router.get("/target") { _, _ in try JSONResponse.make(["at": "target"]) }
            router.get("/zip") { request, _ in
                Response(
                    status: .ok,
                    headers: [.contentEncoding: "gzip", .contentType: request.headers[.acceptEncoding] ?? "none"],
                    body: .init(byteBuffer: ByteBuffer(bytes: [0x1F, 0x8B, 1]))
                )
            }
            router.put("/echo") { request, _ in
                try await JSONResponse.make(bytes: JSONRequest.body(of: request, upTo: 100_000))
            }
        }) { base, _, sender in
            let redirect = try await sender.send("GET", url: base + "/redirect").get()
            #expect(redirect.status == 302 && redirect.header("Location") == "/target" && !redirect.isSuccess)
            let zip = try await sender.send("GET", url: base + "/zip").get()
            #expect(zip.body == [0x1F, 0x8B, 1])
            #expect(zip.header("content-type") == "none")
            let body = [UInt8](repeating: 7, count: 60_000)
            #expect(try await sender.send("PUT", url: base + "/echo", body: body).get().body == body)
            #expect(
                code(await sender.send("PUT", url: base + "/echo", body: body, maxResponseBytes: 59_999))
                    == .responseTooLarge
            )
            let many = await withTaskGroup(of: Bool.self) { group in
                for _ in 0..<100 {
                    group.addTask { (try? await sender.send("GET", url: base + "/target").get().status) == 200 }
                }
                return await group.reduce(0) { $0 + ($1 ? 1 : 0) }
            }
            #expect(many == 100)
        }
    }

    @Test("each way to fail has its code, and says whether the request can have had an effect")
    func failures() async throws {
        var options = HTTPSender.Options()
        // Never met here: a refusal comes at once, but a busy machine may be late to hear of it.
        options.connectTimeout = .seconds(5)
        let sender = HTTPSender(options: options)
        let deadline = Duration.milliseconds(300)
        // A port that was just free: nobody listens.
        let free = try await withRawServer([]) { $0 }
        let refused = await sender.send("GET", url: "http://127.0.0.1:\(free)/", deadline: .seconds(30))
        #expect(code(refused) == .connectionRefused)
        #expect(
            code(await sender.send("GET", url: "http://no-such-host.invalid/", deadline: .seconds(30))) == .dnsError
        )
        try await withRawServer([]) { port in
            let start = ContinuousClock.now
            #expect(
                code(await sender.send("POST", url: "http://127.0.0.1:\(port)/", body: [1], deadline: deadline))
                    == .timeout
            )
            #expect(ContinuousClock.now - start < .seconds(20))
            #expect(code(await sender.send("GET", url: "https://127.0.0.1:\(port)/", deadline: deadline)) != nil)
        }
        try await withRawServer(nil) { port in
            #expect(
                code(await sender.send("GET", url: "http://127.0.0.1:\(port)/", deadline: .seconds(30)))
                    == .connectionReset
            )
        }
        try await withRawServer(Array("SSH-2.0-OpenSSH\r\n\r\n".utf8), hangsUp: false) { port in
            #expect(
                code(await sender.send("GET", url: "http://127.0.0.1:\(port)/", deadline: .seconds(30)))
                    == .protocolError
            )
            #expect(
                code(await sender.send("GET", url: "https://127.0.0.1:\(port)/", deadline: .seconds(30))) == .tlsError
            )
        }
        // The head comes, the body never ends: the deadline covers it too.
        try await withRawServer(
            Array("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n".utf8),
            hangsUp: false
        ) {
            port in
            let result = await sender.send("GET", url: "http://127.0.0.1:\(port)/", deadline: deadline)
            #expect(code(result) == .timeout)
        }
        try await withRawServer(Array("HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n".utf8)) { port in
            #expect(
                code(await sender.send("GET", url: "http://127.0.0.1:\(port)/", deadline: .seconds(30)))
                    == .responseTooLarge
            )
        }
        await sender.shutdown()
        #expect(code(await sender.send("GET", url: "http://127.0.0.1:\(free)/")) == .cancelled)
        #expect(HTTPFailure(.connectionRefused).wasNotSent && HTTPFailure(.dnsError).wasNotSent)
        #expect(!HTTPFailure(.timeout).wasNotSent && !HTTPFailure(.connectionReset).wasNotSent)
    }

    @Test(
        "addresses, methods and headers that cannot be sent",
        arguments: [
            ("GET", "ftp://x/", "a"), ("GET", "/relative", "a"), ("GET", "http://", "a"), ("GET", "http://a b/", "a"),
            ("get", "http://127.0.0.1:1/", "a"), ("", "http://127.0.0.1:1/", "a"),
            ("GET", "http://127.0.0.1:1/", "a\r\nX: b"),
            ("GET", "http://127.0.0.1:1/\n", "a"), ("GET", "javascript:alert(1)", "a"), ("GET", "unix:///tmp/x", "a"),
        ]
    )
    func invalid(method: String, url: String, header: String) async {
        let sender = HTTPSender()
        #expect(code(await sender.send(method, url: url, headers: [("x-test", header)])) == .invalidRequest)
        await sender.shutdown()
    }

    @Test("a cancelled task gets its failure at once")
    func cancellation() async throws {
        let sender = HTTPSender()
        try await withRawServer([]) { port in
            let task = Task { await sender.send("GET", url: "http://127.0.0.1:\(port)/", deadline: .seconds(60)) }
            task.cancel()
            let start = ContinuousClock.now
            #expect(code(await task.value) == .cancelled)
            #expect(ContinuousClock.now - start < .seconds(5))
        }
        await sender.shutdown()
    }
}
