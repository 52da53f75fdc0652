/// Writes families in the Prometheus text exposition format 0.0.4
/// (https://prometheus.io/docs/instrumenting/exposition_formats/).
struct PrometheusText {
    private(set) var bytes: [UInt8] = []

    mutating func append(name: String, family: PrometheusRegistry.Family) {
        if !family.help.isEmpty { line("# HELP \(name) \(Self.escapeHelp(family.help))") }
        line("# TYPE \(name) \(family.kind)")
        for (labels, series) in family.series.sorted(by: { $0.key.text < $1.key.text }) {
            switch series {
            case .counter(let counter): sample(name, labels.text, Self.number(counter.value))
            case .gauge(let gauge): sample(name, labels.text, Self.number(gauge.value))
            case .histogram(let histogram): append(name, labels.text, histogram)
            }
        }
    }

    private mutating func append(_ name: String, _ labels: String, _ histogram: PrometheusHistogram) {
        let snapshot = histogram.snapshot
        let prefix = labels.isEmpty ? "" : labels + ","
        var cumulative: UInt64 = 0
        for (bound, count) in zip(histogram.bounds, snapshot.counts) {
            cumulative += count
            sample(name + "_bucket", "\(prefix)le=\"\(Self.number(bound))\"", String(cumulative))
        }
        sample(name + "_bucket", prefix + "le=\"+Inf\"", String(snapshot.count))
        sample(name + "_sum", labels, Self.number(snapshot.sum))
        sample(name + "_count", labels, String(snapshot.count))
    }

    private mutating func sample(_ name: String, _ labels: String, _ value: String) {
        line(labels.isEmpty ? "\(name) \(value)" : "\(name){\(labels)} \(value)")
    }

    private mutating func line(_ text: String) {
        bytes.append(contentsOf: text.utf8)
        bytes.append(0x0A)
    }

    private static func escapeHelp(_ text: String) -> String {
        var result = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\\": result += "\\\\"
            case "\n": result += "\\n"
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result
    }

    /// Whole numbers without a fraction, and the format's own words for what is not finite.
    static func number(_ value: Double) -> String {
        if value.isNaN { return "NaN" }
        if value.isInfinite { return value > 0 ? "+Inf" : "-Inf" }
        if let whole = Int64(exactly: value) { return String(whole) }
        return value.description
    }
}
