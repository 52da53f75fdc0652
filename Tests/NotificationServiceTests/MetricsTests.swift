import DurableStore
import GRDB
import KitTestSupport
import Logging
import Messaging
import Telemetry
import Testing
import Webhooks

@testable import NotificationService

@Suite("Metrics: as many series as there is something to say")
struct MetricsTests {
    private let registry = PrometheusRegistry()
    private let metrics: NotificationMetrics

    init() {
        metrics = NotificationMetrics(
            registry: registry,
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        )
    }

    private func series(_ name: String) -> [String] {
        String(decoding: registry.render(), as: UTF8.self).split(separator: "\n").map(String.init)
            .filter { $0.hasPrefix(name + "{") }
    }

    @Test(arguments: [
        ("200", "2xx"), ("204", "2xx"), ("301", "3xx"), ("418", "4xx"), ("599", "5xx"), ("999", "9xx"), ("7", "other"),
        ("-1", "other"), ("timeout", "timeout"), ("connection_reset", "connection_reset"), ("", ""),
    ])
    func statusesAreCountedByTheirClass(_ code: String, _ word: String) {
        #expect(NotificationMetrics.codeClass(code) == word)
    }

    @Test func closedBreakersHaveNoSeries() async throws {
        let clock = ManualClock()
        let store = try DurableStore.inMemory(migrations: NotificationSchema.migrations, clock: clock)
        let queries = WebhookQueries(store: store)
        let administration = WebhookAdministration(
            knownTypes: nil,
            policy: AddressPolicy(allowed: AddressPolicy.blocks("127.0.0.0/8") ?? [])
        ) {}
        let failing = try await store.write { tx in
            let ids = try (0..<3).map { index in
                try administration.create(
                    EndpointSettings(url: "http://127.0.0.1:9/\(index)"),
                    actor: "test",
                    in: tx
                ).endpoint.id
            }
            try tx.db.execute(
                sql: "UPDATE webhook_endpoints SET breaker_until = ? WHERE id = ?",
                arguments: [tx.now.advanced(byMilliseconds: 60_000).millisecondsSinceEpoch, ids[1]]
            )
            return ids[1]
        }
        metrics.show(try await queries.gauges(at: clock.now()), inFlight: [:])
        #expect(series("webhook_breaker_state") == ["webhook_breaker_state{endpoint=\"\(failing)\"} 2"])
        clock.advance(by: .seconds(61))
        metrics.show(try await queries.gauges(at: clock.now()), inFlight: [:])
        #expect(series("webhook_breaker_state") == ["webhook_breaker_state{endpoint=\"\(failing)\"} 1"])
        try await store.write { tx in try tx.db.execute(sql: "UPDATE webhook_endpoints SET breaker_until = NULL") }
        metrics.show(try await queries.gauges(at: clock.now()), inFlight: [:])
        #expect(series("webhook_breaker_state").isEmpty)
    }

    @Test func theCountersOfAnEndpointEndWithIt() {
        metrics.interrupted("gone", count: 2)
        metrics.interrupted("here", count: 1)
        metrics.forget(["gone", "never-counted"])
        let left = "webhook_attempts_total{code=\"interrupted\",endpoint=\"here\",outcome=\"interrupted\"} 1"
        #expect(series("webhook_attempts_total") == [left])
        metrics.interrupted("gone", count: 1)
        #expect(series("webhook_attempts_total").count == 2, "counted again from the beginning")
    }
}
