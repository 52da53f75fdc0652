/// Who reads which events. The name is that of its offsets, its inbox rows and its dead letters, so it stays the same for ever.
public struct EventReader: Sendable, Hashable {
    /// The service.
    public let service: String
    /// The consumer within the service.
    public let consumer: String
    /// The topics that it reads, every partition of them.
    public let topics: [String]

    /// The order service's copy of prices and names.
    public static let catalogReplica = EventReader(
        service: "order",
        consumer: "order.catalog",
        topics: [Channels.catalogTopic]
    )
    /// What is passed on to webhooks.
    public static let forwarder = EventReader(
        service: "notification",
        consumer: "notification",
        topics: [Channels.ordersTopic, Channels.paymentsTopic, Channels.inventoryTopic]
    )
    /// What the read models are made of.
    public static let readModels = EventReader(
        service: "analytics",
        consumer: "analytics",
        topics: [Channels.ordersTopic, Channels.paymentsTopic, Channels.catalogTopic]
    )
    /// Whether it reads a partition, written as `orders/3`.
    public func reads(_ partition: String) -> Bool {
        topics.contains { partition.hasPrefix($0 + "/") }
    }

    /// All of them.
    public static let all = [catalogReplica, forwarder, readModels]
}
