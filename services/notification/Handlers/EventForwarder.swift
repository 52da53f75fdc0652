public import DurableStore
public import Messaging
public import Webhooks

/// Turns each event into deliveries, in the unit that also moves the offset: an event is never passed over, and never fanned
/// out twice.
public struct EventForwarder: MessageHandler {
    public let consumer = "notification"
    private let fanout: WebhookFanout

    /// Makes the handler.
    public init(fanout: WebhookFanout) {
        self.fanout = fanout
    }

    public func handle(_ envelope: Envelope, in transaction: Transaction) throws {
        if try fanout.publish(WebhookEvent(envelope), in: transaction) == 0 { transaction.noteNoOperation() }
    }
}
