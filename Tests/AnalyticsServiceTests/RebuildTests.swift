import Commerce
import DurableStore
import Foundation
import GRDB
import HTTPKit
import HTTPTypes
import Hummingbird
import HummingbirdTesting
import Kafka
import Logging
import Messaging
import NIOCore
import ServiceKit
import StrictJSON
import Testing

@testable import AnalyticsService

@Suite struct RebuildTests {
    @Test func equalLogsGiveEqualDumps() async throws {
        let (left, right) = (try AnalyticsWorld(), try AnalyticsWorld())
        let empty = try await left.dump()
        #expect(empty.tables.map(\.rows) == [0, 0, 0, 0, 0, 0])
        #expect(try await right.dump() == empty)
        let records = try Records.standard()
        await left.fold(records.all, batch: 500)
        await right.fold(records.all, batch: 3)
        let (one, other) = (try await left.dump(), try await right.dump())
        #expect(one == other && one != empty)
        #expect(one.tables.map(\.name) == AnalyticsSchema.readModels.map(\.table))
        #expect(one.tables.map(\.rows) == [3, 2, 1, 2, 2, 1])
        #expect(one.tables.allSatisfy { $0.digest.count == 64 })
    }

    /// One changed value in any column of any table changes that table's digest and no other.
    @Test(arguments: [
        ("order_facts", "UPDATE order_facts SET status = 'cancelled' WHERE version = 5"),
        ("order_facts", "UPDATE order_facts SET placed_at = placed_at + 1 WHERE status = 'cancelled'"),
        ("order_facts", "UPDATE order_facts SET at = at + 1"),
        ("order_facts", "DELETE FROM order_facts WHERE version = 4"),
        ("revenue_by_minute", "UPDATE revenue_by_minute SET orders = orders + 1"),
        ("revenue_by_minute", "UPDATE revenue_by_minute SET amount_minor = amount_minor - 1"),
        ("units_by_sku", "UPDATE units_by_sku SET units = units + 1"),
        ("completion_times", "INSERT INTO completion_times VALUES (10, 1)"),
        ("payment_totals", "UPDATE payment_totals SET kind = 'voided' WHERE kind = 'captured'"),
        ("article_names", "UPDATE article_names SET name = 'mug'"),
    ])
    func aDifferenceIsSeenInItsTable(_ table: String, _ sql: String) async throws {
        let (live, rebuilt) = (try AnalyticsWorld(), try AnalyticsWorld())
        let records = try Records.standard()
        await live.fold(records.all)
        await rebuilt.fold(records.all)
        try await live.store.write { tx in try tx.db.execute(sql: sql) }
        let (left, right) = (try await live.dump(), try await rebuilt.dump())
        #expect(left != right)
        #expect(zip(left.tables, right.tables).filter { $0 != $1 }.map(\.0.name) == [table])
    }

    @Test func differencesNameTheRows() throws {
        let (live, rebuilt) = (try DatabaseQueue(), try DatabaseQueue())
        for queue in [live, rebuilt] { try AnalyticsSchema.migrations.migrate(queue) }
        try live.write { db in try db.execute(sql: "INSERT INTO units_by_sku VALUES ('MUG', 4), ('TEE', 1)") }
        try rebuilt.write { db in try db.execute(sql: "INSERT INTO units_by_sku VALUES ('MUG', 5), ('TEE', 1)") }
        let found = try live.read { left in
            try rebuilt.read { right in
                let (onlyLive, onlyRebuilt) = try ReadModelDump.differences(
                    "units_by_sku",
                    live: left,
                    rebuilt: right,
                    limit: 10
                )
                return [onlyLive, onlyRebuilt]
            }
        }
        #expect(found == [["MUG|4"], ["MUG|5"]])
    }

    @Test func theOffsetsOfTheFoldAreReadWithTheRows() async throws {
        let world = try AnalyticsWorld()
        let records = try Records.standard()
        await world.fold(records.all)
        let offsets = try await world.store.read { db in try ReadModelDump.offsets(of: "analytics", in: db) }
        #expect(offsets[KafkaTopicPartition(topic: "orders", partition: 1)] == 5)
        #expect(offsets[KafkaTopicPartition(topic: "orders", partition: 0)] == 4)
        #expect(offsets[KafkaTopicPartition(topic: "catalog", partition: 0)] == 1)
        #expect(offsets.values.reduce(0, +) == Int64(records.all.count))
    }

    private func rebuild(of world: AnalyticsWorld, in folder: URL) -> Rebuild {
        Rebuild(
            store: world.store,
            log: EventLogReader(
                configuration: KafkaClientConfiguration(bootstrapServers: "127.0.0.1:1", clientID: "test"),
                logger: Logger(label: "test")
            ),
            folder: folder,
            logger: Logger(label: "test")
        )
    }

