public import Commerce

extension OrderStatus {
    /// The status in which every order begins.
    public static let initial = OrderStatus.placed

    /// Every permitted change of status (invariants O1 and O3): from each status, the statuses that may follow. Terminal
    /// statuses are there with nothing behind them. Whoever checks a history uses this value; ``OrderRules`` is tested
    /// against it.
    public static let allowedTransitions: [OrderStatus: Set<OrderStatus>] = [
        .placed: [.awaitingStock],
        .awaitingStock: [.awaitingPayment, .rejected, .cancelling],
        .awaitingPayment: [.confirming, .cancelling],
        .confirming: [.completed, .cancelling],
        .cancelling: [.cancelled, .needsOperator],
        .completed: [],
        .rejected: [],
        .cancelled: [],
        .needsOperator: [],
    ]

    /// Whether an order may go from one status to another; `nil` stands for the beginning.
    public static func isAllowed(from: OrderStatus?, to: OrderStatus) -> Bool {
        guard let from else { return to == initial }
        return allowedTransitions[from]?.contains(to) ?? false
    }
}
