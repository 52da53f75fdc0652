import Commerce
import DurableStore
import Messaging
import Testing

@testable import AnalyticsService

@Suite struct FoldTests {
    @Test func theFoldGivesTheReadModels() async throws {
        let world = try AnalyticsWorld()
        let records = try Records.standard()
        #expect(await world.fold(records.all) == 0)
        let start = Records.start.millisecondsSinceEpoch
        #expect(
            try await world.rows("SELECT order_id, version, status, total_minor, at FROM order_facts ORDER BY 1") == [
                "\(orderID(1))|5|completed|2500|\(start + 40)", "\(orderID(2))|5|completed|1000|\(start + 124_000)",
                "\(orderID(3))|4|cancelled|2500|\(start + 30)",
            ]
        )
        #expect(
            try await world.rows("SELECT * FROM revenue_by_minute ORDER BY minute") == [
                "\(start)|EUR|2500|1", "\(start + 120_000)|EUR|1000|1",
            ]
        )
        #expect(try await world.rows("SELECT * FROM units_by_sku") == ["MUG|4"])
        #expect(try await world.rows("SELECT * FROM completion_times ORDER BY 1") == ["50|1", "5000|1"])
        #expect(
            try await world.rows("SELECT * FROM payment_totals ORDER BY kind") == [
                "authorized|EUR|3500|2", "captured|EUR|3500|2",
            ]
        )
        #expect(try await world.rows("SELECT * FROM article_names") == ["MUG|Mug"])
    }

    /// The same records again, duplicates with later offsets, any batch size: the same rows.
    @Test(arguments: [1, 2, 7, 500]) func batchesAndDuplicatesDoNotMatter(_ batch: Int) async throws {
        let once = try AnalyticsWorld()
        let records = try Records.standard()
        await once.fold(records.all)
        let expected = try await once.dump()

        let world = try AnalyticsWorld()
        await world.fold(records.all, batch: batch)
        await world.fold(records.all, batch: batch)
        #expect(try await world.dump() == expected, "read again from the beginning")

        // A relay that died after publishing publishes again: the same events at later offsets.
        let doubled = try AnalyticsWorld()
        var published = try Records.standard()
        try published.order(1, Records.completed)
        try published.payment(1, [.authorized, .captured])
        try published.article("MUG", "Mug", version: 1)
        #expect(await doubled.fold(published.all, batch: batch) == 0)
        #expect(try await doubled.dump() == expected)
        #expect(try await doubled.rows("SELECT count(*) FROM dead_letters") == ["0"])
    }

    /// Torn off anywhere and begun again a little earlier, as after a crash: nothing is counted twice or left out.
    @Test func anyInterruptionGivesTheSameRows() async throws {
        let records = try Records.standard().all
        let once = try AnalyticsWorld()
        await once.fold(records)
        let expected = try await once.dump()
        for cut in 0...records.count {
            let world = try AnalyticsWorld()
            await world.fold(Array(records.prefix(cut)))
            await world.fold(Array(records.dropFirst(max(0, cut - 3))))
            #expect(try await world.dump() == expected, "cut at \(cut)")
        }
    }

    @Test func anOlderEventDoesNotTakeAnOrderBack() async throws {
        let world = try AnalyticsWorld()
        var records = Records()
        try records.order(1, Records.completed)
        await world.fold(records.all.reversed())
        #expect(try await world.rows("SELECT version, status FROM order_facts") == ["5|completed"])
        #expect(try await world.rows("SELECT * FROM units_by_sku") == ["MUG|2"])
    }

    @Test func theLastNameOfAnArticleStays() async throws {
        let world = try AnalyticsWorld()
        var records = Records()
        for (version, name) in ["Mug", "Cup", "Mug, large"].enumerated() {
            try records.article("MUG", name, version: Int64(version + 1))
        }
        await world.fold(records.all)
        #expect(try await world.rows("SELECT name FROM article_names") == ["Mug, large"])
    }

    /// What cannot be folded is set aside as a row, changes nothing, and the partition goes on.
    @Test func poisonIsSetAside() async throws {
        let world = try AnalyticsWorld()
        var records = Records()
        struct Nonsense: Encodable { let nonsense = true }
        let id = try orderID(1).text
        try records.add(
            "orders",
            partition: 1,
            type: "waybill.order.placed.v1",
            subject: id,
            sequence: 1,
            id: "a",
            Nonsense()
        )
        try records.add(
            "orders",
            partition: 1,
            type: "waybill.unknown.v1",
            subject: id,
            sequence: 1,
            id: "b",
            Nonsense()
        )
        try records.add("catalog", type: CatalogItemPut.messageType, subject: "X", sequence: 1, id: "c", [1, 2])
        try records.order(1, Records.completed)
        // An order event without its place among those of its order.
        let event = OrderEvent(
            orderID: try orderID(4),
            customerID: try some(CustomerID("ann")),
            status: .placed,
            previousStatus: nil,
            lines: [],
            total: Money(minorUnits: 1, currency: .eur),
            placedAt: "2026-01-01T00:00:00Z"
        )
        try records.add(
            "orders",
            partition: 1,
            type: "waybill.order.placed.v1",
            subject: event.orderID.text,
            sequence: nil,
            id: "d",
            event
        )
        let timeless = OrderEvent(
            orderID: try orderID(5),
            customerID: try some(CustomerID("ann")),
            status: .placed,
            previousStatus: nil,
            lines: [],
            total: Money(minorUnits: 1, currency: .eur),
            placedAt: "noon"
        )
        try records.add(
            "orders",
            partition: 1,
            type: "waybill.order.placed.v1",
            subject: timeless.orderID.text,
            sequence: 1,
            id: "e",
            timeless
        )
        #expect(await world.fold(records.all) == 0)
        #expect(try await world.rows("SELECT message_id FROM dead_letters ORDER BY 1") == ["a", "b", "c", "d", "e"])
        #expect(try await world.rows("SELECT order_id, status FROM order_facts") == ["\(id)|completed"])
        #expect(
            try await world.rows("SELECT topic, partition, next_offset FROM consumer_offsets ORDER BY 1, 2") == [
                "catalog|0|1", "orders|1|9",
            ]
        )
    }
}
