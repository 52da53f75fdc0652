import Foundation
import HTTPKit
import Hummingbird
import NIOCore
import NIOPosix
import StrictJSON
import Telemetry
import Testing

/// Clients that no HTTP library would be: bytes are written by hand.
@Suite("Hostile clients", .timeLimit(.minutes(2)))
struct HostileClientTests {
    private let small = ListenerOptions.with {
        $0.maxBodyBytes = 10_000
        $0.idleTimeout = .seconds(5)
    }

    private let hasty = ListenerOptions.with {
        $0.readTimeout = .milliseconds(400)
        $0.idleTimeout = .milliseconds(400)
        $0.writeTimeout = .milliseconds(400)
    }

    private func status(_ answer: String) -> String { String(answer.prefix(12)) }

    @Test("an announced body over the bound is refused before it is sent")
    func announced() async throws {
        try await withServer(options: small, routes: ServerTests.routes) { _, port, _ in
            for path in ["/orders", "/ignore", "/nowhere"] {
                let answer = try await RawClient.exchange(
                    port,
                    [
                        "POST \(path) HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 10485760\r\n\r\n"
                    ]
                )
                #expect(status(answer) == "HTTP/1.1 413")
                #expect(answer.lowercased().contains("connection: close"))
                #expect(answer.contains("\"code\":\"content-too-large\""))
            }
        }
    }

    @Test("a chunked body without length is cut at the bound, also when the handler never reads it")
    func chunked() async throws {
        try await withServer(options: small, routes: ServerTests.routes) { _, port, _ in
            let chunk = "1000\r\n" + String(repeating: " ", count: 4096) + "\r\n"
            for (path, expected) in [("/orders", "HTTP/1.1 413"), ("/ignore", "HTTP/1.1 200")] {
                let head =
                    "POST \(path) HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
                let answer = try await RawClient.exchange(
                    port,
                    [head] + [String](repeating: chunk, count: 100),
                    pause: .milliseconds(1)
                )
                #expect(status(answer) == expected)
                // One answer, then the end.
                #expect(answer.components(separatedBy: "HTTP/1.1 ").count == 2)
            }
        }
    }

    @Test("ten megabytes sent at full speed end in 413 and not in a reset before the answer")
    func flood() async throws {
        try await withServer(options: .with { $0.maxBodyBytes = 10_000 }, routes: ServerTests.routes) {
            base,
            port,
            sender in
            let body = [UInt8](repeating: UInt8(ascii: " "), count: 65_536)
            let head = Array(
                "POST /orders HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 10485760\r\n\r\n"
                    .utf8
            )
            let answer = try await RawClient.exchange(port, [head] + [[UInt8]](repeating: body, count: 160))
            #expect(status(answer) == "HTTP/1.1 413")
            #expect(try await sender.send("GET", url: base + "/orders/1").get().status == 200)
        }
    }

    @Test("slow heads, slow bodies and silent connections are cut")
    func slow() async throws {
        try await withServer(options: hasty, routes: ServerTests.routes) { _, port, _ in
            try await withThrowingTaskGroup(of: Void.self) { group in
                let headers = ["POST /orders HTTP/1.1\r\n"] + (0..<100).map { "X-\($0): 1\r\n" }
                let body =
                    [
                        "POST /orders HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 5000\r\n\r\n"
                    ]
                    + [String](repeating: " ", count: 100)
                for pieces in [headers, body, [""], ["GET /orders/1 HTTP/1.1\r\nHost: x\r\n\r\n"]] {
                    group.addTask {
                        let start = ContinuousClock.now
                        _ = try await RawClient.exchange(port, pieces, pause: .milliseconds(50))
                        // 100 pieces at 50 ms would take 5 s.
                        #expect(ContinuousClock.now - start < .seconds(4), "\(pieces[0])")
                    }
                }
                try await group.waitForAll()
            }
        }
    }

