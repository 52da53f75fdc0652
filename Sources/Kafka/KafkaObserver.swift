/// Told what happens in a client, for metrics and readiness.
///
/// All methods are called on the client's own thread: they must be quick and must not block. Each has an empty default.
public protocol KafkaObserver: Sendable {
    /// The connection came up or was lost.
    func brokerStateChanged(_ state: KafkaBrokerState, client: String)
    /// A snapshot, once per `statisticsInterval`.
    func statistics(_ statistics: KafkaStatistics)
    /// A fault that is no call's result (a lost connection, an unknown topic, a refused login). The client goes on.
    func clientError(_ error: KafkaError, client: String)
    /// A producer's handle has raised a fatal fault and is being replaced.
    func producerRecreated(reason: KafkaError, client: String)
}

extension KafkaObserver {
    /// Does nothing.
    public func brokerStateChanged(_ state: KafkaBrokerState, client: String) {}
    /// Does nothing.
    public func statistics(_ statistics: KafkaStatistics) {}
    /// Does nothing.
    public func clientError(_ error: KafkaError, client: String) {}
    /// Does nothing.
    public func producerRecreated(reason: KafkaError, client: String) {}
}
