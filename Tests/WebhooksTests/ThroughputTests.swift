import DurableStore
import Foundation
import GRDB
import KitTestSupport
import Messaging
import Synchronization
import Testing

@testable import Webhooks

/// Run by `scripts/bench-webhooks.sh`, which sets `WAYBILL_BENCH_SECONDS`.
@Suite(
    "Throughput",
    .enabled(
        if: ProcessInfo.processInfo.environment["WAYBILL_BENCH_SECONDS"] != nil,
        "scripts/bench-webhooks.sh runs it"
    )
)
struct ThroughputTests {
    @Test func durableDeliveriesPerSecond() async throws {
        let seconds = ProcessInfo.processInfo.environment["WAYBILL_BENCH_SECONDS"].flatMap { Int($0) } ?? 10
        let backlog = ProcessInfo.processInfo.environment["WAYBILL_BENCH_BACKLOG"].flatMap { Int($0) } ?? 0
        let received = Mutex(0)
        let server = try await HostileServer(keepsRequests: false) { _, _ in
            received.withLock { $0 += 1 }
            return .bytes(HostileServer.ok)
        }
        let bench = try await LiveBench()
        for index in 0..<10 {
            _ = try await bench.endpoint("\(server.url)/\(index)", types: ["load.*"]) { $0.maximumInFlight = 32 }
        }
        if backlog > 0 {
            let paused = try await bench.endpoint("\(server.url)/paused", types: ["backlog.*"])
            try await bench.store.write { [administration = bench.administration] tx in
                _ = try administration.act(.pause, on: paused.id, actor: "bench", in: tx)
            }
            for start in stride(from: 0, to: backlog, by: 500) {
                try await bench.publish((start..<start + 500).map { "backlog\($0)" }, type: "backlog.event")
            }
        }
        let start = ContinuousClock.now
        let end = start + .seconds(seconds)
        var number = 0
        while ContinuousClock.now < end {
            // Each event goes to all ten; keep at most some thousands waiting.
            if number * 10 - received.withLock({ $0 }) > 3000 {
                try await Task.sleep(for: .milliseconds(2))
                continue
            }
            try await bench.publish((number..<number + 50).map { "load\($0)" }, type: "load.event")
            number += 50
        }
        let delivered = try await bench.count("delivered")
        let elapsed = ContinuousClock.now - start
        let rate = Double(delivered) / (Double(elapsed.wholeMilliseconds) / 1000)
        print(
            "webhooks: \(delivered) durable deliveries in \(elapsed), \(Int(rate))/s to 10 endpoints, backlog \(backlog)"
        )
        print("webhooks: \(server.connections) connections for \(received.withLock { $0 }) requests")
        let expected = number * 10
        let isDone = try await eventually(within: .seconds(120)) { try await bench.count("delivered") == expected }
        #expect(isDone)
        // One event at a time: from the publishing to the arrival.
        var times: [Duration] = []
        for index in 0..<200 {
            let before = received.withLock { $0 }
            let begin = ContinuousClock.now
            try await bench.publish(["single\(index)"], type: "load.single")
            _ = await eventually { received.withLock { $0 } >= before + 10 }
            times.append(ContinuousClock.now - begin)
        }
        times.sort()
        print("webhooks: accept to all ten received p50 \(times[99]) p99 \(times[197])")
        await bench.stop()
        await server.close()
    }
}
