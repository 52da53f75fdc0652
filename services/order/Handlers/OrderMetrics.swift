import Commerce
import Messaging
import OrderCore
public import Telemetry

/// What the order service counts. All series are made at the start; labels are words of fixed sets, never identifiers.
public final class OrderMetrics: Sendable {
    private let byStatus: [OrderStatus: PrometheusGauge]
    private let transitions: [OrderTransition: PrometheusCounter]
    private let inputs: [String: PrometheusCounter]
    private let completion: PrometheusHistogram
    private let ending: [OrderStatus: PrometheusHistogram]
    private let replays: PrometheusCounter

    /// Makes the series in a registry.
    public init(_ registry: PrometheusRegistry) {
        var byStatus: [OrderStatus: PrometheusGauge] = [:]
        var transitions: [OrderTransition: PrometheusCounter] = [:]
        for status in OrderStatus.allCases {
            byStatus[status] = registry.gauge(
                "waybill_orders",
                help: "Orders by status.",
                labels: [("status", status.rawValue)]
            )
        }
        func transition(_ from: OrderStatus?, _ to: OrderStatus) {
            transitions[OrderTransition(from: from, to: to)] = registry.counter(
                "waybill_order_transitions_total",
                help: "Changes of status.",
                labels: [("from", from?.rawValue ?? "none"), ("to", to.rawValue)]
            )
        }
        transition(nil, .initial)
        for (from, followers) in OrderStatus.allowedTransitions {
            for to in followers { transition(from, to) }
        }
        var inputs: [String: PrometheusCounter] = [:]
        for name in Self.inputNames {
            for disposition in OrderDisposition.allCases {
                inputs[Self.key(name, disposition)] = registry.counter(
                    "waybill_order_inputs_total",
                    help: "What happened to orders, and whether it meant anything.",
                    labels: [("input", name), ("disposition", disposition.rawValue)]
                )
            }
        }
        self.byStatus = byStatus
        self.transitions = transitions
        self.inputs = inputs
        completion = registry.histogram(
            "waybill_order_completion_seconds",
            help: "From placement to completion."
        )
        var ending: [OrderStatus: PrometheusHistogram] = [:]
        for status in OrderStatus.allCases where status.isTerminal && status != .completed {
            ending[status] = registry.histogram(
                "waybill_order_failure_seconds",
                help: "From placement to an end that is not completion.",
                labels: [("status", status.rawValue)]
            )
        }
        self.ending = ending
        replays = registry.counter(
            "waybill_order_idempotent_replays_total",
            help: "Requests that were answered from their idempotency key."
        )
    }

    /// Takes over how many orders stand where, as the database says at the start.
    func load(_ counts: [OrderStatus: Int]) {
        for (status, gauge) in byStatus { gauge.set(Int64(counts[status] ?? 0)) }
    }

    /// Counts a request that was answered from its key.
    func replayed() { replays.increment() }

    /// Counts a decision that was committed.
    func recorded(_ input: OrderInput, _ decision: OrderDecision, _ order: Order) {
        inputs[Self.key(input.name, decision.disposition)]?.increment()
        for change in decision.transitions {
            if let from = change.from { byStatus[from]?.decrement(by: 1) }
            byStatus[change.to]?.increment(by: 1)
            transitions[OrderTransition(from: change.from, to: change.to)]?.increment()
            guard change.to.isTerminal else { continue }
            let seconds = Double(max(0, order.updatedAt.milliseconds(since: order.placedAt))) / 1000
            (change.to == .completed ? completion : ending[change.to])?.observe(seconds)
        }
    }

    private static func key(_ input: String, _ disposition: OrderDisposition) -> String {
        input + "/" + disposition.rawValue
    }

    private static let inputNames: [String] =
        [
            OrderInput.start, .stockReserved, .stockRefused(.other), .stockCommitted, .stockCommitRefused(.other),
            .stockReleased, .paymentAuthorized, .paymentDeclined(.other), .paymentCaptured(.zero(.eur)),
            .paymentFailed(.other), .paymentCancelled, .cancelRequested, .republish,
        ].map(\.name) + OrderDeadline.allCases.map { OrderInput.deadline($0).name }
}
