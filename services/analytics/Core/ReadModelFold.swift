public import Commerce
public import Messaging

/// The fold: which changes an event makes. Pure; time is the event's own, so a replay gives the same answer next year.
public enum ReadModelFold {
    /// Changes of an event about an order.
    ///
    /// - Parameters:
    ///   - sequence: the event's place among those of its order.
    ///   - known: the version that is already in the read model; 0 for an unknown order.
    ///   - placedAt: `event.placedAt` as a time.
    public static func changes(
        for event: OrderEvent,
        sequence: Int64,
        known: Int64,
        placedAt: Timestamp,
        at time: Timestamp
    ) -> [ReadModelChange] {
        var changes: [ReadModelChange] = []
        if sequence > known {
            changes.append(
                .setOrder(
                    OrderFact(
                        orderID: event.orderID,
                        version: sequence,
                        status: event.status,
                        total: event.total,
                        placedAt: placedAt,
                        at: time
                    )
                )
            )
        }
        if event.status == .completed {
            changes.append(.addRevenue(minute: time.startOfMinute, event.total))
            for line in event.lines { changes.append(.addUnits(line.sku, line.quantity.count)) }
            changes.append(.addCompletionTime(milliseconds: max(0, time.milliseconds(since: placedAt))))
        }
        return changes
    }

    /// Changes of an event about a payment.
    public static func changes(for event: PaymentEvent) -> [ReadModelChange] {
        [.addPayment(event.kind, event.amount)]
    }

    /// Changes of an event about the catalogue.
    public static func changes(for event: CatalogItemPut) -> [ReadModelChange] {
        [.nameArticle(event.sku, event.name)]
    }
}

extension Timestamp {
    /// The beginning of the minute that this point is in.
    public var startOfMinute: Timestamp {
        let remainder = millisecondsSinceEpoch % 60_000
        return advanced(byMilliseconds: -(remainder < 0 ? remainder + 60_000 : remainder))
    }
}

/// Classes of completion times: each class ends at a bound and begins after the one before.
public enum CompletionTimeClass {
    /// Upper bounds in milliseconds; the last class has none and is stored as ``unbounded``.
    public static let bounds: [Int64] = [
        10, 25, 50, 75, 100, 150, 200, 300, 500, 750, 1000, 1500, 2000, 3000, 5000, 7500, 10_000, 20_000, 30_000,
        60_000,
    ]
    /// Stands for "longer than all bounds".
    public static let unbounded = Int64.max

    /// The bound of the class that a duration belongs to.
    public static func bound(forMilliseconds milliseconds: Int64) -> Int64 {
        bounds.first { milliseconds <= $0 } ?? unbounded
    }

    /// The bound below or at which `fraction` (0…1) of the counted durations lie; `nil` when there are none.
    public static func quantile(_ fraction: Double, of counts: [(bound: Int64, count: Int64)]) -> Int64? {
        let total = counts.reduce(0) { $0 + $1.count }
        guard total > 0 else { return nil }
        let rank = max(1, Int64((Double(total) * min(max(fraction, 0), 1)).rounded(.up)))
        var seen: Int64 = 0
        for (bound, count) in counts.sorted(by: { $0.bound < $1.bound }) {
            seen += count
            if seen >= rank { return bound }
        }
        return nil
    }
}
