import AnalyticsCore
import Commerce
import Messaging
import Testing

@Suite struct ReadModelFoldTests {
    private func event(_ status: OrderStatus) throws -> OrderEvent {
        let price = Money(minorUnits: 1250, currency: .eur)
        let line = OrderLine(sku: try #require(SKU("MUG-1")), quantity: try #require(Quantity(2)), unitPrice: price)
        return OrderEvent(
            orderID: try #require(OrderID("0198f1c2-3d4e-7f00-8000-000000000001")),
            customerID: try #require(CustomerID("ada")),
            status: status,
            previousStatus: nil,
            lines: [line],
            total: Money(minorUnits: 2500, currency: .eur),
            placedAt: "2026-11-20T21:24:14.000Z"
        )
    }

    @Test func completionAddsRevenueUnitsAndTime() throws {
        let placed = try #require(Timestamp("2026-11-20T21:24:14.000Z"))
        let changes = ReadModelFold.changes(
            for: try event(.completed),
            sequence: 5,
            known: 4,
            placedAt: placed,
            at: placed.advanced(byMilliseconds: 1400)
        )
        #expect(changes.count == 4)
        #expect(changes.contains(.addRevenue(minute: placed.startOfMinute, Money(minorUnits: 2500, currency: .eur))))
        #expect(changes.contains(.addUnits(try #require(SKU("MUG-1")), 2)))
        #expect(changes.contains(.addCompletionTime(milliseconds: 1400)))
    }

    @Test func anOlderVersionDoesNotMoveAnOrderBack() throws {
        let placed = Timestamp(millisecondsSinceEpoch: 0)
        #expect(
            ReadModelFold.changes(for: try event(.awaitingStock), sequence: 2, known: 5, placedAt: placed, at: placed)
                .isEmpty
        )
    }

    @Test func quantilesNameTheClass() {
        #expect(CompletionTimeClass.quantile(0.5, of: []) == nil)
        let counts: [(bound: Int64, count: Int64)] = [(100, 98), (10, 1), (5000, 1)]
        #expect(CompletionTimeClass.quantile(0.5, of: counts) == 100)
        #expect(CompletionTimeClass.quantile(0.999, of: counts) == 5000)
        #expect(CompletionTimeClass.bound(forMilliseconds: 11) == 25)
        #expect(CompletionTimeClass.bound(forMilliseconds: 1_000_000) == CompletionTimeClass.unbounded)
    }
}
