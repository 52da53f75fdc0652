import Commerce
public import DurableStore
public import Messaging
import NotificationCore
import StrictJSON
public import Webhooks

/// Turns each event into deliveries, in the unit that also moves the offset: an event is never passed over, and never fanned
/// out twice.
public struct EventForwarder: MessageHandler {
    public let consumer = EventReader.forwarder.consumer
    private let fanout: WebhookFanout
    private let ordersURL: String?

    /// Makes the handler.
    ///
    /// - Parameter ordersURL: where an order can be read; its id is appended. Goes into thin payloads.
    public init(fanout: WebhookFanout, ordersURL: String? = nil) {
        self.fanout = fanout
        self.ordersURL = ordersURL
    }

    public func handle(_ envelope: Envelope, in transaction: Transaction) throws {
        var event = try WebhookEvent(envelope)
        if let customer = event.data["customerID"]?.stringValue {
            event.channels = [EventCatalog.channel(ofCustomer: customer)]
        }
        if let ordersURL, EventCatalog.isAboutOrder(event.type) { event.dataref = ordersURL + event.subject }
        if try fanout.publish(event, in: transaction) == 0 { transaction.noteNoOperation() }
    }
}
