/// A currency by its ISO 4217 alphabetic code, among those that Waybill's catalogue can be priced in.
public enum Currency: String, Sendable, Hashable, Codable, CaseIterable {
    case eur = "EUR", usd = "USD", gbp = "GBP", chf = "CHF", sek = "SEK", jpy = "JPY"

    /// Digits after the decimal point of a major unit (ISO 4217, column "minor unit").
    public var minorUnitDigits: Int {
        self == .jpy ? 0 : 2
    }
}
