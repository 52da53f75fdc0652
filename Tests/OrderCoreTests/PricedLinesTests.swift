import Commerce
import OrderCore
import Testing

@Suite struct PricedLinesTests {
    private func item(_ sku: String, _ count: Int = 1) throws -> OrderedItem {
        OrderedItem(sku: try Fixture.some(SKU(sku)), quantity: try Fixture.some(Quantity(count)))
    }

    private func price(_ items: [OrderedItem], _ catalogue: [String: CatalogArticle]) throws -> PricedLines {
        try PricedLines(items) { catalogue[$0.text] }
    }

    private func article(_ minorUnits: Int64, _ currency: Currency = .eur, active: Bool = true) -> CatalogArticle {
        CatalogArticle(price: Money(minorUnits: minorUnits, currency: currency), active: active)
    }

    @Test func sumsUp() throws {
        let priced = try price([item("MUG", 3), item("TEE")], ["MUG": article(1250), "TEE": article(999)])
        #expect(priced.total == Money(minorUnits: 4749, currency: .eur))
        #expect(priced.lines.map(\.unitPrice.minorUnits) == [1250, 999])
    }

    @Test func refusesWhatCannotBeHad() throws {
        let catalogue = [
            "MUG": article(1250), "YEN": article(300, .jpy), "OLD": article(1, active: false),
            "HUGE": article(Money.maximumMinorUnits), "MAX": article(.max), "NEG": article(-1),
            "FREE": article(0), "GIFT": article(0),
        ]
        let cases: [([OrderedItem], PricingFault)] = [
            ([], PricingFault(.lineCount, line: nil)),
            ([try item("MUG"), try item("NONE")], PricingFault(.unknownSKU, line: 1)),
            ([try item("MUG"), try item("MUG", 2)], PricingFault(.repeatedSKU, line: 1)),
            ([try item("OLD")], PricingFault(.inactiveSKU, line: 0)),
            ([try item("MUG"), try item("YEN")], PricingFault(.mixedCurrencies, line: 1)),
            ([try item("HUGE", 2)], PricingFault(.amountTooLarge, line: 0)),
            ([try item("HUGE"), try item("MUG")], PricingFault(.amountTooLarge, line: 1)),
            ([try item("MAX", 10_000)], PricingFault(.amountTooLarge, line: 0)),
            ([try item("NEG")], PricingFault(.amountTooLarge, line: 0)),
            ([try item("FREE", 3)], PricingFault(.nothingToPay, line: nil)),
            ([try item("FREE"), try item("GIFT")], PricingFault(.nothingToPay, line: nil)),
            (try (0..<101).map { try item("S\($0)") }, PricingFault(.lineCount, line: nil)),
        ]
        for (items, fault) in cases {
            #expect(throws: fault) { try price(items, catalogue) }
        }
    }

    @Test func aFreeArticleBesidePaidOnesIsFine() throws {
        let priced = try price([item("FREE", 2), item("MUG")], ["MUG": article(1250), "FREE": article(0)])
        #expect(priced.total.minorUnits == 1250)
        #expect(priced.lines.map(\.unitPrice.minorUnits) == [0, 1250])
    }

    @Test func aHundredLinesAreFine() throws {
        let items = try (0..<100).map { try item("S\($0)", 10_000) }
        let priced = try PricedLines(items) { _ in article(1_000) }
        #expect(priced.total.minorUnits == 1_000_000_000)
    }
}
