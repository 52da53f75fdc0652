import Glibc
import KitTestSupport
import Synchronization
import Testing

@testable import Webhooks

/// A port of 127.0.0.1 that takes no further connection: its line of connections is full, and the kernel lets later ones wait.
private final class FullPort {
    let number: UInt16
    private let descriptors: [Int32]

    init() throws {
        let (listener, port) = try ReservedPort.bound()
        guard listen(listener, 0) == 0 else { throw ReservedPort.NotReserved(errno: errno) }
        number = port
        let address = ReservedPort.loopback(port: port)
        let size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let clients = (0..<4).map { _ in
            Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue), 0)
        }
        descriptors = [listener] + clients
        for client in clients {
            _ = withUnsafePointer(to: address) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { Glibc.connect(client, $0, size) }
            }
        }
    }

    deinit { for descriptor in descriptors { close(descriptor) } }
}

/// A stopping sender must not wait for what it cannot hurry: the process has eight seconds, a request up to fifteen.
@Suite("Interrupting the client", .timeLimit(.minutes(1)))
struct InterruptionTests {
    private let loopback = AddressPolicy(allowed: AddressPolicy.blocks("127.0.0.0/8") ?? [])

    private func send(_ client: WebhookClient, _ url: String) throws -> Task<WebhookExchange, Never> {
        let request = WebhookRequest(url: try WebhookURL(url), headers: [], body: [1], timeout: .seconds(300))
        return Task { await client.send(request) }
    }

    private func isInterrupted(_ exchange: WebhookExchange) -> Bool {
        guard case .failed(.interrupted, _) = exchange.result else { return false }
        return true
    }

    @Test("a name server that does not answer")
    func lookup() async throws {
        final class Silent: HostResolver {
            private let asked = Mutex(false)
            private let cancelled = Mutex(false)
            var isAsked: Bool { asked.withLock { $0 } }
            var isCancelled: Bool { cancelled.withLock { $0 } }
            func addresses(of host: String) async -> [IPAddress] {
                asked.withLock { $0 = true }
                do { try await Task.sleep(for: .seconds(300)) } catch { cancelled.withLock { $0 = true } }
                return []
            }
        }
        let resolver = Silent()
        let client = WebhookClient(policy: loopback, resolver: resolver)
        let sending = try send(client, "http://hook.test/")
        #expect(await eventually { resolver.isAsked })
        await client.interrupt()
        #expect(isInterrupted(await sending.value))
        // The lookup is told that nobody waits any more.
        #expect(await eventually { resolver.isCancelled })
        let late = try send(client, "http://hook.test/")
        #expect(isInterrupted(await late.value))
    }

    @Test("addresses that do not answer")
    func connection() async throws {
        let port = try FullPort()
        var options = WebhookClient.Options()
        options.connectTimeout = .seconds(300)
        let resolver = TableResolver(["hook.test": ["127.0.0.1", "127.0.0.1", "127.0.0.1"]])
        let client = WebhookClient(policy: loopback, resolver: resolver, options: options)
        let sending = try send(client, "http://hook.test:\(port.number)/")
        #expect(await eventually { resolver.count == 1 })
        await client.interrupt()
        #expect(isInterrupted(await sending.value))
        withExtendedLifetime(port) {}
    }
}
