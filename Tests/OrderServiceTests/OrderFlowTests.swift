import Commerce
import DurableStore
import KitTestSupport
import Messaging
import OrderCore
import OrderService
import Testing

/// Every way through the saga, on a real store.
@Suite struct OrderFlowTests {
    private let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

    @Test func theHappyWay() async throws {
        let world = try await OrderWorld.stocked()
        let id = try await world.place([("MUG", 2), ("TEE", 1)], traceparent: trace)
        var order = try await world.order(id)
        #expect(order.state == .awaitingStock && order.version == 2)
        #expect(order.total == Money(minorUnits: 3499, currency: .eur))
        #expect(try await world.deadlines() == ["stock"])

        try await world.reply(StockReserved(orderID: id), about: id)
        #expect(try await world.deadlines() == ["payment"])
        try await world.reply(PaymentAuthorized(orderID: id, paymentID: try payment()), about: id)
        try await world.reply(PaymentCaptured(orderID: id, amount: order.total), about: id)
        #expect(try await world.order(id).state == .committing)
        #expect(try await world.order(id).version == 4, "a captured payment is no change of status")
        #expect(try await world.deadlines() == ["confirmation"])
        try await world.reply(StockCommitted(orderID: id), about: id)

        order = try await world.order(id)
        #expect(order.state == .completed && order.version == 5)
        #expect(try await world.deadlines().isEmpty)
        #expect(
            try await world.commands(of: id) == [
                ReserveStock.messageType, AuthorizePayment.messageType, CapturePayment.messageType,
                CommitStock.messageType,
            ]
        )
        let sent = try await world.sent().filter { $0.subject == id.text }
        #expect(sent.allSatisfy { $0.correlationID == id.text })
        #expect(sent.prefix(3).allSatisfy { $0.traceparent == trace && $0.causationID == nil })
        #expect(sent.dropFirst(3).allSatisfy { $0.causationID != nil })
        let reserve = try OrderWorld.some(sent.first { $0.type == ReserveStock.messageType })
        #expect(reserve.target == Channels.inventoryInbox)
        let command = try PayloadCodec.decode(ReserveStock.self, from: reserve.body)
        #expect(command.items.map(\.sku.text) == ["MUG", "TEE"])
        #expect(command.expiresAt == world.clock.now().advanced(by: .seconds(900)).description)
        let authorize = try OrderWorld.some(sent.first { $0.type == AuthorizePayment.messageType })
        #expect(try PayloadCodec.decode(AuthorizePayment.self, from: authorize.body).amount == order.total)
        try await world.checkInvariants()
    }

    @Test func noStockIsRejected() async throws {
        let world = try await OrderWorld.stocked()
        let id = try await world.place()
        try await world.reply(StockRefused(orderID: id, reason: "out-of-stock", sku: SKU("MUG")), about: id)
        #expect(try await world.order(id).state == .rejected(OrderReason("out-of-stock")))
        #expect(try await world.deadlines().isEmpty)
        try await world.checkInvariants()
    }

    @Test func aDeclinedCardLetsTheStockGo() async throws {
        let world = try await OrderWorld.stocked()
        let id = try await world.place()
        try await world.reply(StockReserved(orderID: id), about: id)
        try await world.reply(PaymentDeclined(orderID: id, reason: "card-declined"), about: id)
        #expect(try await world.commands(of: id).last == ReleaseStock.messageType)
        #expect(try await world.commands(of: id).contains(CancelPayment.messageType) == false)
        try await world.reply(StockReleased(orderID: id), about: id)
        #expect(try await world.order(id).state == .cancelled(OrderReason("card-declined")))
        try await world.checkInvariants()
    }

    @Test(arguments: [false, true])
    func anUnresolvedPaymentIsUndoneOnBothSides(stockFirst: Bool) async throws {
        let world = try await OrderWorld.stocked()
        let id = try await world.place()
        try await world.reply(StockReserved(orderID: id), about: id)
        try await world.reply(PaymentFailed(orderID: id, reason: "gateway-unresolved"), about: id)
        #expect(try await world.commands(of: id).suffix(2) == [ReleaseStock.messageType, CancelPayment.messageType])
        for stock in [stockFirst, !stockFirst] {
            #expect(try await world.status(id) == .cancelling)
            if stock {
                try await world.reply(StockReleased(orderID: id), about: id)
            } else {
                try await world.reply(PaymentCancelled(orderID: id), about: id)
            }
        }
        #expect(try await world.order(id).state == .cancelled(OrderReason("gateway-unresolved")))
        #expect(try await world.deadlines().isEmpty)
        try await world.checkInvariants()
    }

    @Test func stockThatVanishedRefundsThePayment() async throws {
        let world = try await OrderWorld.stocked()
        let id = try await toCommitting(world)
        try await world.reply(StockCommitRefused(orderID: id, reason: "expired"), about: id)
        #expect(try await world.commands(of: id).last == CancelPayment.messageType)
        let total = try await world.order(id).total
        try await world.reply(PaymentCancelled(orderID: id, refunded: total), about: id)
        #expect(try await world.order(id).state == .cancelled(OrderReason("expired")))
        try await world.checkInvariants()
    }

    @Test func anotherAmountIsUndone() async throws {
        let world = try await OrderWorld.stocked()
        let id = try await world.place()
        try await world.reply(StockReserved(orderID: id), about: id)
        try await world.reply(PaymentAuthorized(orderID: id, paymentID: try payment()), about: id)
        try await world.reply(PaymentCaptured(orderID: id, amount: Money(minorUnits: 1, currency: .eur)), about: id)
        #expect(try await world.order(id).state.reason == .amountMismatch)
        #expect(try await world.commands(of: id).suffix(2) == [ReleaseStock.messageType, CancelPayment.messageType])
    }

    @Test func aCustomerMayCancelUntilTheMoneyIsTaken() async throws {
        let world = try await OrderWorld.stocked()
        for stage in 0..<3 {
            let id = try await world.place()
            if stage > 0 { try await world.reply(StockReserved(orderID: id), about: id) }
            if stage > 1 { try await world.reply(PaymentAuthorized(orderID: id, paymentID: try payment()), about: id) }
            let before = try await world.sent().count
            #expect(try await world.parts.cancelOrder(id).state.status == .cancelling)
            let commands = try await world.sent(after: Int64(before)).filter { $0.target != Channels.ordersTopic }
            #expect(
                commands.map(\.type)
                    == [ReleaseStock.messageType] + (stage > 0 ? [CancelPayment.messageType] : [])
            )
            // Asked again, it is granted again and nothing more is sent.
            let sent = try await world.sent().count
            #expect(try await world.parts.cancelOrder(id).state.status == .cancelling)
            #expect(try await world.sent().count == sent)
            try await world.reply(StockReleased(orderID: id), about: id)
            if stage > 0 { try await world.reply(PaymentCancelled(orderID: id), about: id) }
            #expect(try await world.order(id).state == .cancelled(.customer))
            #expect(try await world.parts.cancelOrder(id).state == .cancelled(.customer))
        }
        let late = try await toCommitting(world)
        await #expect { try await world.parts.cancelOrder(late) } throws: {
            ($0 as? UseCaseFault)?.code == "too-late-to-cancel"
        }
        try await world.reply(StockCommitted(orderID: late), about: late)
        await #expect { try await world.parts.cancelOrder(late) } throws: {
            ($0 as? UseCaseFault)?.code == "order-final"
        }
        let unknown = try OrderWorld.some(OrderID("00000000-0000-7000-8000-000000000000"))
        await #expect { try await world.parts.cancelOrder(unknown) } throws: {
            ($0 as? UseCaseFault)?.kind == .notFound
        }
        try await world.checkInvariants()
    }

    @Test func deadlinesUndoOrAskAgain() async throws {
        let world = try await OrderWorld.stocked()
        let waiting = try await world.place()
        try await world.pass(OrderTiming.standard.stock - .seconds(1))
        #expect(try await world.status(waiting) == .awaitingStock)
        try await world.pass(.seconds(1))
        #expect(try await world.order(waiting).state.reason == .deadline)
        #expect(try await world.commands(of: waiting).last == ReleaseStock.messageType)
        #expect(try await world.deadlines() == ["compensation"])
        // Unanswered compensations are asked for again, with new messages.
        try await world.pass(.seconds(60))
        #expect(
            try await world.commands(of: waiting).suffix(2) == [ReleaseStock.messageType, ReleaseStock.messageType]
        )
        let ids = try await world.sent().filter { $0.type == ReleaseStock.messageType }.map(\.id)
        #expect(Set(ids).count == 2)
        try await world.reply(StockReleased(orderID: waiting), about: waiting)
        #expect(try await world.order(waiting).state == .cancelled(.deadline))

        // Once the money is taken a deadline asks again for the stock and never turns back.
        let paid = try await toCommitting(world)
        for round in 1...3 {
            try await world.pass(.seconds(60))
            #expect(try await world.order(paid).state == .committing)
            #expect(try await world.commands(of: paid).filter { $0 == CommitStock.messageType }.count == round + 1)
        }
        try await world.checkInvariants()
    }

    @Test func aCompensationThatNobodyAnswersNeedsAnOperator() async throws {
        let world = try await OrderWorld.stocked(timing: OrderTiming(compensationRounds: 3))
        let id = try await world.place()
        _ = try await world.parts.cancelOrder(id)
        for _ in 0..<2 { try await world.pass(.seconds(60)) }
        #expect(try await world.status(id) == .cancelling)
        #expect(try await world.commands(of: id).filter { $0 == ReleaseStock.messageType }.count == 3)
        try await world.pass(.seconds(60))
        #expect(try await world.status(id) == .needsOperator)
        #expect(try await world.deadlines().isEmpty)
        try await world.reply(StockReleased(orderID: id), about: id)
        #expect(try await world.status(id) == .needsOperator)
        try await world.checkInvariants()
    }

    private func payment() throws -> PaymentID {
        try OrderWorld.some(PaymentID("0192f3c4-0000-7000-8000-00000000000a"))
    }

    private func toCommitting(_ world: OrderWorld) async throws -> OrderID {
        let id = try await world.place()
        try await world.reply(StockReserved(orderID: id), about: id)
        try await world.reply(PaymentAuthorized(orderID: id, paymentID: try payment()), about: id)
        try await world.reply(PaymentCaptured(orderID: id, amount: Money(minorUnits: 2500, currency: .eur)), about: id)
        #expect(try await world.order(id).state == .committing)
        return id
    }
}
