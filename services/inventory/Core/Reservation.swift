public import Commerce

/// What inventory knows about one order: at most one reservation, for ever.
///
/// ```
///            reserve, enough ──► held ──commit──► committed
///           ╱                     │ ╲                 │ release (goods come back)
///  (none) ──                      │  ╲ release        ▼
///           ╲ reserve, too little │   └───────────► released   ◄── release with nothing there: a tombstone
///            ╲──► refused         └──expire──► expired
/// ```
///
/// A command in any other state changes nothing and is answered with the present state.
public struct Reservation: Sendable, Hashable {
    /// Where a reservation stands.
    public enum Status: String, Sendable, Hashable, CaseIterable {
        /// The pieces are set aside.
        case held
        /// There were not enough pieces; nothing was set aside.
        case refused
        /// The pieces have left.
        case committed
        /// The pieces were let go, or the order was cancelled before it asked. Any later request is refused.
        case released
        /// The hold ended by itself.
        case expired
    }

    /// The order.
    public let orderID: OrderID
    /// Where it stands.
    public var status: Status
    /// Counts the changes of status, from 1; the sequence of the event that announced the last one.
    public var version: Int64
    /// What was asked for; empty for a tombstone.
    public var items: [OrderedItem]
    /// Why, where there is a reason.
    public var reason: String?
    /// The article that was missing, for `refused`.
    public var missing: SKU?

    /// Makes a reservation.
    public init(
        orderID: OrderID,
        status: Status,
        version: Int64,
        items: [OrderedItem],
        reason: String? = nil,
        missing: SKU? = nil
    ) {
        self.orderID = orderID
        self.status = status
        self.version = version
        self.items = items
        self.reason = reason
        self.missing = missing
    }
}

extension Reservation.Status {
    /// Every change that can happen; `nil` stands for no reservation. What `waybill verify` holds histories against.
    public static let allowedTransitions: Set<Transition> = [
        Transition(nil, .held), Transition(nil, .refused), Transition(nil, .released), Transition(.held, .committed),
        Transition(.held, .released), Transition(.held, .expired), Transition(.committed, .released),
    ]

    /// One change of status.
    public struct Transition: Sendable, Hashable {
        /// Before.
        public let from: Reservation.Status?
        /// After.
        public let to: Reservation.Status

        /// Makes a transition.
        public init(_ from: Reservation.Status?, _ to: Reservation.Status) {
            self.from = from
            self.to = to
        }
    }
}
