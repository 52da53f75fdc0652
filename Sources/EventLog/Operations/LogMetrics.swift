import Synchronization

/// The server's counters. Every member may be used from any thread.
final class LogMetrics: Sendable {
    /// A number that only grows, or a level that is added to and subtracted from.
    final class Counter: Sendable {
        private let atomic = Atomic(0)

        func add(_ count: Int) { atomic.wrappingAdd(count, ordering: .relaxed) }
        var value: Int { atomic.load(ordering: .relaxed) }
    }

    /// A histogram of durations with fixed buckets, in seconds.
    final class Histogram: Sendable {
        static let bounds: [Double] = [0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1]

        private struct Values {
            var counts = [Int](repeating: 0, count: Histogram.bounds.count + 1)
            var sum = 0.0
        }

        private let values = Mutex(Values())

        func record(_ duration: Duration) {
            let seconds = Double(duration.components.seconds) + Double(duration.components.attoseconds) / 1e18
            let place = Self.bounds.firstIndex { seconds <= $0 } ?? Self.bounds.count
            values.withLock { values in
                values.counts[place] += 1
                values.sum += seconds
            }
        }

        func rendered(_ name: String, _ labels: String = "") -> String {
            let values = values.withLock { $0 }
            var text = ""
            var total = 0
            let separator = labels.isEmpty ? "" : ","
            for (place, bound) in Self.bounds.enumerated() {
                total += values.counts[place]
                text += "\(name)_bucket{\(labels)\(separator)le=\"\(bound)\"} \(total)\n"
            }
            total += values.counts[Self.bounds.count]
            text += "\(name)_bucket{\(labels)\(separator)le=\"+Inf\"} \(total)\n"
            text += "\(name)_sum{\(labels)} \(values.sum)\n"
            text += "\(name)_count{\(labels)} \(total)\n"
            return text
        }
    }

    let connections = Counter()
    let connectionsRefused = Counter()
    let connectionsFailed = Counter()
    let requests = Counter()
    let bytesIn = Counter()
    let bytesOut = Counter()
    let batches = Counter()
    let duplicateBatches = Counter()
    let refusedBatches = Counter()
    let appendFailures = Counter()
    let syncedBytes = Counter()
    let fetchedBytes = Counter()
    let parkedFetches = Counter()
    let segmentsRemoved = Counter()
    let syncDuration = Histogram()
}
