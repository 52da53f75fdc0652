import CCompression
import Foundation
import Messaging
import NIOCore
import NIOSSL
import Synchronization
import Testing

@testable import Webhooks

private let loopback = AddressPolicy(allowed: AddressPolicy.blocks("127.0.0.0/8,::1/128") ?? [])

/// Answers names from a table that a test changes.
final class TableResolver: HostResolver {
    private let table: Mutex<[String: [String]]>
    private let asked = Mutex(0)
    init(_ table: [String: [String]]) { self.table = Mutex(table) }
    var count: Int { asked.withLock { $0 } }
    func set(_ host: String, _ addresses: [String]) { table.withLock { $0[host] = addresses } }
    func addresses(of host: String) async -> [IPAddress] {
        asked.withLock { $0 += 1 }
        return table.withLock { $0[host] ?? [] }.compactMap { IPAddress($0) }
    }
}

@Suite("The client against hostile receivers")
struct ClientTests {
    private func exchange(
        _ client: WebhookClient,
        _ url: String,
        timeout: Duration = .milliseconds(700),
        body: [UInt8] = Array("{}".utf8)
    ) async throws -> WebhookExchange {
        await client.send(
            WebhookRequest(
                url: try WebhookURL(url),
                headers: [("content-type", "application/json")],
                body: body,
                timeout: timeout
            )
        )
    }

    private func once(
        timeout: Duration = .milliseconds(700),
        _ reply: @escaping @Sendable (HostileServer.Request, Int) -> HostileServer.Reply
    ) async throws -> (exchange: WebhookExchange, server: HostileServer, elapsed: Duration) {
        let server = try await HostileServer(reply: reply)
        let client = WebhookClient(policy: loopback)
        let start = ContinuousClock.now
        let exchange = try await exchange(client, server.url, timeout: timeout)
        let elapsed = ContinuousClock.now - start
        await client.interrupt()
        await server.close()
        #expect(server.requests.count <= 1)
        return (exchange, server, elapsed)
    }

    private func response(_ exchange: WebhookExchange) -> AttemptAnswer? {
        guard case .answered(let answer) = exchange.result else { return nil }
        return answer
    }

    private func fault(_ exchange: WebhookExchange) -> AttemptFault? {
        guard case .failed(let fault, _) = exchange.result else { return nil }
        return fault
    }

    @Test func anOrdinaryExchange() async throws {
        let (exchange, server, _) = try await once(timeout: .seconds(10)) { _, _ in
            .bytes(HostileServer.answer("201 Created", [("X-A", "b")], body: "hello"))
        }
        let answer = try #require(response(exchange))
        #expect(answer.status == 201 && answer.header("x-a") == "b" && answer.body == Array("hello".utf8))
        #expect(!answer.isTruncated && exchange.address?.description == "127.0.0.1")
        #expect(exchange.timings.connect != nil && exchange.timings.firstByte != nil && exchange.timings.tls == nil)
        let request = try #require(server.requests.first)
        #expect(request.method == "POST" && request.target == "/hook" && request.header("content-length") == "2")
        #expect(request.header("host") == "127.0.0.1:\(server.port)" && request.header("transfer-encoding") == nil)
    }

    @Test func connectionsAreKept() async throws {
        let server = try await HostileServer { _, _ in .bytes(HostileServer.ok) }
        let client = WebhookClient(policy: loopback)
        for _ in 0..<50 {
            #expect(response(try await exchange(client, server.url, timeout: .seconds(10)))?.status == 200)
        }
        #expect(server.requests.count == 50)
        #expect(server.connections <= 5)
        await client.interrupt()
        await server.close()
    }

    @Test func silenceEndsAtTheDeadline() async throws {
        let (exchange, _, elapsed) = try await once { _, _ in .silence }
        #expect(fault(exchange) == .timeout)
        #expect(elapsed >= .milliseconds(690) && elapsed < .seconds(5))
    }

    @Test func aDrippingHeadEndsAtTheDeadline() async throws {
        let (exchange, _, elapsed) = try await once { _, _ in
            .drip(
                Array("HTTP/1.1 200 OK\r\nx: ".utf8) + [UInt8](repeating: 0x61, count: 100_000),
                every: .milliseconds(20)
            )
        }
        #expect(fault(exchange) == .timeout && elapsed < .seconds(5))
    }