    /// A rebuild that was broken off by `kill -9` once left a copy of all read models behind, for ever.
    @Test func aRebuildThatWasKilledLeavesNoDatabaseBehind() async throws {
        let files = FileManager.default
        let folder = files.temporaryDirectory.appendingPathComponent("analytics-" + UUID().uuidString)
        defer { try? files.removeItem(at: folder) }
        for name in ["rebuild-of-the-dead/rebuild.db", "analytics.db"] {
            let file = folder.appendingPathComponent(name)
            try files.createDirectory(at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
            try Data("x".utf8).write(to: file)
        }
        let world = try AnalyticsWorld()
        let rebuild = rebuild(of: world, in: folder)
        #expect(try files.contentsOfDirectory(atPath: folder.path) == ["analytics.db"])
        #expect(rebuild.reserve("one") == "one")
        await rebuild.run("one")
        #expect(rebuild.status(of: "one")?.state == "finished")
        #expect(try files.contentsOfDirectory(atPath: folder.path) == ["analytics.db"])
    }

    @Test func oneRebuildAtATime() async throws {
        let world = try AnalyticsWorld()
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("analytics-" + UUID().uuidString)
        defer { try? FileManager.default.removeItem(at: folder) }
        let rebuild = rebuild(of: world, in: folder)
        #expect(rebuild.reserve("one") == "one")
        #expect(rebuild.reserve("two") == nil)
        #expect(rebuild.status(of: "one")?.state == "running")
        #expect(rebuild.status(of: "two") == nil)
        // Nothing has been folded yet, so nothing needs to be read: both sides are empty and identical.
        await rebuild.run("one")
        let status = try #require(rebuild.status(of: "one"))
        #expect(status.state == "finished" && status.identical == true && status.total == 0, "\(status)")
        #expect(status.tables.map(\.name) == AnalyticsSchema.readModels.map(\.table))
        // Rows that no event made are found.
        try await world.store.write { tx in try tx.db.execute(sql: "INSERT INTO article_names VALUES ('MUG', 'Mug')") }
        #expect(rebuild.reserve("two") == "two")
        await rebuild.run("two")
        let second = try #require(rebuild.status(of: "two"))
        #expect(second.state == "finished" && second.identical == false)
        #expect(second.tables.filter { !$0.identical }.map(\.name) == ["article_names"])
        #expect(second.tables.last.map { [$0.live, $0.rebuilt] } == [1, 0])
        // Only the last twenty are remembered.
        for number in 0..<20 {
            #expect(rebuild.reserve("more-\(number)") != nil)
            await rebuild.run("more-\(number)")
        }
        #expect(rebuild.status(of: "one") == nil && rebuild.status(of: "two") == nil)
        #expect(rebuild.status(of: "more-0") != nil)
    }
}

@Suite struct AnalyticsRoutesTests {
    @Test func theSummaryTellsWhatWasFolded() async throws {
        let world = try AnalyticsWorld()
        let records = try Records.standard()
        await world.fold(records.all)
        let summary = try await world.store.read { db in try SummaryQuery(db: db).document() }
        #expect(summary["ordersByStatus"] == ["cancelled": 1, "completed": 2])
        #expect(summary["revenue"] == [["currency": "EUR", "minorUnits": 3500, "orders": 2]])
        #expect(summary["revenueByMinute"]?.arrayValue?.count == 2)
        #expect(summary["unitsBySku"] == [["sku": "MUG", "name": "Mug", "units": 4]])
        #expect(summary["payments"]?[1] == ["kind": "captured", "currency": "EUR", "minorUnits": 3500, "payments": 2])
        #expect(summary["timeToComplete"]?["orders"] == 2)
        #expect(summary["timeToComplete"]?["p50UpToMs"] == 50)
        #expect(summary["timeToComplete"]?["p99UpToMs"] == 5000)
    }

    @Test func onlyTheLastHourOfRevenueIsShownByMinute() async throws {
        let world = try AnalyticsWorld()
        var records = Records()
        for number in 0..<70 {
            try records.order(
                number,
                Records.completed,
                placedAt: Records.start.advanced(byMilliseconds: Int64(number) * 60_000)
            )
        }
        await world.fold(records.all)
        let summary = try await world.store.read { db in try SummaryQuery(db: db).document() }
        #expect(summary["revenueByMinute"]?.arrayValue?.count == 60)
        #expect(summary["revenue"]?[0]?["orders"] == 70)
    }

    /// Longer than all classes: no upper bound is claimed.
    @Test func durationsBeyondAllClassesHaveNoBound() async throws {
        let world = try AnalyticsWorld()
        var records = Records()
        try records.order(1, Records.completed, step: 100_000)
        await world.fold(records.all)
        let summary = try await world.store.read { db in try SummaryQuery(db: db).document() }
        #expect(summary["timeToComplete"]?["orders"] == 1)
        #expect(summary["timeToComplete"]?["p50UpToMs"] == .null)
    }

    @Test func routes() async throws {
        let world = try AnalyticsWorld()
        let router = Router(context: APIContext.self)
        let routes = AnalyticsRoutes(store: world.store, rebuild: nil, newID: { "id" })
        routes.addPublic(to: router)
        routes.addOperator(to: router)
        try await Application(router: router).test(.router) { client in
            func send(_ method: HTTPRequest.Method, _ path: String) async throws -> (HTTPResponse.Status, JSONValue?) {
                let response = try await client.executeRequest(uri: path, method: method, headers: [:], body: nil)
                return (response.status, try? StrictJSON.parse(Array(response.body.readableBytesView)))
            }
            let (status, summary) = try await send(.get, "/v1/summary")
            #expect(status == .ok)
            #expect(summary?["revenue"] == [])
            #expect(summary?["timeToComplete"]?["p50UpToMs"] == .null)
            let missing = try await send(.get, "/operator/rebuild/nothing")
            #expect(missing.0 == .notFound && missing.1?["code"] == "unknown-rebuild")
            let refused = try await send(.post, "/operator/rebuild")
            #expect(refused.0 == .serviceUnavailable && refused.1?["code"] == "event-log-missing")
        }
    }
}
