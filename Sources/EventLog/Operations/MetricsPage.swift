/// The metrics in Prometheus' text format.
enum MetricsPage {
    static func render(_ broker: Broker) -> String {
        let metrics = broker.metrics
        var text = ""
        func family(_ name: String, _ type: String, _ help: String, _ samples: [(labels: String, value: Int)]) {
            text += "# HELP \(name) \(help)\n# TYPE \(name) \(type)\n"
            for sample in samples {
                text +=
                    sample.labels.isEmpty ? "\(name) \(sample.value)\n" : "\(name){\(sample.labels)} \(sample.value)\n"
            }
        }
        func counter(_ name: String, _ help: String, _ counter: LogMetrics.Counter) {
            family(name, "counter", help, [("", counter.value)])
        }
        family("event_log_connections", "gauge", "Open client connections.", [("", metrics.connections.value)])
        counter("event_log_connections_refused_total", "Connections above the limit.", metrics.connectionsRefused)
        counter(
            "event_log_connections_failed_total",
            "Connections closed for malformed frames.",
            metrics.connectionsFailed
        )
        counter("event_log_requests_total", "Request frames.", metrics.requests)
        counter("event_log_received_bytes_total", "Bytes from clients.", metrics.bytesIn)
        counter("event_log_sent_bytes_total", "Bytes to clients.", metrics.bytesOut)
        counter("event_log_batches_total", "Batches made durable.", metrics.batches)
        counter("event_log_duplicate_batches_total", "Batches recognised as sent before.", metrics.duplicateBatches)
        counter("event_log_refused_batches_total", "Batches refused.", metrics.refusedBatches)
        counter("event_log_append_failures_total", "Flushes that failed.", metrics.appendFailures)
        counter("event_log_synced_bytes_total", "Bytes of batches made durable.", metrics.syncedBytes)
        counter("event_log_fetched_bytes_total", "Bytes of batches read for clients.", metrics.fetchedBytes)
        counter("event_log_segments_removed_total", "Segments removed by retention.", metrics.segmentsRemoved)
        family("event_log_parked_fetches", "gauge", "Fetches waiting for data.", [("", metrics.parkedFetches.value)])
        family("event_log_in_flight_bytes", "gauge", "Bytes of unanswered requests.", [("", broker.requestBudget.used)])
        family(
            "event_log_fetch_buffer_bytes",
            "gauge",
            "Bytes of answers on their way.",
            [("", broker.fetchBudget.used)]
        )
        text +=
            "# HELP event_log_sync_seconds Duration of writing and synchronising.\n# TYPE event_log_sync_seconds histogram\n"
        text += metrics.syncDuration.rendered("event_log_sync_seconds")
        let phases = broker.groups.phases
        family(
            "event_log_groups",
            "gauge",
            "Consumer groups by state.",
            phases.sorted { $0.key < $1.key }.map { ("state=\"\($0.key)\"", $0.value) }
        )
        let topics = broker.store.topics
        family(
            "event_log_partition_end_offset",
            "gauge",
            "The offset after the last durable record.",
            topics.flatMap { topic in
                topic.partitions.map {
                    ("topic=\"\(topic.name)\",partition=\"\($0.index)\"", Int($0.bounds.highWatermark))
                }
            }
        )
        family(
            "event_log_partition_bytes",
            "gauge",
            "Durable bytes.",
            topics.flatMap { topic in
                topic.partitions.map { ("topic=\"\(topic.name)\",partition=\"\($0.index)\"", $0.size) }
            }
        )
        var lags: [(String, Int)] = []
        for group in broker.groups.offsets.groups.sorted() {
            for (key, value) in broker.groups.offsets.offsets(group: group) {
                guard let log = broker.store.partition(key.topic, key.partition) else { continue }
                let lag = max(0, Int(log.bounds.highWatermark - value.offset))
                lags.append(
                    ("group=\"\(escaped(group))\",topic=\"\(key.topic)\",partition=\"\(key.partition)\"", lag)
                )
            }
        }
        family("event_log_group_lag", "gauge", "Records behind the committed offset.", lags.sorted { $0.0 < $1.0 })
        return text
    }

    /// A label value: group ids are clients' text.
    private static func escaped(_ text: String) -> String {
        text.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"").replacing("\n", with: "\\n")
    }
}