    @Test func aDrippingBodyOfASuccessIsASuccess() async throws {
        let server = try await HostileServer { _, number in
            number == 1
                ? .bytes(Array("HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\nabc".utf8))
                : .bytes(HostileServer.ok)
        }
        let client = WebhookClient(policy: loopback)
        let first = try #require(response(try await exchange(client, server.url, timeout: .seconds(4))))
        #expect(first.status == 200 && first.isTruncated && first.body == Array("abc".utf8))
        // The connection with the unfinished answer is not used again.
        let second = try await exchange(client, server.url, timeout: .seconds(10))
        #expect(response(second)?.status == 200, "\(second)")
        #expect(server.connections == 2)
        await client.interrupt()
        await server.close()
    }

    @Test func anEndlessBodyIsCut() async throws {
        let (exchange, _, elapsed) = try await once(timeout: .seconds(20)) { _, _ in
            .flood(Array("HTTP/1.1 500 No\r\ntransfer-encoding: chunked\r\n\r\nffffff\r\n".utf8))
        }
        let answer = try #require(response(exchange))
        #expect(answer.status == 500 && answer.body.count == 64 << 10 && answer.isTruncated && elapsed < .seconds(10))
    }

    @Test func anEndlessHeadIsCut() async throws {
        let (exchange, _, elapsed) = try await once(timeout: .seconds(20)) { _, _ in
            .flood(Array("HTTP/1.1 200 OK\r\nx: ".utf8))
        }
        #expect(fault(exchange) == .tooLarge || fault(exchange) == .http)
        #expect(elapsed < .seconds(10))
    }

    /// Zeros as gzip, in members of 4 MiB, which one after the other are one file (RFC 1952): only the first has to be packed.
    private func bomb(mebibytes: Int) -> [UInt8] {
        repeatElement(member(mebibytes: 4), count: mebibytes / 4).flatMap { $0 }
    }

    private func member(mebibytes: Int) -> [UInt8] {
        var stream = z_stream()
        let version = String(cString: zlibVersion())
        let windowForGzip: Int32 = 15 + 16
        let size = Int32(MemoryLayout<z_stream>.size)
        guard deflateInit2_(&stream, 9, Z_DEFLATED, windowForGzip, 8, Z_DEFAULT_STRATEGY, version, size) == Z_OK else {
            return []
        }
        defer { deflateEnd(&stream) }
        var zeros = [UInt8](repeating: 0, count: 1 << 20)
        var packed = [UInt8](repeating: 0, count: 1 << 20)
        return zeros.withUnsafeMutableBufferPointer { input in
            packed.withUnsafeMutableBufferPointer { output in
                stream.next_out = output.baseAddress
                stream.avail_out = uInt(output.count)
                for number in 1...mebibytes {
                    stream.next_in = input.baseAddress
                    stream.avail_in = uInt(input.count)
                    guard deflate(&stream, number == mebibytes ? Z_FINISH : Z_NO_FLUSH) >= Z_OK else { return [] }
                }
                return Array(output.prefix(output.count - Int(stream.avail_out)))
            }
        }
    }

    @Test(arguments: [(60, false), (120, true)])
    func aGzipBombIsNeverUnpacked(_ mebibytes: Int, _ isCut: Bool) async throws {
        let bomb = bomb(mebibytes: mebibytes)
        // About a thousandth; the smaller one is kept whole, as it came, the larger one's beginning.
        #expect((mebibytes * 1000...mebibytes * 1080).contains(bomb.count) && bomb.starts(with: [0x1F, 0x8B]))
        let (exchange, _, _) = try await once(timeout: .seconds(20)) { _, _ in
            .bytes(
                Array("HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: \(bomb.count)\r\n\r\n".utf8) + bomb
            )
        }
        let answer = try #require(response(exchange))
        #expect(answer.status == 200 && answer.isTruncated == isCut)
        #expect(answer.body == Array(bomb.prefix(64 << 10)))
    }

    @Test func resets() async throws {
        let before = try await once(timeout: .seconds(10)) { _, _ in .bytesThenReset([]) }
        #expect(fault(before.exchange) == .reset)
        let inHead = try await once(timeout: .seconds(10)) { _, _ in .bytesThenClose(Array("HTTP/1.1 200".utf8)) }
        #expect([.reset, .http].contains(fault(inHead.exchange)))
        let resetInBody = try await once(timeout: .seconds(10)) { _, _ in
            .bytesThenReset(Array("HTTP/1.1 500 No\r\ncontent-length: 10\r\n\r\nabc".utf8))
        }
        // The reset may overtake the head; with a head the answer counts.
        #expect([500, nil].contains(response(resetInBody.exchange)?.status))
        #expect(response(resetInBody.exchange) != nil || fault(resetInBody.exchange) == .reset)
        let inBody = try await once(timeout: .seconds(10)) { _, _ in
            .bytesThenClose(Array("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc".utf8))
        }
        #expect(response(inBody.exchange)?.status == 200 && response(inBody.exchange)?.isTruncated == true)
    }

