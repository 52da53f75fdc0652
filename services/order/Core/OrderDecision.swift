public import Commerce
public import Messaging

/// What the rules made of one input. A value: nothing has happened yet.
public struct OrderDecision: Sendable, Hashable {
    /// Whether the input meant anything to the order.
    public let disposition: OrderDisposition
    /// The state afterwards.
    public let state: OrderState
    /// The changes of status, in order; one event each.
    public let transitions: [OrderTransition]
    /// What others are asked to do, in order.
    public let commands: [OrderCommand]
    /// What becomes of the deadlines.
    public let deadlines: [OrderDeadlineChange]

    init(
        _ disposition: OrderDisposition,
        state: OrderState,
        transitions: [OrderTransition] = [],
        commands: [OrderCommand] = [],
        deadlines: [OrderDeadlineChange] = []
    ) {
        self.disposition = disposition
        self.state = state
        self.transitions = transitions
        self.commands = commands
        self.deadlines = deadlines
    }
}

/// Whether an input meant anything. The raw values are stored and are labels of metrics.
public enum OrderDisposition: String, Sendable, Hashable, CaseIterable {
    /// It changed the order, or made it ask for something again.
    case applied
    /// The order is past the point where it mattered: a duplicate, or an answer that was overtaken.
    case repeated
    /// The order is being undone or has ended; whoever sent it keeps to the compensation that was asked for.
    case late
    /// Nothing was asked that it could answer. Harmless, and worth a look.
    case unexpected
}

/// A change of status.
public struct OrderTransition: Sendable, Hashable {
    /// The status before; `nil` when the order came into being.
    public let from: OrderStatus?
    /// The status that was reached.
    public let to: OrderStatus
    /// Why, where there is a reason.
    public let reason: OrderReason?

    /// Makes a transition.
    public init(from: OrderStatus?, to: OrderStatus, reason: OrderReason? = nil) {
        self.from = from
        self.to = to
        self.reason = reason
    }
}

/// What another service is asked to do. Every receiver is idempotent by order, so each may be asked again.
public enum OrderCommand: Sendable, Hashable {
    /// Inventory: hold everything, or nothing.
    case reserveStock(expiresAt: Timestamp)
    /// Inventory: consume what is held.
    case commitStock
    /// Inventory: let go, and refuse any later hold.
    case releaseStock(OrderReason)
    /// Payment: set the total aside.
    case authorizePayment
    /// Payment: take it.
    case capturePayment
    /// Payment: end with no money taken.
    case cancelPayment(OrderReason)

    /// A stable word for the journal.
    public var name: String {
        switch self {
        case .reserveStock: "reserve-stock"
        case .commitStock: "commit-stock"
        case .releaseStock: "release-stock"
        case .authorizePayment: "authorize-payment"
        case .capturePayment: "capture-payment"
        case .cancelPayment: "cancel-payment"
        }
    }
}

/// What becomes of a deadline.
public enum OrderDeadlineChange: Sendable, Hashable {
    /// It is (again) due at a point.
    case set(OrderDeadline, at: Timestamp)
    /// It no longer matters.
    case clear(OrderDeadline)
}

/// Why a customer's wish is not granted.
public enum OrderRefusal: Error, Sendable, Hashable {
    /// The order is not stored yet.
    case notStarted
    /// The money is taken and the stock is being consumed.
    case tooLate
    /// The order has ended in a way that cannot be undone.
    case final(OrderStatus)
}
