public import Commerce

/// Lines of an order with the catalogue's prices, and their sum.
public struct PricedLines: Sendable, Hashable {
    /// The lines in the order in which they were asked for.
    public let lines: [OrderLine]
    /// Their sum, from 1 to ``Commerce/Money/maximumMinorUnits``: no card can be charged nothing, so an order of free articles
    /// alone could only be accepted and then cancelled. A free article beside paid ones is fine.
    public let total: Money

    /// Prices what was asked for.
    ///
    /// - Parameter article: what the catalogue says about an article; `nil` when it knows none.
    /// - Throws: ``PricingFault`` at the first line that cannot be had, or because nothing is to be paid.
    public init(
        _ items: [OrderedItem],
        article: (SKU) throws -> CatalogArticle?
    ) throws {
        guard OrderLimits.lines.contains(items.count) else { throw PricingFault(.lineCount, line: nil) }
        var seen: Set<SKU> = []
        var lines: [OrderLine] = []
        lines.reserveCapacity(items.count)
        var sum: Money?
        for (index, item) in items.enumerated() {
            guard seen.insert(item.sku).inserted else { throw PricingFault(.repeatedSKU, line: index) }
            guard let found = try article(item.sku) else { throw PricingFault(.unknownSKU, line: index) }
            guard found.active else { throw PricingFault(.inactiveSKU, line: index) }
            let line = OrderLine(sku: item.sku, quantity: item.quantity, unitPrice: found.price)
            do throws(MoneyFault) {
                let amount = try found.price.multiplied(by: item.quantity)
                sum = try sum?.adding(amount) ?? amount
            } catch {
                throw PricingFault(error == .mixedCurrencies ? .mixedCurrencies : .amountTooLarge, line: index)
            }
            guard let sum, (0...Money.maximumMinorUnits).contains(sum.minorUnits) else {
                throw PricingFault(.amountTooLarge, line: index)
            }
            lines.append(line)
        }
        guard let sum else { throw PricingFault(.lineCount, line: nil) }
        guard sum.minorUnits > 0 else { throw PricingFault(.nothingToPay, line: nil) }
        self.lines = lines
        total = sum
    }
}

/// What the catalogue says about an article.
public struct CatalogArticle: Sendable, Hashable {
    /// The price of one piece.
    public let price: Money
    /// Whether it can be ordered.
    public let active: Bool

    /// Makes an entry.
    public init(price: Money, active: Bool) {
        self.price = price
        self.active = active
    }
}

/// Why lines cannot be priced.
public struct PricingFault: Error, Sendable, Hashable {
    /// What is wrong. The raw values are stable: they are codes of problem documents.
    public enum Code: String, Sendable, Hashable, CaseIterable {
        case lineCount = "line-count"
        case repeatedSKU = "repeated-sku"
        case unknownSKU = "unknown-sku"
        case inactiveSKU = "inactive-sku"
        case mixedCurrencies = "mixed-currencies"
        case amountTooLarge = "amount-too-large"
        case nothingToPay = "nothing-to-pay"
    }

    /// What is wrong.
    public let code: Code
    /// The line, from 0; `nil` when it is about all of them.
    public let line: Int?

    /// Makes a fault.
    public init(_ code: Code, line: Int?) {
        self.code = code
        self.line = line
    }

    /// A sentence for people.
    public var sentence: String {
        switch code {
        case .lineCount: "An order has between 1 and 100 lines."
        case .repeatedSKU: "Each article may appear in one line only."
        case .unknownSKU: "The catalogue has no such article."
        case .inactiveSKU: "The article can no longer be ordered."
        case .mixedCurrencies: "All articles of one order must be priced in the same currency."
        case .amountTooLarge: "The order's total is too large."
        case .nothingToPay: "The order's total is zero; there is nothing to pay for."
        }
    }
}
