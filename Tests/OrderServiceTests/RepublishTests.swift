import Commerce
import DurableStore
import Messaging
import OrderCore
import OrderService
import Testing

/// After a loss of the broker's data: what open orders wait for is asked again, from their own rows.
@Suite struct RepublishTests {
    @Test func eachOpenOrderIsAskedForAgainUnderNewIDs() async throws {
        let world = try await OrderWorld.stocked()
        let waiting = try await world.place()
        let paying = try await world.place()
        try await world.reply(StockReserved(orderID: paying), about: paying)
        let undone = try await world.place()
        try await world.reply(StockReserved(orderID: undone), about: undone)
        _ = try await world.parts.cancelOrder(undone)
        let refused = try await world.place()
        try await world.reply(StockRefused(orderID: refused, reason: "out-of-stock", sku: nil), about: refused)
        let before = try await world.sent(after: 0)
        let commands = before.filter { $0.target == Channels.inventoryInbox || $0.target == Channels.paymentInbox }

        let rehearsal = try await world.parts.republishCommands(isDryRun: true)
        #expect(rehearsal.orders == 3 && rehearsal.commands == 4)
        #expect(try await world.sent(after: 0) == before)

        #expect(try await world.parts.republishCommands() == rehearsal)
        let again = try await world.sent(after: before.last?.seq ?? 0)
        #expect(
            again.map { "\($0.subject) \($0.type)" } == [
                "\(waiting.text) \(ReserveStock.messageType)", "\(paying.text) \(AuthorizePayment.messageType)",
                "\(undone.text) \(ReleaseStock.messageType)", "\(undone.text) \(CancelPayment.messageType)",
            ]
        )
        #expect(Set(again.map(\.id)).isDisjoint(with: commands.map(\.id)))
        // Nothing moved but the questions: no event, no status, no deadline.
        #expect(try await world.status(waiting) == .awaitingStock)
        #expect(try await world.status(undone) == .cancelling)
        try await world.checkInvariants()
    }

    @Test func manyOrdersAreWalkedPageByPage() async throws {
        let world = try await OrderWorld.stocked()
        for _ in 0..<230 { _ = try await world.place() }
        let summary = try await world.parts.republishCommands()
        #expect(summary.lines.map { "\($0.status.rawValue) \($0.orders) \($0.commands)" } == ["awaitingStock 230 230"])
    }
}
