import HTTPTypes
import Hummingbird
import Synchronization
import Telemetry

/// Counts and times requests by method, matched route and status: label values that a client cannot invent.
final class RequestMetrics: Sendable {
    private struct Key: Hashable {
        var method: String
        var route: String
        var status: Int
    }

    private let listener: String
    private let registry: PrometheusRegistry
    private let active: PrometheusGauge
    /// Bounded by the routes of the router, eight methods and the statuses that handlers give.
    private let histograms = Mutex<[Key: PrometheusHistogram]>([:])

    private static let knownMethods: Set<String> = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]

    init(listener: String, registry: PrometheusRegistry) {
        self.listener = listener
        self.registry = registry
        active = registry.gauge(
            "http_server_active_requests",
            help: "Requests that are being answered.",
            labels: [("listener", listener)]
        )
    }

    func started() { active.increment(by: 1) }

    func ended() { active.decrement(by: 1) }

    /// The matched route as it was declared, or `unmatched`: never the path itself.
    func route(of context: APIContext) -> String {
        guard let path = context.endpointPath, path != "NotFound" else { return "unmatched" }
        return path
    }

    func record(method: HTTPRequest.Method, route: String, status: Int, _ duration: Duration) {
        let name = Self.knownMethods.contains(method.rawValue) ? method.rawValue : "OTHER"
        let key = Key(method: name, route: route, status: status)
        let histogram = histograms.withLock { histograms in
            if let known = histograms[key] { return known }
            let new = registry.histogram(
                "http_server_request_duration_seconds",
                help: "Time until the answer was ready, by route and status.",
                labels: [("listener", listener), ("method", name), ("route", route), ("status", String(status))]
            )
            histograms[key] = new
            return new
        }
        histogram.observe(duration)
    }
}
