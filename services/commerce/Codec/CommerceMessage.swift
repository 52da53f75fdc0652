/// A payload that travels between Waybill's services: a command, a reply or an event.
///
/// The type text carries the version. A payload only ever gains optional fields within a version; anything else is a new
/// version beside the old one, and every version ever written stays readable (see `Tests/Fixtures/messages`).
public protocol CommerceMessage: Codable, Sendable, Hashable {
    /// The CloudEvents `type`: `waybill.order.placed.v1`.
    static var messageType: String { get }
}

/// Names of inboxes (AMQP) and topics (event log).
public enum Channels {
    /// Replies and commands to the order service.
    public static let orderInbox = "order.inbox"
    /// Commands to the payment service.
    public static let paymentInbox = "payment.inbox"
    /// Commands to the inventory service.
    public static let inventoryInbox = "inventory.inbox"

    /// Status changes of orders, keyed by order id.
    public static let ordersTopic = "orders"
    /// What happened to payments, keyed by order id.
    public static let paymentsTopic = "payments"
    /// Reservations, keyed by order id, and changes of stock, keyed by article.
    public static let inventoryTopic = "inventory"
    /// Prices and names of articles, keyed by article.
    public static let catalogTopic = "catalog"
    /// All topics, in the order in which tools list them.
    public static let allTopics = [ordersTopic, paymentsTopic, inventoryTopic, catalogTopic]
    /// Partitions of each topic when Waybill creates it.
    public static let partitionsPerTopic: Int32 = 6
}
