import Commerce
import Testing

@Suite struct MoneyTests {
    @Test(arguments: [
        ("12.50", Currency.eur, 1250), ("12.5", .eur, 1250), ("12", .eur, 1200), ("0.05", .usd, 5), ("300", .jpy, 300),
        ("0", .eur, 0), ("10000000000000", .eur, 1_000_000_000_000_000),
    ])
    func readsAmounts(text: String, currency: Currency, minorUnits: Int64) {
        #expect(Money(amount: text, currency: currency)?.minorUnits == minorUnits)
    }

    @Test(arguments: [
        "", ".", "1.", ".5", "1.234", "-1", "+1", "1,5", "1e3", " 1", "1 ", "٣", "10000000000000.01",
        "99999999999999999999",
    ])
    func refusesWhatIsNoAmount(text: String) {
        #expect(Money(amount: text, currency: .eur) == nil)
    }

    @Test func aCurrencyWithoutMinorUnitsHasNoDecimals() {
        #expect(Money(amount: "300.0", currency: .jpy) == nil)
        #expect(Money(minorUnits: 300, currency: .jpy).description == "300 JPY")
    }

    @Test(arguments: [
        (1250, "12.50 EUR"), (5, "0.05 EUR"), (-5, "-0.05 EUR"), (0, "0.00 EUR"),
        (Int64.min, "-92233720368547758.08 EUR"),
    ])
    func writesAmounts(minorUnits: Int64, text: String) {
        #expect(Money(minorUnits: minorUnits, currency: .eur).description == text)
    }

    @Test func sumsReportOverflowAndMixedCurrencies() throws {
        let most = Money(minorUnits: .max, currency: .eur)
        #expect(throws: MoneyFault.overflow) { try most.adding(Money(minorUnits: 1, currency: .eur)) }
        #expect(throws: MoneyFault.mixedCurrencies) { try most.adding(Money(minorUnits: 1, currency: .usd)) }
        let quantity = try #require(Quantity(2))
        #expect(throws: MoneyFault.overflow) { try most.multiplied(by: quantity) }
        #expect(try Money(minorUnits: 1250, currency: .eur).multiplied(by: quantity).minorUnits == 2500)
        #expect(Money(minorUnits: .min, currency: .eur).negated == nil)
    }
}
