import Messaging
import NIOSSL
import Testing

@testable import Webhooks

/// A certificate for `hook.test` that signs itself; made for these tests, good for nothing else.
private enum TestCertificate {
    static let certificate = """
        -----BEGIN CERTIFICATE-----
        MIIBlTCCATugAwIBAgIUZFrTZFqRAT/LwiNaWRvD/01rqwYwCgYIKoZIzj0EAwIw
        FDESMBAGA1UEAwwJaG9vay50ZXN0MCAXDTI2MTEyMDIzMzM1NVoYDzIxMjYxMDI3
        MjMzMzU1WjAUMRIwEAYDVQQDDAlob29rLnRlc3QwWTATBgcqhkjOPQIBBggqhkjO
        PQMBBwNCAARWuK6bo3VevO9KPc1vBVEJHGLVCqLddBUUEnMcBi3Cn067rVzRw7Yx
        4EAu9fo0MGTYtuYoEJZ4Cxsh7cuScx5go2kwZzAdBgNVHQ4EFgQUwtCUAgj4n2Ic
        4OLQAp/UVr0q+yIwHwYDVR0jBBgwFoAUwtCUAgj4n2Ic4OLQAp/UVr0q+yIwDwYD
        VR0TAQH/BAUwAwEB/zAUBgNVHREEDTALgglob29rLnRlc3QwCgYIKoZIzj0EAwID
        SAAwRQIgaPAKeh6JzMnFh2IhGwwN+vjt0HOoT8zpGWJ2bqex8ZoCIQDn6ruNJ7ws
        y0JTWLjc0wvpF1t4FnQdasgswm1Fy+w1CA==
        -----END CERTIFICATE-----
        """
    static let key = """
        -----BEGIN PRIVATE KEY-----
        MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgQQ7OS6L9e+Un0U2d
        OW8oBJ1LZQ4L3s+8+D3GwlzGbZyhRANCAARWuK6bo3VevO9KPc1vBVEJHGLVCqLd
        dBUUEnMcBi3Cn067rVzRw7Yx4EAu9fo0MGTYtuYoEJZ4Cxsh7cuScx5g
        -----END PRIVATE KEY-----
        """

    static func server() throws -> NIOSSLContext {
        let chain = try NIOSSLCertificate.fromPEMBytes(Array(certificate.utf8)).map {
            NIOSSLCertificateSource.certificate($0)
        }
        let key = try NIOSSLPrivateKey(bytes: Array(key.utf8), format: .pem)
        return try NIOSSLContext(
            configuration: .makeServerConfiguration(certificateChain: chain, privateKey: .privateKey(key))
        )
    }

    static func roots() throws -> NIOSSLTrustRoots {
        .certificates(try NIOSSLCertificate.fromPEMBytes(Array(certificate.utf8)))
    }
}

@Suite("TLS")
struct TLSTests {
    private func send(to host: String, trusted: Bool) async throws -> (exchange: WebhookExchange, requests: Int) {
        let server = try await HostileServer(tls: TestCertificate.server()) { _, _ in .bytes(HostileServer.ok) }
        var options = WebhookClient.Options()
        if trusted { options.trustRoots = try TestCertificate.roots() }
        let client = WebhookClient(
            policy: AddressPolicy(allowed: AddressPolicy.blocks("127.0.0.0/8") ?? []),
            resolver: TableResolver(["hook.test": ["127.0.0.1"], "other.test": ["127.0.0.1"]]),
            options: options
        )
        let exchange = await client.send(
            WebhookRequest(
                url: try WebhookURL("https://\(host):\(server.port)/"),
                headers: [],
                body: [1],
                timeout: .seconds(20)
            )
        )
        await client.interrupt()
        await server.close()
        return (exchange, server.requests.count)
    }

    @Test func aTrustedCertificateOfTheNameIsAccepted() async throws {
        let (exchange, requests) = try await send(to: "hook.test", trusted: true)
        guard case .answered(let answer) = exchange.result else {
            Issue.record("\(exchange.result)")
            return
        }
        #expect(answer.status == 200 && requests == 1 && exchange.timings.tls != nil)
    }

    @Test(arguments: [("hook.test", false), ("other.test", true), ("127.0.0.1", true)])
    func everyOtherCertificateIsRefusedBeforeAByteIsSent(_ host: String, _ trusted: Bool) async throws {
        let (exchange, requests) = try await send(to: host, trusted: trusted)
        guard case .failed(let fault, _) = exchange.result else {
            Issue.record("\(exchange.result)")
            return
        }
        #expect(fault == .tls && requests == 0, "\(exchange.result), \(requests) requests")
    }

    /// Many at once, so that connections fail before anybody hears that they were made.
    @Test(.timeLimit(.minutes(2)))
    func aHandshakeThatFailsAtOnceIsAFaultOfTLSAndNotAReset() async throws {
        let server = try await HostileServer(tls: TestCertificate.server()) { _, _ in .bytes(HostileServer.ok) }
        let client = WebhookClient(policy: AddressPolicy(allowed: AddressPolicy.blocks("127.0.0.0/8") ?? []))
        let request = WebhookRequest(
            url: try WebhookURL("https://127.0.0.1:\(server.port)/"),
            headers: [],
            body: [1],
            timeout: .seconds(60)
        )
        let results = await withTaskGroup(of: AttemptResult.self) { group in
            for _ in 0..<200 { group.addTask { await client.send(request).result } }
            return await group.reduce(into: [AttemptResult]()) { $0.append($1) }
        }
        for result in results {
            guard case .failed(.tls, _) = result else {
                Issue.record("\(result)")
                continue
            }
        }
        #expect(results.count == 200 && server.requests.isEmpty)
        await client.interrupt()
        await server.close()
    }

    @Test func plainTextInsteadOfTLS() async throws {
        let server = try await HostileServer { _, _ in .bytes(HostileServer.ok) }
        let client = WebhookClient(policy: AddressPolicy(allowed: AddressPolicy.blocks("127.0.0.0/8") ?? []))
        let exchange = await client.send(
            WebhookRequest(
                url: try WebhookURL("https://127.0.0.1:\(server.port)/"),
                headers: [],
                body: [1],
                timeout: .milliseconds(500)
            )
        )
        guard case .failed(let fault, _) = exchange.result else {
            Issue.record("\(exchange.result)")
            return
        }
        // The server waits for the end of a head that never comes.
        #expect([.tls, .timeout, .reset].contains(fault))
        await client.interrupt()
        await server.close()
    }
}
