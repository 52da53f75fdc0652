import Commerce
import DurableStore
import GRDB
import KitTestSupport
import Messaging
import OrderCore
import OrderService
import Telemetry
import Testing

/// Duplicates, hostile messages, the catalogue and idempotency keys.
@Suite struct OrderInboxTests {
    @Test func duplicatesHaveOneEffect() async throws {
        let world = try await OrderWorld.stocked()
        let id = try await world.place()
        let reserved = try world.envelope(
            StockReserved(orderID: id),
            type: StockReserved.messageType,
            subject: id.text
        )
        try await world.deliver(reserved)
        let sent = try await world.sent().count
        #expect(try await world.deliver(reserved) == .acknowledge)
        #expect(try await world.sent().count == sent)
        // Under another id it is handled, and means nothing any more.
        try await world.reply(StockReserved(orderID: id), about: id)
        #expect(try await world.sent().count == sent)
        #expect(try await world.order(id).version == 3)
        #expect(try await world.count("SELECT count(*) FROM inbox WHERE consumer = 'order.inbox'") == 2)
        #expect(try await world.count("SELECT count(*) FROM inbox WHERE outcome = 'noop'") == 1)
        #expect(try await world.count("SELECT count(*) FROM order_inputs WHERE disposition = 'repeated'") == 1)
    }

    @Test func whatCannotBeReadIsADeadLetter() async throws {
        let world = try await OrderWorld.stocked()
        let id = try await world.place()
        let other = try await world.place()
        let valid = try PayloadCodec.encode(StockReserved(orderID: id))
        var bodies: [(String, String, [UInt8])] = [
            (StockReserved.messageType, id.text, []),
            (StockReserved.messageType, id.text, [0xFF, 0xFE, 0x00]),
            (StockReserved.messageType, id.text, Array("{}".utf8)),
            (StockReserved.messageType, id.text, Array("{\"orderID\":\"x\"}".utf8)),
            (StockReserved.messageType, id.text, Array("{\"orderID\":1e2}".utf8)),
            (StockReserved.messageType, other.text, valid),
            ("waybill.inventory.reserved.v2", id.text, valid),
            ("", id.text, valid),
            (
                PaymentCaptured.messageType, id.text,
                Array("{\"orderID\":\"\(id.text)\",\"amount\":{\"minorUnits\":1e18,\"currency\":\"EUR\"}}".utf8)
            ),
        ]
        bodies.append((StockReserved.messageType, id.text, Array(repeating: UInt8(ascii: "["), count: 100_000)))
        for (type, subject, body) in bodies {
            let envelope = Envelope(
                id: "m-\(Int.random(in: 0...(.max)))",
                source: "/x",
                type: type,
                subject: subject,
                time: world.clock.now(),
                correlationID: "c",
                body: body
            )
            #expect(try await world.deliver(envelope) == .acknowledge)
        }
        let dead = try await world.sent().filter { $0.target == "order.inbox.dead" }
        #expect(dead.count == bodies.count)
        #expect(try await world.status(id) == .awaitingStock)
        #expect(try await world.status(other) == .awaitingStock)
    }

