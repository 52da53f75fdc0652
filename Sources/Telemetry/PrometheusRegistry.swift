public import CoreMetrics
import Synchronization

/// All metrics of a process, and their text for Prometheus.
///
/// It serves two callers: swift-metrics (`MetricsSystem.bootstrap(registry)`; dots become underscores, counters get `_total`,
/// timers become histograms in seconds with `_seconds`), and our own code, which asks for typed metrics with exact names and
/// chosen buckets. Asking twice for the same name and labels gives the same object; keep it where the path is hot.
///
/// Bounds: at most ``Limits/maxFamilies`` names and ``Limits/maxSeriesPerFamily`` label sets a name. What comes later is gathered
/// in one series `{overflow="true"}` of its family (families beyond the bound are not shown at all), and
/// `telemetry_series_dropped_total` counts it. Safe to use from any thread.
public final class PrometheusRegistry: Sendable {
    /// Bounds of a registry.
    public struct Limits: Sendable {
        /// Most metric names.
        public var maxFamilies: Int
        /// Most label sets of one name.
        public var maxSeriesPerFamily: Int

        /// Creates bounds.
        public init(maxFamilies: Int = 500, maxSeriesPerFamily: Int = 500) {
            self.maxFamilies = maxFamilies
            self.maxSeriesPerFamily = maxSeriesPerFamily
        }
    }

    enum Series: Sendable {
        case counter(PrometheusCounter)
        case gauge(PrometheusGauge)
        case histogram(PrometheusHistogram)

        var kind: String {
            switch self {
            case .counter: "counter"
            case .gauge: "gauge"
            case .histogram: "histogram"
            }
        }
    }

    struct Family: Sendable {
        var help: String
        var kind: String
        var series: [MetricLabels: Series] = [:]
    }

    private struct State {
        var families: [String: Family] = [:]
        var dropped: UInt64 = 0
        var refreshers: [@Sendable () -> Void] = []
    }

    private let limits: Limits
    private let state = Mutex(State())

    /// Creates an empty registry.
    public init(limits: Limits = Limits()) {
        self.limits = limits
    }

    // MARK: Typed metrics

    /// The counter of this name and labels. By convention the name ends in `_total`; it is used as it is.
    public func counter(_ name: String, help: String = "", labels: [(String, String)] = []) -> PrometheusCounter {
        let series = find(name, help: help, labels: labels, kind: "counter") { .counter(PrometheusCounter()) }
        guard case .counter(let counter) = series else { return PrometheusCounter() }
        return counter
    }

    /// The gauge of this name and labels.
    public func gauge(_ name: String, help: String = "", labels: [(String, String)] = []) -> PrometheusGauge {
        let series = find(name, help: help, labels: labels, kind: "gauge") { .gauge(PrometheusGauge()) }
        guard case .gauge(let gauge) = series else { return PrometheusGauge() }
        return gauge
    }

    /// The histogram of this name and labels. `buckets` are upper bounds without `+Inf`; all label sets of a name should share them.
    public func histogram(
        _ name: String,
        help: String = "",
        buckets: [Double] = PrometheusHistogram.durationBuckets,
        labels: [(String, String)] = []
    ) -> PrometheusHistogram {
        let series = find(name, help: help, labels: labels, kind: "histogram") {
            .histogram(PrometheusHistogram(buckets: buckets))
        }
        guard case .histogram(let histogram) = series else { return PrometheusHistogram(buckets: buckets) }
        return histogram
    }

    /// Removes one label set, as when the thing it describes is gone.
    public func remove(_ name: String, labels: [(String, String)]) {
        let name = MetricName.metric(name)
        let labels = MetricLabels(labels)
        state.withLock {
            $0.families[name]?.series[labels] = nil
            if $0.families[name]?.series.isEmpty == true { $0.families[name] = nil }
        }
    }

    /// Runs `refresh` before each rendering, to bring gauges up to date. It must be quick and must not block. At most 64.
    public func beforeRendering(_ refresh: @escaping @Sendable () -> Void) {
        state.withLock { if $0.refreshers.count < 64 { $0.refreshers.append(refresh) } }
    }

    // MARK: Rendering

    /// Content type of ``render()``.
    public static let contentType = "text/plain; version=0.0.4; charset=utf-8"

