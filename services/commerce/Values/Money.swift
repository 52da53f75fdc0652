/// An amount of one currency in whole minor units. Never a fraction, never a floating point number.
public struct Money: Sendable, Hashable, Codable {
    /// Minor units: cents of EUR, whole JPY. May be negative in a ledger.
    public let minorUnits: Int64
    /// The currency.
    public let currency: Currency

    /// Makes an amount.
    public init(minorUnits: Int64, currency: Currency) {
        self.minorUnits = minorUnits
        self.currency = currency
    }

    /// The largest amount that any price or total may have: 10^15 minor units, far below where sums could overflow.
    public static let maximumMinorUnits: Int64 = 1_000_000_000_000_000

    /// No money at all.
    public static func zero(_ currency: Currency) -> Money {
        Money(minorUnits: 0, currency: currency)
    }

    /// The sum.
    /// - Throws: ``MoneyFault`` when the currencies differ or the sum does not fit.
    public func adding(_ other: Money) throws(MoneyFault) -> Money {
        guard currency == other.currency else { throw .mixedCurrencies }
        let (sum, overflow) = minorUnits.addingReportingOverflow(other.minorUnits)
        guard !overflow else { throw .overflow }
        return Money(minorUnits: sum, currency: currency)
    }

    /// This amount `quantity` times.
    /// - Throws: ``MoneyFault/overflow`` when the product does not fit.
    public func multiplied(by quantity: Quantity) throws(MoneyFault) -> Money {
        let (product, overflow) = minorUnits.multipliedReportingOverflow(by: Int64(quantity.count))
        guard !overflow else { throw .overflow }
        return Money(minorUnits: product, currency: currency)
    }

    /// The same amount with the other sign; `nil` for the one value that has none.
    public var negated: Money? {
        minorUnits == .min ? nil : Money(minorUnits: -minorUnits, currency: currency)
    }
}

/// Why amounts cannot be put together.
public enum MoneyFault: String, Error, Sendable, Hashable {
    case overflow = "money-overflow", mixedCurrencies = "mixed-currencies"
}
