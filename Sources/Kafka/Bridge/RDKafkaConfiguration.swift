internal import CRdKafka

/// Owner of an `rd_kafka_conf_t`, until a client takes it over.
///
/// rdkafka.h: the configuration is consumed by `rd_kafka_new` only when that succeeds; otherwise it must be destroyed here.
struct RDKafkaConfiguration: ~Copyable {
    private let raw: OpaquePointer

    /// Applies `settings` in order, then `extra`. Throws `invalidArgument` with the library's own sentence on an unknown name or value.
    init(settings: [(String, String)], extra: [String: String]) throws(KafkaError) {
        raw = rd_kafka_conf_new()
        for (name, value) in settings {
            try set(name, value)
        }
        for (name, value) in extra.sorted(by: { $0.key < $1.key }) {
            if KafkaClientConfiguration.reservedProperties.contains(name) {
                throw KafkaError(.invalidArgument, "The property \(name) cannot be overridden.", isRetriable: false)
            }
            try set(name, value)
        }
        rd_kafka_conf_set_events(
            raw,
            RD_KAFKA_EVENT_DR | RD_KAFKA_EVENT_FETCH | RD_KAFKA_EVENT_LOG | RD_KAFKA_EVENT_ERROR
                | RD_KAFKA_EVENT_REBALANCE | RD_KAFKA_EVENT_OFFSET_COMMIT | RD_KAFKA_EVENT_STATS
        )
    }

    deinit { rd_kafka_conf_destroy(raw) }

    private func set(_ name: String, _ value: String) throws(KafkaError) {
        let (result, text) = withErrorBuffer { buffer, size in rd_kafka_conf_set(raw, name, value, buffer, size) }
        guard result == RD_KAFKA_CONF_OK else {
            // Values can be secrets; the library's sentence names the property and, for enumerations, what is allowed.
            let shown =
                name.contains("password") || name.contains("secret") || name.contains("key") ? "was refused" : text
            throw KafkaError(.invalidArgument, "Setting \(name): \(shown)", isRetriable: false)
        }
    }

    /// Makes the client; starts librdkafka's threads, does not wait for a broker.
    consuming func makeHandle(_ kind: RDKafkaClient.Kind) throws(KafkaError) -> RDKafkaHandle {
        // An admin is a consumer without a group: unlike a producer it never creates topics by asking for them.
        let type = kind == .producer ? RD_KAFKA_PRODUCER : RD_KAFKA_CONSUMER
        let (created, text) = withErrorBuffer { [raw] buffer, size in rd_kafka_new(type, raw, buffer, size) }
        guard let created else {
            let code = KafkaErrorCode(rd_kafka_last_error())
            // `self` still owns the configuration here and frees it.
            _ = consume self
            throw KafkaError(code == .none ? .invalidArgument : code, "librdkafka refused to start: \(text)")
        }
        discard self
        return RDKafkaHandle(taking: created, kind: kind)
    }
}
