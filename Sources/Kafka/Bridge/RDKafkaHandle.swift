internal import CRdKafka

/// Owner of an `rd_kafka_t` and of the queues taken from it.
///
/// rdkafka.h: queue references must be given back before the client is destroyed. The destruction waits for librdkafka's threads
/// (typically milliseconds, but seconds while a commit is unanswered), so the last reference to the owning `RDKafkaClient` is dropped on a
/// thread that may block.
struct RDKafkaHandle: ~Copyable {
    let raw: OpaquePointer
    /// Delivery reports, logs, statistics, errors, commit results.
    let mainQueue: OpaquePointer
    /// Fetched records, ends of partitions, errors of partitions, rebalances; consumers only.
    let consumerQueue: OpaquePointer?

    init(taking raw: OpaquePointer, kind: RDKafkaClient.Kind) {
        self.raw = raw
        self.mainQueue = rd_kafka_queue_get_main(raw)
        self.consumerQueue = kind == .consumer ? rd_kafka_queue_get_consumer(raw) : nil
        // nil: log lines go to the main queue; together with `log.queue` nothing is ever written to standard error.
        rd_kafka_set_log_queue(raw, nil)
    }

    deinit {
        if let consumerQueue { rd_kafka_queue_destroy(consumerQueue) }
        rd_kafka_queue_destroy(mainQueue)
        // Leaving the group is done before, with a limit; without the flag this could wait for an absent broker.
        rd_kafka_destroy_flags(raw, Int32(RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE))
    }
}
