/// How many pieces of one article an order line asks for: 1…10,000.
public struct Quantity: Sendable, Hashable, Comparable {
    /// Pieces.
    public let count: Int

    /// The permitted counts.
    public static let range = 1...10_000

    /// Makes a quantity; `nil` outside ``range``.
    public init?(_ count: Int) {
        guard Quantity.range.contains(count) else { return nil }
        self.count = count
    }

    public static func < (lhs: Quantity, rhs: Quantity) -> Bool {
        lhs.count < rhs.count
    }
}

extension Quantity: Codable {
    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        guard let quantity = Quantity(try container.decode(Int.self)) else {
            throw DecodingError.dataCorruptedError(
                in: container,
                debugDescription: "must be between \(Quantity.range.lowerBound) and \(Quantity.range.upperBound)"
            )
        }
        self = quantity
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(count)
    }
}
