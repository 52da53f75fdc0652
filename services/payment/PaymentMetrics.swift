import Logging
import Messaging
import PaymentCore
import Telemetry

/// What payment shows on `/metrics`, and what it logs about the gateway.
struct PaymentMetrics: PaymentObserver {
    private let registry: PrometheusRegistry
    private let logger: Logger

    init(registry: PrometheusRegistry, gate: GatewayGate, logger: Logger) {
        self.registry = registry
        self.logger = logger
        let breakers = GatedOperation.allCases.map { operation in
            let gauge = registry.gauge(
                "waybill_payment_gateway_breaker",
                help: "Circuit breaker around an operation of the gateway: 0 closed, 1 half open, 2 open",
                labels: [("operation", operation.name)]
            )
            return (operation, gauge)
        }
        registry.beforeRendering {
            for (operation, gauge) in breakers { gauge.set(gate.level(operation)) }
        }
    }

    func exchanged(_ operation: String, _ answer: GatewayAnswer, _ duration: Duration) {
        let word =
            switch answer {
            case .done: "done"
            case .refused: "refused"
            case .turnedAway: "turned-away"
            case .notSent: "not-sent"
            case .unclear: "unclear"
            case .notFound: "not-found"
            }
        registry.counter(
            "waybill_payment_gateway_exchanges_total",
            help: "Exchanges with the gateway by operation and answer",
            labels: [("operation", operation), ("answer", word)]
        ).increment()
        registry.histogram(
            "waybill_payment_gateway_exchange_seconds",
            help: "Duration of exchanges with the gateway",
            labels: [("operation", operation)]
        ).observe(duration)
    }

    func storeFailed(_ failure: Failure) {
        logger.warning("a gateway answer could not be stored", metadata: ["code": "\(failure.code)"])
        registry.counter(
            "waybill_payment_store_failures_total",
            help: "Answers and callbacks that could not be stored",
            labels: [("code", failure.code)]
        ).increment()
    }

    func calledBack(_ outcome: String) {
        registry.counter(
            "waybill_payment_callbacks_total",
            help: "Callbacks of the gateway by what became of them",
            labels: [("outcome", outcome)]
        ).increment()
        guard outcome == "unknown-key" || outcome == "mismatch" else { return }
        // Signed by the gateway, and about something that we never asked for: money may have moved without us.
        logger.error("a gateway callback fits no intent", metadata: ["outcome": "\(outcome)"])
    }

    /// Keeps the gauges of what is under way, every five seconds, until cancelled.
    func sample(_ queries: PaymentQueries) async throws {
        while !Task.isCancelled {
            if let counts = try? await queries.openCounts() {
                for (phase, count) in counts.phases {
                    registry.gauge(
                        "waybill_payments_open",
                        help: "Payments with something under way, by state",
                        labels: [("state", phase.rawValue)]
                    ).set(count)
                }
                for state in IntentState.allCases where !state.isTerminal {
                    registry.gauge(
                        "waybill_payment_intents_open",
                        help: "Intents that wait for the gateway or are watched, by state",
                        labels: [("state", state.rawValue)]
                    ).set(counts.intents[state] ?? 0)
                }
            }
            try await Task.sleep(for: .seconds(5))
        }
    }
}
