extension Money: CustomStringConvertible {
    /// The amount in major units with its code: `12.50 EUR`, `300 JPY`, `-0.05 USD`.
    public var description: String {
        amountText + " " + currency.rawValue
    }

    /// The amount in major units without its code: `12.50`.
    public var amountText: String {
        let digits = String(minorUnits.magnitude)
        let sign = minorUnits < 0 ? "-" : ""
        let decimals = currency.minorUnitDigits
        guard decimals > 0 else { return sign + digits }
        let padded = String(repeating: "0", count: max(0, decimals + 1 - digits.count)) + digits
        return sign + padded.dropLast(decimals) + "." + padded.suffix(decimals)
    }

    /// Reads an amount that is not negative, in major units: `12.5`, `12.50`, `12`.
    ///
    /// Returns `nil` for more decimals than the currency has, for anything but digits and one point, and beyond
    /// ``maximumMinorUnits``.
    public init?(amount text: some StringProtocol, currency: Currency) {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard text.utf8.count <= 20, parts.count <= 2, let whole = parts.first, !whole.isEmpty else { return nil }
        let fraction = parts.count == 2 ? String(parts[1]) : ""
        guard parts.count == 1 || !fraction.isEmpty, fraction.utf8.count <= currency.minorUnitDigits else { return nil }
        let digits = whole + fraction + String(repeating: "0", count: currency.minorUnitDigits - fraction.utf8.count)
        guard digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let minorUnits = Int64(digits),
            minorUnits <= Money.maximumMinorUnits
        else { return nil }
        self.init(minorUnits: minorUnits, currency: currency)
    }
}