    @Test("a client that takes nothing is cut")
    func slowReader() async throws {
        let options = ListenerOptions.with { $0.writeTimeout = .milliseconds(300) }
        try await withServer(
            options: options,
            routes: { router in
                router.get("/big") { _, _ in JSONResponse.make(bytes: [UInt8](repeating: 0x20, count: 32 << 20)) }
            }
        ) { _, port, _ in
            let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
                .channelOption(.autoRead, value: false)
                .connect(host: "127.0.0.1", port: port).get()
            try await channel.writeAndFlush(ByteBuffer(string: "GET /big HTTP/1.1\r\nHost: x\r\n\r\n"))
            // The client never reads, so it cannot see the end; its own bytes are refused once the server has hung up. The
            // idle timeout (30 s) is no explanation: the test must end before it.
            let start = ContinuousClock.now
            do {
                while channel.isActive {
                    try await channel.writeAndFlush(ByteBuffer(string: "G"))
                    try await Task.sleep(for: .milliseconds(20))
                }
            } catch is IOError {
            } catch ChannelError.ioOnClosedChannel {
                // The end came between the look and the write.
            }
            #expect(ContinuousClock.now - start < .seconds(20))
            try? await channel.close()
        }
    }

    @Test(
        "bytes that are no HTTP get one problem document and the end",
        arguments: [
            ("\u{16}\u{3}\u{1}\u{0}", "400"), ("GET / HTTP/1.1\r\nbad header\r\n\r\n", "400"),
            ("GET  / HTTP/9.9\r\n\r\n", "400"),
            (
                "POST /ignore HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
                "400"
            ),
            ("POST /ignore HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello", "400"),
            ("GET /orders/1 HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX: a\r\n b\r\n\r\n", "any"),
            ("GET / HTTP/1.1\r\nX: \(String(repeating: "a", count: 30_000))\r\n\r\n", "431"),
            ("GET /\(String(repeating: "a", count: 30_000)) HTTP/1.1\r\n\r\n", "431"),
            ("GET / HTTP/1.1\r\n" + (0..<200).map { "X-\($0): 1\r\n" }.joined() + "\r\n", "431"),
        ] as [(String, String)]
    )
    func garbage(text: String, expected: String) async throws {
        try await withServer(options: small, routes: ServerTests.routes) { base, port, sender in
            let answer = try await RawClient.exchange(port, [text])
            if expected != "any" {
                #expect(answer.hasPrefix("HTTP/1.1 \(expected) "), "\(answer.prefix(80))")
                #expect(answer.contains("application/problem+json"))
                #expect(answer.components(separatedBy: "HTTP/1.1 ").count == 2)
            }
            #expect(try await sender.send("GET", url: base + "/orders/1").get().status == 200)
        }
    }

    @Test("a body that breaks off in the middle is answered once")
    func brokenBody() async throws {
        try await withServer(options: small, routes: ServerTests.routes) { _, port, _ in
            let answer = try await RawClient.exchange(
                port,
                [
                    "POST /orders HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n",
                    "zz\r\nnonsense",
                ],
                pause: .milliseconds(50)
            )
            #expect(answer.hasPrefix("HTTP/1.1 400 "))
            #expect(answer.components(separatedBy: "HTTP/1.1 ").count == 2)
        }
    }

    @Test("pipelined requests are all answered in order")
    func pipelining() async throws {
        try await withServer(options: small, routes: ServerTests.routes) { _, port, _ in
            let requests = (0..<5).map {
                "GET /orders/p\($0) HTTP/1.1\r\nHost: x\r\n" + ($0 == 4 ? "Connection: close\r\n" : "") + "\r\n"
            }.joined()
            let answer = try await RawClient.exchange(port, [requests])
            let order = (0..<5).compactMap { answer.range(of: "\"id\":\"p\($0)\"")?.lowerBound }
            #expect(order.count == 5 && order == order.sorted())
        }
    }

    @Test("connections over the bound wait and are served when one is free")
    func connectionBound() async throws {
        let options = ListenerOptions.with {
            $0.maxConnections = 2
            $0.idleTimeout = .milliseconds(500)
        }
        try await withServer(options: options, routes: ServerTests.routes) { base, port, sender in
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<2 { group.addTask { _ = try await RawClient.exchange(port, [""]) } }
                // The silent ones hold both places until the idle timeout frees them.
                for _ in 0..<4 {
                    group.addTask {
                        let reply = try await sender.send("GET", url: base + "/orders/1").get()
                        #expect(reply.status == 200)
                    }
                }
                try await group.waitForAll()
            }
        }
    }
}
