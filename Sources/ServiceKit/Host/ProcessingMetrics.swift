import DurableStore
import Kafka
import Logging
import Messaging
import Synchronization
import Telemetry

/// Metrics that every service has: what handlers did, how deep the outbox is, how far behind the consumers are.
final class ProcessingMetrics: Sendable {
    private let registry: PrometheusRegistry
    private let store: DurableStore
    private let logger = Logger(label: "waybill.processing")

    init(registry: PrometheusRegistry, store: DurableStore) {
        self.registry = registry
        self.store = store
    }

    /// Counts and times the messages of a consumer.
    func processingObserver(_ consumer: String) -> @Sendable (ProcessingObservation) -> Void {
        let durations = registry.histogram(
            "waybill_handler_duration_seconds",
            help: "Time that a handler ran, without waiting and commit.",
            labels: [("consumer", consumer)]
        )
        let outcomes = Dictionary(
            uniqueKeysWithValues: ProcessingObservation.Outcome.allCases.map { outcome in
                (
                    outcome,
                    registry.counter(
                        "waybill_handler_outcomes_total",
                        help: "Messages by the way in which their handling ended.",
                        labels: [("consumer", consumer), ("outcome", outcome.rawValue)]
                    )
                )
            }
        )
        let logger = logger
        return { observation in
            durations.observe(observation.duration)
            outcomes[observation.outcome]?.increment()
            if let failure = observation.failure {
                logger.warning(
                    "A message was not handled.",
                    metadata: [
                        "consumer": "\(consumer)", "outcome": "\(observation.outcome.rawValue)",
                        "order.id": "\(observation.subject ?? "")", "message.id": "\(observation.messageID ?? "")",
                        "message.type": "\(observation.type ?? "")", "attempt": "\(observation.attempt)",
                        "error.code": "\(failure.code)", "error.class": "\(failure.failureClass.rawValue)",
                        "error": "\(failure.description)",
                    ]
                )
            }
        }
    }

    /// Counts what a relay published and what it could not.
    func relayObserver(_ transport: Transport) -> @Sendable (RelayObservation) -> Void {
        let labels = [("transport", transport.rawValue)]
        let published = registry.counter(
            "waybill_outbox_published_total",
            help: "Messages that a broker confirmed.",
            labels: labels
        )
        let failed = registry.counter(
            "waybill_outbox_failures_total",
            help: "Publishes that were not confirmed.",
            labels: labels
        )
        let parked = registry.counter("waybill_outbox_parked_total", help: "Rows put aside.", labels: labels)
        let durations = registry.histogram(
            "waybill_outbox_publish_duration_seconds",
            help: "Time from handing a call to the broker to its confirms.",
            labels: labels
        )
        let logger = logger
        return { observation in
            switch observation {
            case .published(let count, let duration):
                published.increment(by: Int64(count))
                durations.observe(duration)
            case .failed(let count, let failure, _):
                failed.increment(by: Int64(count))
                logger.info(
                    "Messages were not confirmed; they are sent again.",
                    metadata: [
                        "transport": "\(transport.rawValue)", "count": "\(count)", "error": "\(failure.description)",
                    ]
                )
            case .parked(let seq, let reason):
                parked.increment()
                logger.error("An outbox row was parked.", metadata: ["seq": "\(seq)", "reason": "\(reason)"])
            case .purged:
                break
            case .storeFailed(let failure):
                logger.error("The relay cannot use the store.", metadata: ["error": "\(failure.description)"])
            }
        }
    }

    /// Shows how many records a consumer has not read yet, over all partitions.
    func lagObserver(_ consumer: String) -> @Sendable ([KafkaTopicPartition: Int64]) -> Void {
        let gauge = registry.gauge(
            "waybill_consumer_lag",
            help: "Records of the event log that the consumer has not read.",
            labels: [("consumer", consumer)]
        )
        return { lag in gauge.set(lag.values.reduce(0, +)) }
    }

    /// Samples what has to be asked for, once a second, until cancelled.
    func sample() async throws {
        let depth = registry.gauge(
            "waybill_outbox_unpublished",
            help: "Rows of the outbox that no broker confirmed yet."
        )
        let parked = registry.gauge("waybill_outbox_parked", help: "Rows of the outbox that wait for a person.")
        let age = registry.gauge(
            "waybill_outbox_oldest_age_seconds",
            help: "Age of the oldest row that no broker confirmed yet."
        )
        let letters = registry.gauge("waybill_dead_letters", help: "Dead letters that wait for a person.")
        let queue = registry.gauge("waybill_store_queue", help: "Units of work that wait for the writer.")
        while true {
            if let statistics = try? await store.outboxStatistics() {
                depth.set(Int64(statistics.unpublished))
                parked.set(Int64(statistics.parked))
                age.set(Double(statistics.oldestUnpublishedAgeMilliseconds) / 1000)
            }
            if let counts = try? await store.deadLetterCounts() {
                letters.set(Int64(counts.filter { $0.state == .held }.reduce(0) { $0 + $1.count }))
            }
            queue.set(Int64(store.queueDepth))
            try await Task.sleep(for: .seconds(1))
        }
    }
}