    @Test func redirectsAreAnswers() async throws {
        for status in ["301 Moved", "302 Found", "307 Temporary", "308 Permanent"] {
            let (exchange, server, _) = try await once(timeout: .seconds(10)) { request, _ in
                .bytes(HostileServer.answer(status, [("location", "http://\(request.header("host") ?? "")/hook")]))
            }
            #expect(response(exchange)?.status == Int(status.prefix(3)) && server.requests.count == 1)
        }
    }

    @Test func informationalAnswersDoNotCount() async throws {
        let (exchange, _, _) = try await once(timeout: .seconds(10)) { _, _ in
            .bytes(Array("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nlink: x\r\n\r\n".utf8) + HostileServer.ok)
        }
        #expect(response(exchange)?.status == 200)
        let only = try await once { _, _ in .bytes(Array("HTTP/1.1 102 Processing\r\n\r\n".utf8)) }
        #expect(fault(only.exchange) == .timeout)
        let switching = try await once(timeout: .seconds(10)) { _, _ in
            .bytes(Array("HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n".utf8))
        }
        #expect((response(switching.exchange)?.status ?? 101) == 101)
    }

    @Test(arguments: [
        "hello world\r\n\r\n", "HTTP/1.1 abc OK\r\n\r\n", "HTTP/9.9 200 OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: -5\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nabcdef", "\0\0\0\0",
    ])
    func malformedAnswers(_ text: String) async throws {
        let (exchange, _, _) = try await once(timeout: .seconds(10)) { _, _ in .bytesThenClose(Array(text.utf8)) }
        #expect([.http, .reset].contains(fault(exchange)), "\(exchange.result)")
    }

    @Test func unaskedBytesEndTheConnection() async throws {
        let server = try await HostileServer { _, _ in .bytes(HostileServer.ok + HostileServer.answer("500 Forged")) }
        let client = WebhookClient(policy: loopback)
        for _ in 0..<3 {
            #expect(response(try await exchange(client, server.url, timeout: .seconds(10)))?.status == 200)
        }
        await client.interrupt()
        await server.close()
    }

