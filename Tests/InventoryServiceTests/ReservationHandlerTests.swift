import Commerce
import DurableStore
import KitTestSupport
import Messaging
import Testing

@testable import InventoryService

@Suite struct ReservationHandlerTests {
    @Test func heldThenCommitted() async throws {
        let world = try await InventoryWorld.stocked()
        let order = try orderID(1)
        #expect(
            try await world.reserve(order, [item("MUG", 3), item("TEE", 5)], messageID: "the-cause") == .acknowledge
        )
        #expect(try await world.status(order) == "held")
        #expect(try await world.level("MUG") == "10/3")
        #expect(try await world.level("TEE") == "5/5")
        #expect(try await world.count("SELECT count(*) FROM deadlines") == 1)

        let sent = try await world.sent(about: order.text)
        #expect(sent.map(\.target) == [Channels.inventoryTopic, Channels.orderInbox])
        #expect(sent.allSatisfy { $0.causationID == "the-cause" })
        let event = try PayloadCodec.decode(ReservationEvent.self, from: sent[0].body)
        #expect(event.kind == .reserved && event.orderID == order && event.items.count == 2)
        #expect(try PayloadCodec.decode(StockReserved.self, from: sent[1].body).orderID == order)

        try await world.commit(order)
        #expect(try await world.status(order) == "committed")
        #expect(try await world.level("MUG") == "7/0")
        #expect(try await world.level("TEE") == "0/0")
        #expect(try await world.count("SELECT count(*) FROM deadlines") == 0)
        #expect(try await world.replies(order) == [StockReserved.messageType, StockCommitted.messageType])
        #expect(try await world.events(order) == ["waybill.stock.reserved.v1@1", "waybill.stock.committed.v1@2"])
        #expect(try await world.violations().isEmpty)
    }

    @Test func refusedAllOrNothing() async throws {
        let world = try await InventoryWorld.stocked()
        let order = try orderID(1)
        try await world.reserve(order, [item("MUG", 1), item("TEE", 6)])
        #expect(try await world.status(order) == "refused")
        #expect(try await world.level("MUG") == "10/0", "all or none")
        let reply = try some(try await world.sent(about: order.text).last)
        let refusal = try PayloadCodec.decode(StockRefused.self, from: reply.body)
        #expect(refusal.reason == "out-of-stock" && refusal.sku?.text == "TEE")
        #expect(try await world.count("SELECT count(*) FROM deadlines") == 0)

        let unknown = try orderID(2)
        try await world.reserve(unknown, [item("NOPE", 1)])
        let other = try PayloadCodec.decode(
            StockRefused.self,
            from: try some(try await world.sent(about: unknown.text).last).body
        )
        #expect(other.reason == "unknown-sku" && other.sku?.text == "NOPE")

        // Asked again, the answer is the same although there is enough by now.
        try await world.setStock("TEE", 100)
        try await world.reserve(order, [item("MUG", 1), item("TEE", 6)])
        #expect(try await world.replies(order) == [StockRefused.messageType, StockRefused.messageType])
        #expect(try await world.events(order) == ["waybill.stock.refused.v1@1"])
        try await world.commit(order)
        #expect(try await world.replies(order).last == StockCommitRefused.messageType)
        #expect(try await world.violations().isEmpty)
    }

    @Test func releaseGivesBackWhatWasHeldOrSold() async throws {
        let world = try await InventoryWorld.stocked()
        let held = try orderID(1)
        let sold = try orderID(2)
        try await world.reserve(held, [item("MUG", 3)])
        try await world.release(held)
        #expect(try await world.level("MUG") == "10/0")
        try await world.reserve(sold, [item("MUG", 4)])
        try await world.commit(sold)
        #expect(try await world.level("MUG") == "6/0")
        try await world.release(sold, reason: String(repeating: "x", count: 4000))
        #expect(try await world.level("MUG") == "10/0")
        for order in [held, sold] {
            #expect(try await world.status(order) == "released")
            #expect(try await world.replies(order).last == StockReleased.messageType)
        }
        #expect(try await world.count("SELECT max(length(reason)) FROM reservations") == 100)
        #expect(try await world.events(sold).last == "waybill.stock.released.v1@3")
        #expect(try await world.violations().isEmpty)
    }

    @Test func aTombstoneRefusesTheReservationThatComesAfterIt() async throws {
        let world = try await InventoryWorld.stocked()
        let order = try orderID(1)
        try await world.release(order)
        #expect(try await world.status(order) == "released")
        #expect(try await world.events(order) == ["waybill.stock.released.v1@1"])
        try await world.reserve(order, [item("MUG", 1)])
        #expect(try await world.status(order) == "released")
        #expect(try await world.level("MUG") == "10/0")
        let reply = try some(try await world.sent(about: order.text).last)
        #expect(try PayloadCodec.decode(StockRefused.self, from: reply.body).reason == "order-cancelled")
        try await world.commit(order)
        #expect(try await world.replies(order).last == StockCommitRefused.messageType)
        #expect(try await world.violations().isEmpty)
    }

    /// The same message twice has one effect and one answer; the same question in a new message has an answer only.
    @Test func duplicatesHaveNoSecondEffect() async throws {
        let world = try await InventoryWorld.stocked()
        let order = try orderID(1)
        for _ in 0..<3 { #expect(try await world.reserve(order, [item("MUG", 3)], messageID: "a") == .acknowledge) }
        #expect(try await world.replies(order).count == 1)
        try await world.reserve(order, [item("MUG", 9)])
        #expect(try await world.replies(order) == [StockReserved.messageType, StockReserved.messageType])
        #expect(try await world.level("MUG") == "10/3")
        for _ in 0..<3 { try await world.commit(order, messageID: "b") }
        try await world.commit(order)
        try await world.reserve(order, [item("MUG", 3)])
        #expect(try await world.level("MUG") == "7/0")
        #expect(
            try await world.replies(order) == [
                StockReserved.messageType, StockReserved.messageType, StockCommitted.messageType,
                StockCommitted.messageType, StockReserved.messageType,
            ]
        )
        for _ in 0..<3 { try await world.release(order) }
        #expect(try await world.level("MUG") == "10/0")
        #expect(try await world.events(order).count == 3)
        #expect(try await world.violations().isEmpty)
    }

    @Test func anUnusedHoldEndsByItself() async throws {
        let world = try await InventoryWorld.stocked()
        let (unused, used) = (try orderID(1), try orderID(2))
        try await world.reserve(unused, [item("MUG", 3)], holding: .seconds(60))
        try await world.reserve(used, [item("MUG", 4)], holding: .seconds(60))
        try await world.commit(used)
        try await world.pass(.seconds(59))
        #expect(try await world.status(unused) == "held")
        try await world.pass(.seconds(1))
        #expect(try await world.status(unused) == "expired")
        #expect(try await world.level("MUG") == "6/0")
        #expect(try await world.events(unused).last == "waybill.stock.expired.v1@2")
        #expect(try await world.replies(unused).count == 1, "nobody asked")
        try await world.commit(unused)
        let refusal = try PayloadCodec.decode(
            StockCommitRefused.self,
            from: try some(try await world.sent(about: unused.text).last).body
        )
        #expect(refusal.reason == "expired")
        try await world.release(unused)
        #expect(try await world.replies(unused).last == StockReleased.messageType)
        #expect(try await world.status(unused) == "expired")
        #expect(try await world.violations().isEmpty)
    }

    /// A hold that is asked for longer than an hour ends after an hour; one that is over already is granted and ends at once.
    @Test func holdsAreBounded() async throws {
        let world = try await InventoryWorld.stocked()
        let (long, past) = (try orderID(1), try orderID(2))
        try await world.reserve(long, [item("MUG", 1)], holding: .seconds(1_000_000))
        try await world.reserve(past, [item("MUG", 1)], holding: .seconds(-60))
        try await world.pass(.zero)
        #expect(try await world.status(past) == "expired")
        try await world.pass(.seconds(3600))
        #expect(try await world.status(long) == "expired")
    }

    @Test func expiryOfNothingIsNothing() async throws {
        let world = try await InventoryWorld.stocked()
        try await world.store.write { [handler = world.handler] tx in
            try handler.expire("no order", in: tx)
            try handler.expire("00000000-0000-7000-8000-000000000009", in: tx)
        }
        #expect(try await world.count("SELECT count(*) FROM reservations") == 0)
    }

    /// Bodies that no decent sender makes: each becomes a dead letter and changes nothing.
    @Test(
        arguments: [
            (ReserveStock.messageType, "", "empty-input"),
            (ReserveStock.messageType, "{", "unexpected-end"),
            (ReserveStock.messageType, "null", "unexpected-null"),
            (ReserveStock.messageType, "[]", "wrong-type"),
            (ReserveStock.messageType, String(repeating: "[", count: 5000), nil),
            (ReserveStock.messageType, #"{"orderID":"x","items":[],"expiresAt":"2026-01-01T00:00:00Z"}"#, nil),
            (
                ReserveStock.messageType, #"{"orderID":"@","items":[],"expiresAt":"2026-01-01T00:00:00Z"}"#,
                "payload-invalid"
            ),
            (ReserveStock.messageType, #"{"orderID":"@","items":[$],"expiresAt":"tomorrow"}"#, "payload-invalid"),
            (
                ReserveStock.messageType, #"{"orderID":"@","items":[$,$],"expiresAt":"2026-01-01T00:00:00Z"}"#,
                "payload-invalid"
            ),
            (
                ReserveStock.messageType,
                #"{"orderID":"@","items":[{"sku":"MUG","quantity":0}],"expiresAt":"2026-01-01T00:00:00Z"}"#, nil
            ),
            (
                ReserveStock.messageType,
                #"{"orderID":"@","items":[{"sku":"MUG","quantity":1e99}],"expiresAt":"2026-01-01T00:00:00Z"}"#, nil
            ),
            (
                ReserveStock.messageType,
                #"{"orderID":"@","items":[{"sku":"' OR 1","quantity":1}],"expiresAt":"2026-01-01T00:00:00Z"}"#, nil
            ),
            (CommitStock.messageType, #"{"orderID":7}"#, "wrong-type"),
            (CommitStock.messageType, "{}", "missing-field"),
            (ReleaseStock.messageType, #"{"orderID":"@"}"#, "missing-field"),
            ("waybill.inventory.explode.v1", "{}", "unknown-type"),
        ] as [(String, String, String?)]
    )
    func hostilePayloads(_ type: String, _ body: String, _ code: String?) async throws {
        let world = try await InventoryWorld.stocked()
        let order = try orderID(1)
        let sent = "SELECT count(*) FROM outbox WHERE target IN ('inventory', 'order.inbox')"
        let before = try await world.count(sent)
        let bytes = Array(
            body.replacing("@", with: order.text).replacing("$", with: #"{"sku":"MUG","quantity":1}"#).utf8
        )
        let envelope = Envelope(
            id: "hostile",
            source: "/x",
            type: type,
            subject: order.text,
            time: world.clock.now(),
            correlationID: order.text,
            body: bytes
        )
        let fault = await #expect(throws: PayloadFault.self) {
            try await world.store.write { [handler = world.handler] tx in try handler.handle(envelope, in: tx) }
        }
        #expect(fault?.failureClass == .poison)
        if let code { #expect(fault?.code == code) }
        // Through the inbox it becomes a dead letter, which is not an answer.
        #expect(try await world.send(type, bytes, about: order) == .acknowledge)
        #expect(try await world.count(sent) == before)
        #expect(
            try await world.count(
                "SELECT count(*) FROM outbox WHERE target NOT IN ('inventory', 'order.inbox', 'catalog')"
            ) == 1
        )
        #expect(try await world.count("SELECT count(*) FROM reservations") == 0)
    }

    /// Order is kept by subject: a command under another order's subject could overtake those of its own.
    @Test func aCommandUnderAnotherOrdersSubjectIsPoison() async throws {
        let world = try await InventoryWorld.stocked()
        let (order, other) = (try orderID(1), try orderID(2))
        try await world.reserve(order, [item("MUG", 1)])
        #expect(try await world.send(ReleaseStock(orderID: order, reason: "customer"), about: other) == .acknowledge)
        #expect(try await world.status(order) == "held")
        #expect(try await world.count("SELECT count(*) FROM outbox WHERE target = 'inventory.inbox.dead'") == 1)
    }

    @Test func tooManyLinesAreRefusedAsPoison() async throws {
        let world = try await InventoryWorld.stocked()
        let order = try orderID(1)
        let items = try (0...100).map { try item("SKU-\($0)", 1) }
        let command = ReserveStock(orderID: order, items: items, expiresAt: world.clock.now().description)
        let envelope = Envelope(
            id: "many",
            source: "/x",
            type: ReserveStock.messageType,
            subject: order.text,
            time: world.clock.now(),
            correlationID: order.text,
            body: try PayloadCodec.encode(command)
        )
        await #expect(throws: PayloadFault.self) {
            try await world.store.write { [handler = world.handler] tx in try handler.handle(envelope, in: tx) }
        }
    }
}
