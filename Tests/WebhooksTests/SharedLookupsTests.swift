import Dispatch
import KitTestSupport
import Synchronization
import Testing

@testable import Webhooks

@Suite("Lookups of names", .timeLimit(.minutes(1)))
struct SharedLookupsTests {
    /// Lookups that last until they are let go; names ending with `.good` have their answer at once.
    private final class Zone: Sendable {
        private let gate = DispatchSemaphore(value: 0)
        private let names = Mutex<[String]>([])

        var asked: [String] { names.withLock { $0 } }

        func lookUp(_ host: String) -> [IPAddress] {
            names.withLock { $0.append(host) }
            if !host.hasSuffix(".good") { gate.wait() }
            return IPAddress("192.0.2.1").map { [$0] } ?? []
        }

        func letGo() { gate.signal() }
    }

    @Test("whoever asks for a host that is being looked up joins, and leaves the other threads to other hosts")
    func joining() async throws {
        let zone = Zone()
        let lookups = SharedLookups(slots: 2) { zone.lookUp($0) }
        let waiting = (0..<10).map { _ in Task { await lookups.addresses(of: "a.dead") } }
        #expect(await eventually { lookups.waiting == 10 && zone.asked == ["a.dead"] })
        #expect(await lookups.addresses(of: "b.good").count == 1)
        zone.letGo()
        for task in waiting { #expect(await task.value.count == 1) }
        #expect(zone.asked == ["a.dead", "b.good"])
        // Nothing is remembered.
        zone.letGo()
        #expect(await lookups.addresses(of: "a.dead").count == 1)
        #expect(zone.asked == ["a.dead", "b.good", "a.dead"])
    }

    @Test("a host that nobody waits for any more loses its place; one that is being looked up is left alone")
    func leaving() async throws {
        let zone = Zone()
        let lookups = SharedLookups(slots: 1) { zone.lookUp($0) }
        let first = Task { await lookups.addresses(of: "a.dead") }
        #expect(await eventually { zone.asked == ["a.dead"] })
        let second = Task { await lookups.addresses(of: "b.dead") }
        #expect(await eventually { lookups.waiting == 2 })
        let third = Task { await lookups.addresses(of: "c.good") }
        #expect(await eventually { lookups.waiting == 3 })
        second.cancel()
        #expect(await second.value.isEmpty)
        first.cancel()
        #expect(await first.value.isEmpty)
        zone.letGo()
        #expect(await third.value.count == 1)
        #expect(zone.asked == ["a.dead", "c.good"])
    }
}
