/// The pieces of one article: `0 ≤ reserved ≤ onHand`.
public struct StockLevel: Sendable, Hashable {
    /// Pieces in the house.
    public var onHand: Int
    /// Pieces of those that are set aside.
    public var reserved: Int

    /// The most pieces that one article may have.
    public static let maximum = 1_000_000_000

    /// Makes a level.
    public init(onHand: Int, reserved: Int) {
        self.onHand = onHand
        self.reserved = reserved
    }

    /// Pieces that can still be set aside.
    public var available: Int { onHand - reserved }
}
