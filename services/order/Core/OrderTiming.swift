/// How long an order waits for what.
public struct OrderTiming: Sendable, Hashable {
    /// How long inventory holds stock that nobody asks it to consume or release. Longer than all deadlines together, so that a
    /// hold outlives every order whose answers come in time. When inventory or the broker is away for longer than this, the hold
    /// of a paid order ends too: inventory then refuses to consume it, and the order is refunded and cancelled.
    public var reservation: Duration
    /// For the answer to `ReserveStock`.
    public var stock: Duration
    /// For the answer to `AuthorizePayment`.
    public var payment: Duration
    /// For the answer to `CapturePayment`, and again for that to `CommitStock`.
    public var confirmation: Duration
    /// For the answers to one round of compensations.
    public var compensation: Duration
    /// Rounds of compensations before a person must decide, at least 1.
    public var compensationRounds: Int

    /// Makes a timing; what is left out has the value of ``standard``.
    public init(
        reservation: Duration = .seconds(15 * 60),
        stock: Duration = .seconds(30),
        payment: Duration = .seconds(60),
        confirmation: Duration = .seconds(60),
        compensation: Duration = .seconds(60),
        compensationRounds: Int = 1440
    ) {
        self.reservation = reservation
        self.stock = stock
        self.payment = payment
        self.confirmation = confirmation
        self.compensation = compensation
        self.compensationRounds = max(1, compensationRounds)
    }

    /// 15 min, 30 s, 1 min, 1 min, 1 min, 1,440 rounds: a broker may be away for a day before a person is asked.
    public static let standard = OrderTiming()

    /// The length of a deadline.
    public func length(of deadline: OrderDeadline) -> Duration {
        switch deadline {
        case .stock: stock
        case .payment: payment
        case .confirmation: confirmation
        case .compensation: compensation
        }
    }
}
