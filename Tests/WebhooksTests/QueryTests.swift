import DurableStore
import GRDB
import KitTestSupport
import Messaging
import Testing

@testable import Webhooks

@Suite("Lists of deliveries")
struct QueryTests {
    /// Two endpoints; what is sent to the second fails, in several ways.
    private func bench() async throws -> (bench: Bench, good: WebhookEndpoint, bad: WebhookEndpoint) {
        var options = SenderOptions()
        options.breaker.threshold = 1000
        let bench = try Bench(options: options) { request, _ in
            guard request.url.target == "/bad" else { return status(200) }
            let body = String(decoding: request.body, as: UTF8.self)
            return body.contains("evt_1")
                ? status(503) : body.contains("evt_2") ? status(404) : .failed(.timeout, detail: "")
        }
        let (good, _) = try await bench.endpoint { $0.url = "http://127.0.0.1:9/good" }
        let (bad, _) = try await bench.endpoint {
            $0.url = "http://127.0.0.1:9/bad"
            $0.schedule = []
            $0.eventTypes = ["shop.order.*"]
        }
        for index in 1...3 {
            _ = try await bench.publish("evt_\(index)", subject: "s\(index)")
            bench.clock.advance(by: .seconds(10))
        }
        _ = try await bench.publish("evt_4", subject: "s4", type: "shop.stock.low")
        try await bench.dispatcher.performDue()
        return (bench, good, bad)
    }

    @Test func eachPropertyNarrows() async throws {
        let (bench, good, bad) = try await bench()
        func ids(_ change: (inout WebhookQueries.Filter) -> Void) async throws -> [String] {
            try await bench.deliveries(change).map(\.messageID)
        }
        #expect(try await ids { $0.endpointID = bad.id } == ["evt_1", "evt_2", "evt_3"])
        #expect(try await ids { $0.endpointID = good.id }.count == 4)
        #expect(try await ids { $0.messageID = "evt_2" } == ["evt_2", "evt_2"])
        #expect(try await ids { $0.subject = "s3" } == ["evt_3", "evt_3"])
        #expect(try await ids { $0.state = .exhausted } == ["evt_1", "evt_2", "evt_3"])
        #expect(try await ids { $0.state = .delivered }.count == 4)
        #expect(try await ids { $0.status = 404 } == ["evt_2"])
        #expect(try await ids { $0.statusClass = 5 } == ["evt_1"])
        #expect(try await ids { $0.statusClass = 2 }.count == 4)
        #expect(try await ids { $0.code = "timeout" } == ["evt_3"])
        #expect(try await ids { $0.type = "shop.stock.low" } == ["evt_4"])
        let start = bench.clock.now().advanced(byMilliseconds: -30_000)
        #expect(try await ids { $0.until = start.advanced(byMilliseconds: 1) } == ["evt_1", "evt_1"])
        #expect(try await ids { $0.since = start.advanced(byMilliseconds: 30_000) } == ["evt_4"])
        #expect(
            try await ids {
                $0.endpointID = bad.id
                $0.state = .exhausted
                $0.statusClass = 4
            } == ["evt_2"]
        )
    }

    @Test func pagesAreStableWhileNewOnesCome() async throws {
        let (bench, _, _) = try await bench()
        let all = try await bench.deliveries().reversed().map(\.seq)
        var seen: [Int64] = []
        var filter = WebhookQueries.Filter()
        while true {
            let page = try await bench.queries.deliveries(filter, limit: 2)
            guard let last = page.last else { break }
            seen += page.map(\.seq)
            filter.before = last.seq
            _ = try await bench.publish("later_\(seen.count)")
        }
        #expect(seen == all)
    }

    @Test func whatWentWrongIsFoundWithoutLookingAtWhatWentWell() async throws {
        let (bench, _, _) = try await bench()
        func plan(_ change: @Sendable (inout WebhookQueries.Filter) -> Void) async throws -> String {
            var filter = WebhookQueries.Filter()
            change(&filter)
            let wanted = filter
            return try await bench.store.read { db in
                let (sql, arguments) = WebhookQueries.select(wanted, limit: 10)
                return try db.makeStatement(sql: "EXPLAIN QUERY PLAN " + sql).all(arguments) { try $0[3] as String }
                    .joined(separator: "; ")
            }
        }
        #expect(try await plan { $0.state = .exhausted }.contains("webhook_deliveries_ended"))
        #expect(try await plan { $0.statusClass = 5 }.contains("webhook_deliveries_failed"))
        #expect(try await plan { $0.subject = "s1" }.contains("webhook_messages_subject"))
        #expect(try await plan { $0.messageID = "evt_1" }.contains("webhook_deliveries_message"))
    }
}