    @Test func aKeptConnectionThatItsOtherSideClosedIsReplacedAndCostsNoAttempt() async throws {
        // Each answer keeps the connection alive by its words, and closes it in fact.
        let server = try await HostileServer { _, _ in .bytesThenClose(HostileServer.ok) }
        let client = WebhookClient(policy: loopback)
        var good = 0
        for _ in 0..<200 {
            let exchange = try await exchange(client, server.url, timeout: .seconds(10))
            // Only a request that may have left is a failure; one that never began is sent over another connection.
            if response(exchange)?.status == 200 { good += 1 } else { #expect(fault(exchange) == .reset) }
        }
        #expect(server.requests.count <= 200 && good >= 100, "\(good) of 200 answered")
        await client.interrupt()
        await server.close()
    }

    @Test func everyDeniedAddressOfANameIsBlockedWithoutAConnection() async throws {
        let resolver = TableResolver([:])
        let client = WebhookClient(policy: AddressPolicy(), resolver: resolver)
        let server = try await HostileServer { _, _ in .bytes(HostileServer.ok) }
        let url = "http://hook.test:\(server.port)/"
        for address in AddressTests.deniedAddresses {
            resolver.set("hook.test", [address])
            #expect(fault(try await exchange(client, url, timeout: .seconds(20))) == .blockedAddress, "\(address)")
            // One denied address among good ones denies the name.
            resolver.set("hook.test", ["1.1.1.1", address])
            #expect(fault(try await exchange(client, url, timeout: .seconds(20))) == .blockedAddress, "\(address)")
        }
        #expect(client.connectionsMade == 0 && server.connections == 0)
        await client.interrupt()
        await server.close()
    }

    @Test func listenersOnForbiddenAddressesSeeNothing() async throws {
        for (host, spellings) in [
            (
                "127.0.0.1",
                ["127.0.0.1", "127.1", "127.000.000.001", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]"]
            ),
            ("127.0.0.2", ["127.0.0.2", "2130706434", "0x7f000002", "017700000002", "0177.0.0.2", "0x7f.2", "127.2"]),
            ("0.0.0.0", ["0", "0.0.0.0", "[::]", "LOCALHOST"]),
        ] {
            let server = try await HostileServer(host: host) { _, _ in .bytes(HostileServer.ok) }
            let client = WebhookClient(policy: AddressPolicy())
            for spelling in spellings {
                let exchange = try await exchange(client, "http://\(spelling):\(server.port)/", timeout: .seconds(20))
                #expect(fault(exchange) == .blockedAddress, "\(spelling): \(exchange.result)")
            }
            #expect(client.connectionsMade == 0 && server.connections == 0, "\(host)")
            await client.interrupt()
            await server.close()
        }
    }

    @Test func nobodyListens() async throws {
        let port = try ReservedPort()
        let url = "http://127.0.0.1:\(port.number)/"
        let client = WebhookClient(policy: loopback)
        #expect(fault(try await exchange(client, url)) == .refused)
        #expect(fault(try await exchange(client, "http://nowhere.invalid/", timeout: .seconds(20))) == .dns)
        await client.interrupt()
        #expect(fault(try await exchange(client, url)) == .interrupted)
        withExtendedLifetime(port) {}
    }

    @Test func deniedAddressesSeeNoConnection() async throws {
        let server = try await HostileServer { _, _ in .bytes(HostileServer.ok) }
        let client = WebhookClient(policy: AddressPolicy())
        for host in [
            "127.0.0.1", "127.1", "2130706433", "0x7f000001", "017700000001", "0177.0.0.1", "0x7f.1", "LOCALHOST", "0",
        ] {
            let exchange = try await exchange(client, "http://\(host):\(server.port)/", timeout: .seconds(20))
            #expect(fault(exchange) == .blockedAddress, "\(host): \(exchange.result)")
        }
        #expect(fault(try await exchange(client, "http://[::ffff:127.0.0.1]:\(server.port)/")) == .blockedAddress)
        #expect(server.connections == 0)
        await client.interrupt()
        await server.close()
    }

    @Test func rebindingIsBlockedBothWays() async throws {
        let server = try await HostileServer { _, _ in .bytes(HostileServer.ok) }
        let resolver = TableResolver(["hook.test": ["127.0.0.1"]])
        let client = WebhookClient(policy: loopback, resolver: resolver)
        let url = "http://hook.test:\(server.port)/"
        #expect(response(try await exchange(client, url, timeout: .seconds(10)))?.status == 200)
        #expect(server.requests.first?.header("host") == "hook.test:\(server.port)")
        // The connection to the good address is still open; the name now leads elsewhere.
        resolver.set("hook.test", ["10.0.0.1"])
        #expect(fault(try await exchange(client, url, timeout: .seconds(10))) == .blockedAddress)
        resolver.set("hook.test", ["127.0.0.1", "169.254.169.254"])
        #expect(fault(try await exchange(client, url, timeout: .seconds(10))) == .blockedAddress)
        #expect(server.requests.count == 1)
        resolver.set("hook.test", ["127.0.0.1"])
        #expect(response(try await exchange(client, url, timeout: .seconds(10)))?.status == 200)
        #expect(resolver.count == 4)
        await client.interrupt()
        await server.close()
    }

    @Test func aSlowResolverIsInsideTheDeadline() async throws {
        struct Slow: HostResolver {
            func addresses(of host: String) async -> [IPAddress] {
                try? await Task.sleep(for: .seconds(60))
                return []
            }
        }
        let client = WebhookClient(policy: loopback, resolver: Slow())
        let start = ContinuousClock.now
        #expect(fault(try await exchange(client, "http://hook.test/", timeout: .milliseconds(200))) == .timeout)
        #expect(ContinuousClock.now - start < .seconds(30))
        await client.interrupt()
    }

    @Test func theNextAddressIsTriedWhenNobodyListens() async throws {
        let server = try await HostileServer { _, _ in .bytes(HostileServer.ok) }
        let client = WebhookClient(
            policy: loopback,
            resolver: TableResolver(["hook.test": ["127.0.0.9", "127.0.0.1"]])
        )
        let exchange = try await exchange(client, "http://hook.test:\(server.port)/", timeout: .seconds(10))
        #expect(response(exchange)?.status == 200 && exchange.address?.description == "127.0.0.1")
        await client.interrupt()
        await server.close()
    }
}