    @Test func anAnswerAboutNoOrderIsRefused() async throws {
        let world = try await OrderWorld.stocked()
        let id = try OrderWorld.some(OrderID("00000000-0000-7000-8000-000000000000"))
        #expect(try await world.reply(StockReserved(orderID: id), about: id) == .acknowledge)
        #expect(
            try await world.count("SELECT count(*) FROM inbox WHERE outcome = 'refused' AND code = 'unknown-order'")
                == 1
        )
        #expect(try await world.sent().isEmpty)
    }

    @Test func theCatalogueKeepsTheNewestVersion() async throws {
        let world = try await OrderWorld.stocked()
        try await world.put("MUG", 1500, .eur, sequence: 3)
        try await world.put("MUG", 1400, .eur, sequence: 2)
        let first = try await world.place([("MUG", 1)])
        #expect(try await world.order(first).total.minorUnits == 1500)
        try await world.put("MUG", 1600, .eur, active: false, sequence: 4)
        await #expect { try await world.place([("MUG", 1)]) } throws: { ($0 as? UseCaseFault)?.code == "inactive-sku" }
        #expect(try await world.order(first).total.minorUnits == 1500, "a placed order keeps its price")
    }

    @Test func aKeyIsAnsweredOnce() async throws {
        let world = try await OrderWorld.stocked()
        let key = try OrderWorld.some(IdempotencyKey("k-1"))
        let request = try world.request()
        let first = try await world.parts.placeOrder(request, key: key)
        try await world.reply(StockReserved(orderID: first.orderID), about: first.orderID)
        let again = try await world.parts.placeOrder(request, key: key)
        #expect(again.isReplay && again.orderID == first.orderID && again.body == first.body)
        let other = try world.request([("MUG", 3)])
        await #expect { try await world.parts.placeOrder(other, key: key) } throws: {
            ($0 as? UseCaseFault)?.code == "idempotency-key-reused"
        }
        #expect(try await world.count("SELECT count(*) FROM orders") == 1)
        // After its retention the key is forgotten, and only then.
        try await world.parts.prepare()
        try await world.pass(.seconds(24 * 3600))
        #expect(try await world.count("SELECT count(*) FROM idempotency_keys") == 1)
        try await world.pass(.seconds(24 * 3600 + 601))
        #expect(try await world.count("SELECT count(*) FROM idempotency_keys") == 0)
    }

    @Test func oneKeyAtTheSameTimeMakesOneOrder() async throws {
        let world = try await OrderWorld.stocked()
        let key = try OrderWorld.some(IdempotencyKey("same"))
        let request = try world.request()
        let outcomes = await withTaskGroup(of: String.self) { group in
            for _ in 0..<50 {
                group.addTask {
                    do {
                        return try await world.parts.placeOrder(request, key: key).orderID.text
                    } catch {
                        return (error as? UseCaseFault)?.code ?? "\(error)"
                    }
                }
            }
            return await group.reduce(into: Set<String>()) { $0.insert($1) }
        }
        #expect(outcomes.subtracting(["idempotency-key-in-flight"]).count == 1)
        #expect(try await world.count("SELECT count(*) FROM orders") == 1)
    }

    @Test func anUnacceptableOrderWritesNothing() async throws {
        let world = try await OrderWorld.stocked()
        let cases: [([(String, Int)], String, String?)] = [
            ([("NONE", 1)], "unknown-sku", "lines[0].sku"),
            ([("MUG", 1), ("NONE", 1)], "unknown-sku", "lines[1].sku"),
            ([("MUG", 1), ("YEN", 1)], "mixed-currencies", "lines[1].sku"),
            ([("MUG", 1), ("MUG", 1)], "repeated-sku", "lines[1].sku"),
            ([], "line-count", "lines"),
        ]
        for (lines, code, path) in cases {
            await #expect { try await world.place(lines) } throws: {
                let fault = $0 as? UseCaseFault
                return fault?.code == code && fault?.path == path && fault?.kind == .unacceptable
            }
        }
        for table in ["orders", "order_lines", "order_history", "order_inputs", "idempotency_keys", "outbox"] {
            #expect(try await world.count("SELECT count(*) FROM \(table)") == 0)
        }
    }

    @Test func theTablesDefendThemselves() async throws {
        let world = try await OrderWorld.stocked()
        let id = try await world.place()
        try await world.reply(StockRefused(orderID: id, reason: "out-of-stock"), about: id)
        for sql in [
            "UPDATE orders SET status = 'completed', reason = NULL", "DELETE FROM orders",
            "UPDATE orders SET total = 1",
            "UPDATE order_history SET to_status = 'completed'", "DELETE FROM order_history", "DELETE FROM order_lines",
            "UPDATE order_lines SET quantity = 1", "DELETE FROM order_inputs", "UPDATE order_inputs SET sent = ''",
        ] {
            await #expect(throws: DatabaseError.self) { try await world.store.write { try $0.db.execute(sql: sql) } }
        }
        try await world.checkInvariants()
    }

    @Test func metricsFollowTheRows() async throws {
        let world = try await OrderWorld.stocked()
        _ = try await world.place()
        let id = try await world.place()
        try await world.reply(StockRefused(orderID: id, reason: "out-of-stock"), about: id)
        let text = String(decoding: world.registry.render(), as: UTF8.self)
        #expect(text.contains("waybill_orders{status=\"awaitingStock\"} 1"))
        #expect(text.contains("waybill_orders{status=\"rejected\"} 1"))
        #expect(text.contains("waybill_orders{status=\"placed\"} 0"))
        #expect(text.contains("waybill_order_transitions_total{from=\"awaitingStock\",to=\"rejected\"} 1"))
        #expect(text.contains("waybill_order_inputs_total{disposition=\"applied\",input=\"placed\"} 2"))
        try await world.parts.prepare()
        #expect(
            String(decoding: world.registry.render(), as: UTF8.self).contains("waybill_orders{status=\"rejected\"} 1")
        )
    }
}
