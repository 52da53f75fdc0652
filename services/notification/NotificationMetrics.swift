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
    /// Which attempts were counted, by endpoint, in order to end the counters of endpoints that are gone.
    private let counted = Mutex<[String: Set<AttemptKind>]>([:])

    /// What attempts of an endpoint are counted by.
    private struct AttemptKind: Hashable {
        let outcome: String
        let code: String

        func labels(of endpoint: String) -> [(String, String)] {
            [("endpoint", endpoint), ("outcome", outcome), ("code", code)]
        }
    }

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
        let kind = AttemptKind(outcome: outcome, code: Self.codeClass(code))
        counted.withLock { _ = $0[endpoint, default: []].insert(kind) }
        return registry.counter(
            "webhook_attempts_total",
            help: "Attempts by endpoint, outcome and class of the status, or fault.",
            labels: kind.labels(of: endpoint)
        )
    }

    /// `2xx`, `4xx` … of a status; a fault as it is. The status is the receiver's to choose: one that answers with another each time
    /// would fill the family for everybody. The exact one is in the log and in the attempt's row.
    static func codeClass(_ code: String) -> String {
        guard let status = Int(code) else { return code }
        return (100...999).contains(status) ? "\(status / 100)xx" : "other"
    }

    /// Ends the counters of endpoints that are gone.
    func forget(_ endpoints: Set<String>) {
        for endpoint in endpoints {
            for kind in counted.withLock({ $0.removeValue(forKey: endpoint) }) ?? [] {
                registry.remove("webhook_attempts_total", labels: kind.labels(of: endpoint))
            }
        }
    }

    func storeFailed(_ failure: Failure) {
        logger.error("The store could not take a webhook's outcome.", metadata: ["error": "\(failure.description)"])
    }

    /// Keeps the gauges, every two seconds, until cancelled.
    func sample(_ queries: WebhookQueries, _ dispatcher: WebhookDispatcher, _ clock: any WallClock) async throws {
        while true {
            // Before the rows are read: an endpoint that is counted here and not among them is gone, and not one that is about to come.
            let known = counted.withLock { Set($0.keys) }
            if let gauges = try? await queries.gauges(at: clock.now()) {
                show(gauges, inFlight: dispatcher.inFlight)
                forget(known.subtracting(gauges.breakers.map { $0.endpointID }))
            }
            try await Task.sleep(for: .seconds(2))
        }
    }

    /// Sets the gauges, and ends those that stand for nothing any more.
    func show(_ gauges: WebhookQueries.Gauges, inFlight: [String: Int]) {
        registry.gauge("webhook_oldest_pending_seconds", help: "How long the oldest due delivery is overdue.")
            .set(Double(gauges.oldestPendingMilliseconds) / 1000)
        registry.gauge("webhook_dead_letters", help: "Deliveries that were given up and wait for a person.")
            .set(Int64(gauges.deadLetters))
        var series: Set<[String]> = []
        for (endpoint, state, count) in gauges.depth {
            set("webhook_queue_depth", "Deliveries that wait.", endpoint, state, Int64(count), &series)
        }
        for (endpoint, count) in inFlight {
            set("webhook_inflight", "Requests under way.", endpoint, nil, Int64(count), &series)
        }
        // A closed breaker has no series: there may be more endpoints than a family has room for.
        for (endpoint, value) in gauges.breakers where value != 0 {
            set("webhook_breaker_state", "1 half open, 2 open; closed has none.", endpoint, nil, value, &series)
        }
        let gone = shown.withLock { shown in
            defer { shown = series }
            return shown.subtracting(series)
        }
        for key in gone { registry.remove(key[0], labels: labels(key[1], key.count > 2 ? key[2] : nil)) }
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
