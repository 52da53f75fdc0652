public import Messaging

/// A subscription that hands over one batch and then ends, so that ``Messaging/ConsumerLoop`` runs for exactly one step of a
/// simulation.
public struct OneBatch: Subscription {
    /// What is told about each settled delivery, in order.
    public typealias Settle = @Sendable ([(receipt: Int, settlement: Settlement)]) -> Void

    private let batch: Handover
    private let onSettle: Settle

    /// Makes a subscription.
    public init(_ deliveries: [(receipt: Int, message: ReceivedMessage)], settle: @escaping Settle) {
        batch = Handover(deliveries)
        onSettle = settle
    }

    public func next(limit: Int) async throws -> [(receipt: Int, message: ReceivedMessage)] { batch.take() }

    public func settle(_ settlements: [(receipt: Int, settlement: Settlement)]) async { onSettle(settlements) }
}

/// `@unchecked`: one task takes it, once.
private final class Handover: @unchecked Sendable {
    private var deliveries: [(receipt: Int, message: ReceivedMessage)]

    init(_ deliveries: [(receipt: Int, message: ReceivedMessage)]) { self.deliveries = deliveries }

    func take() -> [(receipt: Int, message: ReceivedMessage)] {
        defer { deliveries = [] }
        return deliveries
    }
}
