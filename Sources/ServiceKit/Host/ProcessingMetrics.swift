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
    private let progress = Mutex<[String: ConsumerProgress]>([:])

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
        return { [self] observation in
            if observation.outcome != .givenBack, observation.outcome != .stopped {
                progress.withLock { $0[consumer, default: ConsumerProgress()].moved(at: .now) }
            }
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
        let stalled = registry.gauge(
            "waybill_consumer_stalled_seconds",
            help: "How long the consumer has had records to read and got on with none.",
            labels: [("consumer", consumer)]
        )
        return { [self] lag in
            let behind = lag.values.reduce(0, +)
            gauge.set(behind)
            let pause = progress.withLock {
                $0[consumer, default: ConsumerProgress()].stalled(behind: behind, at: .now)
            }
            stalled.set(Double(pause.wholeMilliseconds) / 1000)
        }
    }

    /// Shows how many partitions of a consumer are held.
    func heldObserver(_ consumer: String) -> @Sendable (Int) -> Void {
        let gauge = registry.gauge(
            "waybill_consumer_held_partitions",
            help: "Partitions that do not move on because a record of theirs can be neither handled nor parked.",
            labels: [("consumer", consumer)]
        )
        return { gauge.set(Int64($0)) }
    }

    /// Shows what of each consumer is parked; one of which nothing is parked any more shows 0.
    private func show(_ counts: [ParkedCount], known: inout Set<String>) {
        known.formUnion(counts.map(\.consumer))
        for consumer in known {
            let count = counts.first { $0.consumer == consumer }
            let labels = [("consumer", consumer)]
            registry.gauge(
                "waybill_consumer_parked_keys",
                help: "Keys of the event log that wait for another attempt.",
                labels: labels
            ).set(Int64(count?.keys ?? 0))
            registry.gauge(
                "waybill_consumer_parked_records",
                help: "Records of those keys.",
                labels: labels
            ).set(Int64(count?.records ?? 0))
        }
    }

    /// Samples what has to be asked for, once a second, until cancelled; the outbox more rarely while it is long.
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
        var known: Set<String> = []
        var pace = SamplingPace()
        while true {
            if let counts = try? await store.parkedCounts() { show(counts, known: &known) }
            if pace.isDue(at: .now) {
                let start = ContinuousClock.now
                if let statistics = try? await store.outboxStatistics() {
                    depth.set(Int64(statistics.unpublished))
                    parked.set(Int64(statistics.parked))
                    age.set(Double(statistics.oldestUnpublishedAgeMilliseconds) / 1000)
                }
                pace.sampled(from: start, to: .now)
            }
            if let count = try? await store.heldDeadLetterCount() { letters.set(Int64(count)) }
            queue.set(Int64(store.queueDepth))
            try await Task.sleep(for: .seconds(1))
        }
    }
}

/// When the outbox is to be counted again. Each row that waits costs a look-up, so in a long outage counting every second
/// would take a reader's time away from the relay that has to catch up.
struct SamplingPace {
    /// Sampling takes no more than about one part in so many of the time…
    static let restPerSample = 20
    /// …but the figures never grow older than this, and what one sample takes.
    static let longestRest: Duration = .seconds(60)

    private var restsUntil: ContinuousClock.Instant?

    func isDue(at now: ContinuousClock.Instant) -> Bool { restsUntil.map { now >= $0 } ?? true }

    mutating func sampled(from start: ContinuousClock.Instant, to end: ContinuousClock.Instant) {
        restsUntil = end + min((end - start) * Self.restPerSample, Self.longestRest)
    }
}
