public import Commerce
public import Messaging

/// An order: what was asked for, which never changes, and where it stands.
public struct Order: Sendable, Hashable {
    /// Its name.
    public let id: OrderID
    /// Who ordered.
    public let customer: CustomerID
    /// Stands for the card that pays.
    public let card: CardToken
    /// What was ordered at which price.
    public let lines: [OrderLine]
    /// The sum of the lines.
    public let total: Money
    /// When it was accepted.
    public let placedAt: Timestamp
    /// Where it stands.
    public private(set) var state: OrderState
    /// Changes of status so far, from 1 once it is placed: the sequence of its last event.
    public private(set) var version: Int64
    /// When the status changed last.
    public private(set) var updatedAt: Timestamp

    /// Makes an order as it was stored.
    public init(
        id: OrderID,
        customer: CustomerID,
        card: CardToken,
        lines: [OrderLine],
        total: Money,
        placedAt: Timestamp,
        state: OrderState,
        version: Int64,
        updatedAt: Timestamp
    ) {
        self.id = id
        self.customer = customer
        self.card = card
        self.lines = lines
        self.total = total
        self.placedAt = placedAt
        self.state = state
        self.version = version
        self.updatedAt = updatedAt
    }

    /// An order that was just accepted, before the first decision about it: no version yet.
    public init(
        accepted id: OrderID,
        customer: CustomerID,
        card: CardToken,
        priced: PricedLines,
        at now: Timestamp
    ) {
        self.init(
            id: id,
            customer: customer,
            card: card,
            lines: priced.lines,
            total: priced.total,
            placedAt: now,
            state: .placed,
            version: 0,
            updatedAt: now
        )
    }

    /// Takes a decision over.
    public mutating func apply(_ decision: OrderDecision, at now: Timestamp) {
        state = decision.state
        guard !decision.transitions.isEmpty else { return }
        version += Int64(decision.transitions.count)
        updatedAt = now
    }
}
