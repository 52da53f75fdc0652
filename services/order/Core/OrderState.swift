public import Commerce

/// Where an order stands, with everything that the rules need to know about it.
///
/// ``OrderRules`` holds the graph. Several states may share one public ``OrderStatus``: whether the money of an order that
/// is being confirmed has been taken is the machine's own affair.
public enum OrderState: Sendable, Hashable {
    /// Accepted; nothing asked of anyone yet. Never outlives the unit of work that stores the order.
    case placed
    /// Stock has been asked for.
    case awaitingStock
    /// Stock is held; the payment has been asked for.
    case awaitingPayment
    /// The payment is authorized; its capture has been asked for. Status `confirming`.
    case capturing
    /// The money is taken; the stock is being consumed. Nothing turns back from here by itself. Status `confirming`.
    case committing
    /// Paid and consumed. Terminal.
    case completed
    /// Never had stock. Terminal.
    case rejected(OrderReason)
    /// Being undone.
    case cancelling(Compensation)
    /// Undone. Terminal.
    case cancelled(OrderReason)
    /// Could not be undone within the bound of ``OrderTiming/compensationRounds``; a person must decide. Terminal.
    case needsOperator(Compensation)

    /// The status that clients, events and history know.
    public var status: OrderStatus {
        switch self {
        case .placed: .placed
        case .awaitingStock: .awaitingStock
        case .awaitingPayment: .awaitingPayment
        case .capturing, .committing: .confirming
        case .completed: .completed
        case .rejected: .rejected
        case .cancelling: .cancelling
        case .cancelled: .cancelled
        case .needsOperator: .needsOperator
        }
    }

    /// Why, in the states that have a reason.
    public var reason: OrderReason? {
        switch self {
        case .placed, .awaitingStock, .awaitingPayment, .capturing, .committing, .completed: nil
        case .rejected(let reason), .cancelled(let reason): reason
        case .cancelling(let compensation), .needsOperator(let compensation): compensation.reason
        }
    }
}

/// What must be undone before an order counts as cancelled, and how far that has come.
public struct Compensation: Sendable, Hashable {
    /// One step of the undoing. The raw values are stored.
    public enum Step: String, Sendable, Hashable, CaseIterable {
        /// Nothing was ever asked that would have to be undone.
        case notNeeded = "not-needed"
        /// Asked for, not answered.
        case outstanding
        /// Answered: it is undone.
        case done
    }

    /// Why the order is undone.
    public let reason: OrderReason
    /// Letting go of the reservation.
    public var stock: Step
    /// Voiding or refunding the payment.
    public var payment: Step
    /// How many times the outstanding steps were asked for, from 1.
    public var rounds: Int

    /// Makes a compensation in its first round.
    public init(reason: OrderReason, stock: Step, payment: Step, rounds: Int = 1) {
        self.reason = reason
        self.stock = stock
        self.payment = payment
        self.rounds = rounds
    }

    /// Whether no step is outstanding.
    public var isFinished: Bool { stock != .outstanding && payment != .outstanding }
}