    /// All metrics in the Prometheus text format 0.0.4: names and label sets in order, so that two renderings compare.
    public func render() -> [UInt8] {
        for refresh in state.withLock({ $0.refreshers }) { refresh() }
        // A snapshot of the handles; each is read under its own lock while the text is made.
        let (families, dropped) = state.withLock { ($0.families, $0.dropped) }
        var text = PrometheusText()
        for (name, family) in families.sorted(by: { $0.key < $1.key }) {
            text.append(name: name, family: family)
        }
        if dropped > 0 {
            let counter = PrometheusCounter()
            counter.increment(by: Double(dropped))
            var family = Family(
                help: "Label sets or names refused because a bound of the registry was reached.",
                kind: "counter"
            )
            family.series[MetricLabels([])] = .counter(counter)
            text.append(name: "telemetry_series_dropped_total", family: family)
        }
        return text.bytes
    }

    // MARK: Inside

    /// The series, made on first use. Of another kind than `kind` when the name is taken: then the caller gets a loose metric
    /// that works and is not shown.
    private func find(
        _ name: String,
        help: String,
        labels: [(String, String)],
        kind: String,
        make: () -> Series
    ) -> Series {
        let name = MetricName.metric(name)
        let labels = MetricLabels(labels)
        return state.withLock { state in
            if let family = state.families[name] {
                if let series = family.series[labels] { return series }
                guard family.kind == kind else {
                    state.dropped += 1
                    return make()
                }
                if family.series.count >= limits.maxSeriesPerFamily {
                    state.dropped += 1
                    if let series = family.series[.overflow] { return series }
                    let series = make()
                    state.families[name]?.series[.overflow] = series
                    return series
                }
            } else {
                guard state.families.count < limits.maxFamilies else {
                    state.dropped += 1
                    return make()
                }
                state.families[name] = Family(help: help, kind: kind)
            }
            let series = make()
            state.families[name]?.series[labels] = series
            return series
        }
    }

    private func removeHandler(_ handler: AnyObject) {
        state.withLock { state in
            for (name, family) in state.families {
                for (labels, series) in family.series where series.object === handler {
                    state.families[name]?.series[labels] = nil
                    if state.families[name]?.series.isEmpty == true { state.families[name] = nil }
                    return
                }
            }
        }
    }
}

extension PrometheusRegistry.Series {
    fileprivate var object: AnyObject {
        switch self {
        case .counter(let counter): counter
        case .gauge(let gauge): gauge
        case .histogram(let histogram): histogram
        }
    }
}

extension PrometheusRegistry: MetricsFactory {
    /// A counter; the name gets `_total`.
    public func makeCounter(label: String, dimensions: [(String, String)]) -> any CounterHandler {
        counter(MetricName.suffixed(MetricName.metric(label), "_total"), labels: dimensions)
    }

    /// A counter; the name gets `_total`.
    public func makeFloatingPointCounter(
        label: String,
        dimensions: [(String, String)]
    ) -> any FloatingPointCounterHandler {
        counter(MetricName.suffixed(MetricName.metric(label), "_total"), labels: dimensions)
    }

    /// A gauge.
    public func makeMeter(label: String, dimensions: [(String, String)]) -> any MeterHandler {
        gauge(label, labels: dimensions)
    }

    /// A histogram when values are to be aggregated, else a gauge.
    public func makeRecorder(label: String, dimensions: [(String, String)], aggregate: Bool) -> any RecorderHandler {
        guard aggregate else { return gauge(label, labels: dimensions) }
        return histogram(label, buckets: PrometheusHistogram.sizeBuckets, labels: dimensions)
    }

    /// A histogram of seconds; the name gets `_seconds`.
    public func makeTimer(label: String, dimensions: [(String, String)]) -> any TimerHandler {
        histogram(MetricName.suffixed(MetricName.metric(label), "_seconds"), labels: dimensions)
    }

    /// Removes the series.
    public func destroyCounter(_ handler: any CounterHandler) { removeHandler(handler) }

    /// Removes the series.
    public func destroyFloatingPointCounter(_ handler: any FloatingPointCounterHandler) { removeHandler(handler) }

    /// Removes the series.
    public func destroyMeter(_ handler: any MeterHandler) { removeHandler(handler) }

    /// Removes the series.
    public func destroyRecorder(_ handler: any RecorderHandler) { removeHandler(handler) }

    /// Removes the series.
    public func destroyTimer(_ handler: any TimerHandler) { removeHandler(handler) }
}
