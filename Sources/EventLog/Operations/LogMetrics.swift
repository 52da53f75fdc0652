import Telemetry

/// The server's metrics. Every member may be used from any thread.
final class LogMetrics: Sendable {
    let registry = PrometheusRegistry()
    let connections, parkedFetches: PrometheusGauge
    let connectionsRefused, connectionsFailed, requests, bytesIn, bytesOut: PrometheusCounter
    let batches, duplicateBatches, refusedBatches, appendFailures: PrometheusCounter
    let syncedBytes, fetchedBytes, segmentsRemoved: PrometheusCounter
    let syncDuration: PrometheusHistogram

    init() {
        let registry = registry
        func counter(_ name: String, _ help: String) -> PrometheusCounter {
            registry.counter("event_log_\(name)_total", help: help)
        }
        connections = registry.gauge("event_log_connections", help: "Open client connections.")
        parkedFetches = registry.gauge("event_log_parked_fetches", help: "Fetches waiting for data.")
        connectionsRefused = counter("connections_refused", "Connections above the limit.")
        connectionsFailed = counter("connections_failed", "Connections closed for malformed frames.")
        requests = counter("requests", "Request frames.")
        bytesIn = counter("received_bytes", "Bytes from clients.")
        bytesOut = counter("sent_bytes", "Bytes to clients.")
        batches = counter("batches", "Batches made durable.")
        duplicateBatches = counter("duplicate_batches", "Batches recognised as sent before.")
        refusedBatches = counter("refused_batches", "Batches refused.")
        appendFailures = counter("append_failures", "Flushes that failed.")
        syncedBytes = counter("synced_bytes", "Bytes of batches made durable.")
        fetchedBytes = counter("fetched_bytes", "Bytes of batches read for clients.")
        segmentsRemoved = counter("segments_removed", "Segments removed by retention.")
        syncDuration = registry.histogram(
            "event_log_sync_seconds",
            help: "Duration of writing and synchronising.",
            buckets: [0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1]
        )
    }

    /// The page that Prometheus reads: what is counted, and what is looked up when it is asked for.
    static func page(_ broker: Broker) -> [UInt8] {
        // A registry per page, so that nothing stays of topics and groups that are gone.
        let now = PrometheusRegistry(limits: .init(maxSeriesPerFamily: .max))
        func gauge(_ name: String, _ help: String, _ value: Int64, _ labels: [(String, String)] = []) {
            now.gauge("event_log_\(name)", help: help, labels: labels).set(value)
        }
        gauge("in_flight_bytes", "Bytes of unanswered requests.", Int64(broker.requestBudget.used))
        gauge("fetch_buffer_bytes", "Bytes of answers on their way.", Int64(broker.fetchBudget.used))
        for (phase, count) in broker.groups.phases {
            gauge("groups", "Consumer groups by state.", Int64(count), [("state", phase)])
        }
        for topic in broker.store.topics {
            for partition in topic.partitions {
                let labels = [("topic", topic.name), ("partition", "\(partition.index)")]
                let end = partition.bounds.highWatermark
                gauge("partition_end_offset", "The offset after the last durable record.", end, labels)
                gauge("partition_bytes", "Durable bytes.", Int64(partition.size), labels)
            }
        }
        for group in broker.groups.offsets.groups {
            for (key, committed) in broker.groups.offsets.offsets(group: group) {
                guard let log = broker.store.partition(key.topic, key.partition) else { continue }
                let labels = [("group", group), ("topic", key.topic), ("partition", "\(key.partition)")]
                let lag = max(0, log.bounds.highWatermark - committed.offset)
                gauge("group_lag", "Records behind the committed offset.", lag, labels)
            }
        }
        return broker.metrics.registry.render() + now.render()
    }
}
