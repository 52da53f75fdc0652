import CRdKafka

/// librdkafka's in-process broker, for tests only. The one place outside `Sources/Kafka/Bridge` with C names.
///
/// Its functions lock inside the library, so they may be called from any thread. The cluster must outlive its clients' traffic, or they
/// complain; keep it until they are closed.
final class MockCluster: @unchecked Sendable {
    private let host: OpaquePointer
    private let cluster: OpaquePointer
    let bootstrapServers: String

    init(brokers: Int32 = 1) throws {
        let configuration = rd_kafka_conf_new()
        // The host itself connects to nothing; its complaints are of no interest.
        rd_kafka_conf_set(configuration, "log.queue", "true", nil, 0)
        rd_kafka_conf_set(configuration, "log_level", "0", nil, 0)
        guard let host = rd_kafka_new(RD_KAFKA_PRODUCER, configuration, nil, 0) else { throw MockFailure.refused }
        guard let cluster = rd_kafka_mock_cluster_new(host, brokers) else {
            rd_kafka_destroy(host)
            throw MockFailure.refused
        }
        self.host = host
        self.cluster = cluster
        bootstrapServers = String(cString: rd_kafka_mock_cluster_bootstraps(cluster))
    }

    deinit {
        rd_kafka_mock_cluster_destroy(cluster)
        rd_kafka_destroy(host)
    }

    enum MockFailure: Error { case refused }

    /// Kafka's numbers of requests.
    enum Request: Int16 {
        case produce = 0, fetch = 1, listOffsets = 2, metadata = 3, offsetCommit = 8, initProducerID = 22
    }

    func createTopic(_ name: String, partitions: Int32) {
        rd_kafka_mock_topic_create(cluster, name, partitions, 1)
    }

    /// Disconnects everybody and takes no connections.
    func goDown() { rd_kafka_mock_broker_set_down(cluster, -1) }

    func comeUp() { rd_kafka_mock_broker_set_up(cluster, -1) }

    /// All answers take that long from now on.
    func setRoundTrip(milliseconds: Int32) { rd_kafka_mock_broker_set_rtt(cluster, -1, milliseconds) }

    /// The next requests of that kind are answered with these codes; −195 (transport) means a broken connection.
    func fail(_ request: Request, with codes: [Int32]) {
        let codes = codes.map { rd_kafka_resp_err_t($0) }
        rd_kafka_mock_push_request_errors_array(cluster, request.rawValue, codes.count, codes)
    }
}
