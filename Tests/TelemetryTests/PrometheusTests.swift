import CoreMetrics
import Telemetry
import Testing

@Suite("Prometheus text")
struct PrometheusTests {
    private func text(_ registry: PrometheusRegistry) -> String { String(decoding: registry.render(), as: UTF8.self) }

    @Test("counters, gauges and histograms render as the format says")
    func golden() {
        let registry = PrometheusRegistry()
        registry.counter("things_total", help: "Things\\ with\nbreaks.", labels: [("kind", "b"), ("area", "x")])
            .increment(by: 3)
        registry.counter("things_total", labels: [("kind", "a"), ("area", "x")]).increment()
        registry.gauge("depth").set(2.5)
        let histogram = registry.histogram(
            "wait_seconds",
            help: "Wait.",
            buckets: [1, 0.1, 1, .infinity],
            labels: [("q", "z")]
        )
        for value in [0.05, 0.1, 0.5, 7, .nan] { histogram.observe(value) }
        histogram.observe(.milliseconds(250))
        #expect(
            text(registry) == """
                # TYPE depth gauge
                depth 2.5
                # HELP things_total Things\\\\ with\\nbreaks.
                # TYPE things_total counter
                things_total{area="x",kind="a"} 1
                things_total{area="x",kind="b"} 3
                # HELP wait_seconds Wait.
                # TYPE wait_seconds histogram
                wait_seconds_bucket{q="z",le="0.1"} 2
                wait_seconds_bucket{q="z",le="1"} 4
                wait_seconds_bucket{q="z",le="+Inf"} 5
                wait_seconds_sum{q="z"} 7.9
                wait_seconds_count{q="z"} 5

                """
        )
    }

    @Test("names and label values cannot break out of their place")
    func escaping() {
        let registry = PrometheusRegistry()
        registry.gauge(
            "9 bad-näme",
            labels: [("le", "a\"b\\c\nd\u{7}"), ("__x", String(repeating: "é", count: 200)), ("", "e")]
        ).set(1)
        let lines = text(registry).split(separator: "\n")
        #expect(lines.count == 2)
        #expect(lines[1].hasPrefix("_9_bad_n__me{"))
        #expect(lines[1].contains(#"label_le="a\"b\\c\nd ""#))
        #expect(lines[1].contains("x=\"" + String(repeating: "é", count: 64) + "\""))
    }

    @Test("numbers that are not finite use the format's words")
    func numbers() {
        let registry = PrometheusRegistry()
        registry.gauge("a").set(.infinity)
        registry.gauge("b").set(-.infinity)
        registry.gauge("c").set(.nan)
        registry.gauge("d").set(Double(Int64.max))
        #expect(text(registry).contains("\na +Inf\n"))
        #expect(text(registry).contains("\nb -Inf\n"))
        #expect(text(registry).contains("\nc NaN\n"))
    }

    @Test("the same name and labels are the same object, in any order")
    func identity() {
        let registry = PrometheusRegistry()
        #expect(
            registry.counter("c_total", labels: [("a", "1"), ("b", "2")])
                === registry.counter("c_total", labels: [("b", "2"), ("a", "1")])
        )
        #expect(registry.counter("c_total", labels: [("a", "2")]) !== registry.counter("c_total", labels: [("a", "1")]))
        registry.remove("c_total", labels: [("a", "2")])
        #expect(!text(registry).contains("a=\"2\"}"))
    }

    @Test("label sets and names are bounded, and what is refused is counted")
    func bounds() {
        let registry = PrometheusRegistry(limits: .init(maxFamilies: 2, maxSeriesPerFamily: 3))
        for index in 0..<1000 { registry.counter("c_total", labels: [("id", "\(index)")]).increment() }
        registry.gauge("g").set(1)
        for index in 0..<10 { registry.gauge("more\(index)").set(1) }
        let lines = text(registry).split(separator: "\n")
        #expect(lines.count == 1 + 4 + 2 + 3)
        #expect(lines.contains("c_total{overflow=\"true\"} 997"))
        #expect(lines.contains("telemetry_series_dropped_total 1007"))
    }

    @Test("a name keeps its kind; another kind gets a loose metric that works")
    func conflicts() {
        let registry = PrometheusRegistry()
        registry.counter("x").increment()
        let gauge = registry.gauge("x")
        gauge.set(5)
        #expect(gauge.value == 5)
        #expect(text(registry).contains("# TYPE x counter\nx 1\n"))
    }

    @Test("it serves swift-metrics")
    func factory() {
        let registry = PrometheusRegistry()
        Counter(label: "jobs.done", dimensions: [("queue", "a")], factory: registry).increment(by: 2)
        FloatingPointCounter(label: "jobs.cost_total", factory: registry).increment(by: 0.5)
        Meter(label: "jobs.waiting", factory: registry).set(4)
        Gauge(label: "jobs.last", factory: registry).record(9)
        Recorder(label: "jobs.size", factory: registry).record(3)
        let timer = Timer(label: "jobs.time", factory: registry)
        timer.recordMilliseconds(20)
        let shown = text(registry)
        for line in [
            "jobs_done_total{queue=\"a\"} 2", "jobs_cost_total 0.5", "jobs_waiting 4", "jobs_last 9",
            "jobs_size_bucket{le=\"4\"} 1",
            "jobs_time_seconds_bucket{le=\"0.025\"} 1", "jobs_time_seconds_bucket{le=\"0.01\"} 0",
            "jobs_time_seconds_sum 0.02",
        ] { #expect(shown.contains("\n" + line + "\n"), "\(line)") }
        timer.destroy()
        #expect(!text(registry).contains("jobs_time"))
    }

    @Test("nothing is lost between threads")
    func concurrency() async {
        let registry = PrometheusRegistry()
        await withTaskGroup(of: Void.self) { group in
            for task in 0..<8 {
                group.addTask {
                    for index in 0..<1000 {
                        registry.counter("c_total", labels: [("task", "\(task % 2)")]).increment()
                        registry.histogram("h", buckets: [1]).observe(Double(index % 2) * 2)
                    }
                }
            }
        }
        let sum = ["0", "1"].map { registry.counter("c_total", labels: [("task", $0)]).value }.reduce(0, +)
        #expect(sum == 8000)
        #expect(registry.histogram("h", buckets: [1]).count == 8000)
    }

    @Test("gauges are refreshed before each rendering; the process's own metrics are there")
    func refreshing() {
        let registry = PrometheusRegistry()
        ProcessMetrics.install(in: registry)
        let shown = text(registry)
        #expect(shown.contains("process_resident_memory_bytes "))
        #expect(registry.gauge("process_resident_memory_bytes").value > 1_000_000)
        #expect(registry.gauge("process_open_fds").value > 2)
    }
}
