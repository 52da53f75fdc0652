import DurableStore
import Logging
import Messaging
import Synchronization
import Telemetry
import Webhooks

/// What the sender does, as metrics and logs. Payloads, secrets and URLs appear in neither.
final class NotificationMetrics: WebhookObserver {
    private let registry: PrometheusRegistry
    private let logger: Logger
    private let latency: PrometheusHistogram
    private let duration: PrometheusHistogram
    private let deadLettered: PrometheusCounter
    private let holds: PrometheusCounter
    private let breakerOpened: PrometheusCounter
    private let blocked: PrometheusCounter
    /// Series of the last sample, in order to end those that are gone.
    private let shown = Mutex<Set<[String]>>([])

    init(registry: PrometheusRegistry, logger: Logger) {
        self.registry = registry
        self.logger = logger
        latency = registry.histogram(
            "webhook_delivery_latency_seconds",
            help: "From the recording of an event to the answer that accepted it."
        )
        duration = registry.histogram("webhook_attempt_duration_seconds", help: "Duration of attempts.")
        deadLettered = registry.counter("webhook_dead_lettered_total", help: "Deliveries that were given up.")
        holds = registry.counter("webhook_retry_after_holds_total", help: "Times that an answer held an endpoint.")
        breakerOpened = registry.counter("webhook_breaker_opened_total", help: "Times that a breaker opened.")
        blocked = registry.counter(
            "webhook_blocked_address_total",
            help: "Attempts that were not made because the address must not be called."
        )
    }

    func attempted(_ observation: AttemptObservation) {
        attempts(observation.endpointID, observation.outcome, observation.code).increment()
        duration.observe(observation.duration)
        if let time = observation.latency { latency.observe(time) }
        if observation.deadLettered { deadLettered.increment() }
        if observation.held { holds.increment() }
        if observation.breakerOpened { breakerOpened.increment() }
        if observation.code == AttemptFault.blockedAddress.rawValue { blocked.increment() }
        if let reason = observation.disabled {
            registry.counter(
                "webhook_endpoint_disabled_total",
                help: "Endpoints that were disabled, by reason.",
                labels: [("reason", reason.rawValue)]
            ).increment()
            logger.warning(
                "An endpoint was disabled.",
                metadata: ["endpoint": "\(observation.endpointID)", "reason": "\(reason.rawValue)"]
            )
        }
        let level: Logger.Level = observation.outcome == "failed" ? .info : .debug
        logger.log(
            level: level,
            "A webhook was attempted.",
            metadata: [
                "endpoint": "\(observation.endpointID)", "delivery": "\(observation.deliveryID)",
                "order.id": "\(observation.subject)", "message.type": "\(observation.type)",
                "attempt": "\(observation.number)", "outcome": "\(observation.outcome)", "code": "\(observation.code)",
                "trace.id":
                    "\(observation.traceparent.flatMap { TraceContext(traceparent: $0) }.map { "\($0.traceID)" } ?? "")",
            ]
        )
        if observation.deadLettered {
            logger.error(
                "A webhook was given up.",
                metadata: ["endpoint": "\(observation.endpointID)", "delivery": "\(observation.deliveryID)"]
            )
        }
    }

    func interrupted(_ endpointID: String, count: Int) {
        attempts(endpointID, "interrupted", AttemptFault.interrupted.rawValue).increment(by: count)
    }

    private func attempts(_ endpoint: String, _ outcome: String, _ code: String) -> PrometheusCounter {
        registry.counter(
            "webhook_attempts_total",
            help: "Attempts by endpoint, outcome and status or fault.",
            labels: [("endpoint", endpoint), ("outcome", outcome), ("code", code)]
        )
    }

    func storeFailed(_ failure: Failure) {
        logger.error("The store could not take a webhook's outcome.", metadata: ["error": "\(failure.description)"])
    }

    /// Keeps the gauges, every two seconds, until cancelled.
    func sample(_ queries: WebhookQueries, _ dispatcher: WebhookDispatcher, _ clock: any WallClock) async throws {
        let oldest = registry.gauge(
            "webhook_oldest_pending_seconds",
            help: "How long the oldest due delivery is overdue."
        )
        let letters = registry.gauge(
            "webhook_dead_letters",
            help: "Deliveries that were given up and wait for a person."
        )
        while true {
            if let gauges = try? await queries.gauges(at: clock.now()) {
                oldest.set(Double(gauges.oldestPendingMilliseconds) / 1000)
                letters.set(Int64(gauges.deadLetters))
                var series: Set<[String]> = []
                for (endpoint, state, count) in gauges.depth {
                    set("webhook_queue_depth", "Deliveries that wait.", endpoint, state, Int64(count), &series)
                }
                for (endpoint, count) in dispatcher.inFlight {
                    set("webhook_inflight", "Requests under way.", endpoint, nil, Int64(count), &series)
                }
                for (endpoint, value) in gauges.breakers {
                    set("webhook_breaker_state", "0 closed, 1 half open, 2 open.", endpoint, nil, value, &series)
                }
                let gone = shown.withLock { shown in
                    defer { shown = series }
                    return shown.subtracting(series)
                }
                for key in gone { registry.remove(key[0], labels: labels(key[1], key.count > 2 ? key[2] : nil)) }
            }
            try await Task.sleep(for: .seconds(2))
        }
    }

    private func set(
        _ name: String,
        _ help: String,
        _ endpoint: String,
        _ state: String?,
        _ value: Int64,
        _ series: inout Set<[String]>
    ) {
        registry.gauge(name, help: help, labels: labels(endpoint, state)).set(value)
        series.insert([name, endpoint] + (state.map { [$0] } ?? []))
    }

    private func labels(_ endpoint: String, _ state: String?) -> [(String, String)] {
        [("endpoint", endpoint)] + (state.map { [("state", $0)] } ?? [])
    }
}
