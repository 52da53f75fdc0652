import KitTestSupport
import Messaging
import NIOCore
import Testing

@testable import Webhooks

@Suite("The sender on a real clock", .serialized)
struct LiveTests {
    @Test(.timeLimit(.minutes(2)))
    func retriesAreNeverEarlyAndHardlyLate() async throws {
        let server = try await HostileServer { _, _ in .bytes(HostileServer.answer("500 No")) }
        var options = SenderOptions()
        options.schedule = RetrySchedule(delays: [Int64](repeating: 100, count: 30), jitterPercent: 0) ?? .standard
        options.breaker.threshold = 1000
        let bench = try await LiveBench(options: options)
        _ = try await bench.endpoint(server.url)
        try await bench.publish(["evt_1"])
        let isOver = try await eventually(within: .seconds(90)) { try await bench.count("exhausted") == 1 }
        #expect(isOver)
        let queries = WebhookQueries(store: bench.store)
        let delivery = try #require(try await queries.deliveries(.init(), limit: 1).first)
        let attempts = try #require(try await queries.delivery(delivery.id)).attempts.reversed()
        let late = zip(attempts, attempts.dropFirst()).compactMap { before, after in
            before.nextAttemptAt.map { after.startedAt.milliseconds(since: $0) }
        }.sorted()
        #expect(late.count == 30 && late[0] >= 0)
        // Half of them, because the machine has others to serve; a table that were polled each second would be late by 500.
        #expect(late[15] <= 250, "\(late)")
        await bench.stop()
        await server.close()
    }

    @Test(.timeLimit(.minutes(2)))
    func aSteadyLoadKeepsItsConnections() async throws {
        let server = try await HostileServer { _, _ in .bytes(HostileServer.ok) }
        let bench = try await LiveBench()
        _ = try await bench.endpoint(server.url)
        for round in 1...60 {
            try await bench.publish((0..<10).map { "e\(round)-\($0)" })
            let isDone = try await eventuallyDelivered(bench, round * 10)
            #expect(isDone)
        }
        #expect(server.requests.count == 600)
        #expect(server.connections <= 60, "\(server.connections) connections")
        await bench.stop()
        await server.close()
    }

    @Test(.timeLimit(.minutes(2)))
    func stoppingFinishesWhatIsOnTheWireAndLeavesTheRestQueued() async throws {
        let server = try await HostileServer { _, _ in .later(.milliseconds(500), HostileServer.ok) }
        var options = SenderOptions()
        options.stopGrace = .seconds(60)
        let bench = try await LiveBench(options: options)
        _ = try await bench.endpoint(server.url) { $0.maximumInFlight = 2 }
        try await bench.publish((0..<5).map { "e\($0)" })
        let isUnderWay = await eventually { server.requests.count == 2 }
        #expect(isUnderWay)
        bench.run.cancel()
        try await bench.run.value
        #expect(server.requests.count == 2)
        #expect(try await bench.count("delivered") == 2)
        #expect(try await bench.count("pending") == 3)
        await bench.stop()
        await server.close()
    }
}
