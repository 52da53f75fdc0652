import Telemetry

/// Shows the gateway's figures on `/metrics`.
enum GatewayMetrics {
    static func install(in registry: PrometheusRegistry, gateway: CardGateway, callbacks: CallbackSender?) {
        let held = registry.gauge("gateway_held_connections", help: "Connections that get no answer on purpose")
        let inProgress = registry.gauge(
            "gateway_operations_in_progress",
            help: "Operations taken on and not recorded yet"
        )
        let lines = registry.gauge("gateway_ledger_lines", help: "Lines of the ledger")
        let waiting = registry.gauge("gateway_callbacks_waiting", help: "Callbacks that wait to be delivered")
        registry.beforeRendering {
            let statistics = gateway.statistics
            for (operation, result, count) in statistics.counts where count > 0 {
                registry.gauge(
                    "gateway_operations_recorded",
                    help: "Operations recorded since the start",
                    labels: [("operation", operation.rawValue), ("result", result.rawValue)]
                ).set(count)
            }
            held.set(Int64(statistics.held))
            inProgress.set(Int64(statistics.inProgress))
            lines.set(statistics.lastSeq)
            guard let callbacks else { return }
            let counts = callbacks.counts
            waiting.set(Int64(counts.waiting))
            for (outcome, count) in [
                ("delivered", counts.delivered), ("failed", counts.failed), ("dropped", counts.dropped),
            ] {
                registry.gauge(
                    "gateway_callbacks",
                    help: "Callbacks since the start, by what became of them",
                    labels: [("outcome", outcome)]
                ).set(count)
            }
        }
    }
}
