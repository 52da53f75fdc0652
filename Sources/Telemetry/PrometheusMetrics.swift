public import CoreMetrics
import Synchronization

/// A number that only grows. Negative and not-finite increments are ignored.
///
/// Safe to use from any thread; an update takes one uncontended lock.
public final class PrometheusCounter: CounterHandler, FloatingPointCounterHandler, Sendable {
    private let total = Mutex(0.0)

    init() {}

    /// The value now.
    public var value: Double { total.withLock { $0 } }

    /// Adds one.
    public func increment() { increment(by: 1.0) }

    /// Adds a whole number.
    public func increment(by amount: Int) { increment(by: Double(amount)) }

    /// Adds a whole number.
    public func increment(by amount: Int64) { increment(by: Double(amount)) }

    /// Adds a number.
    public func increment(by amount: Double) {
        guard amount.isFinite, amount >= 0 else { return }
        total.withLock { $0 += amount }
    }

    /// Starts again at zero, as after a restart of the process.
    public func reset() { total.withLock { $0 = 0 } }
}

/// A number that goes up and down.
///
/// Safe to use from any thread.
public final class PrometheusGauge: MeterHandler, RecorderHandler, Sendable {
    private let current = Mutex(0.0)

    init() {}

    /// The value now.
    public var value: Double { current.withLock { $0 } }

    /// Sets the value.
    public func set(_ value: Double) { current.withLock { $0 = value } }

    /// Sets the value.
    public func set(_ value: Int) { set(Double(value)) }

    /// Sets the value.
    public func set(_ value: Int64) { set(Double(value)) }

    /// Adds.
    public func increment(by amount: Double) { current.withLock { $0 += amount } }

    /// Subtracts.
    public func decrement(by amount: Double) { current.withLock { $0 -= amount } }

    /// Sets the value (a recorder without aggregation keeps its last value).
    public func record(_ value: Int64) { set(Double(value)) }

    /// Sets the value (a recorder without aggregation keeps its last value).
    public func record(_ value: Double) { set(value) }
}

/// A distribution over fixed buckets.
///
/// Safe to use from any thread.
public final class PrometheusHistogram: TimerHandler, RecorderHandler, Sendable {
    /// Buckets for durations in seconds, 0.5 ms to 60 s.
    public static let durationBuckets: [Double] = [
        0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60,
    ]

    /// Buckets for counts and sizes, 1 to 1 Mi.
    public static let sizeBuckets: [Double] = [
        1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 4096, 16_384, 65_536, 262_144, 1_048_576,
    ]

    /// Most buckets, without `+Inf`.
    public static let maxBuckets = 64

    struct Snapshot: Sendable {
        /// One count per bound (not cumulative) and a last one for everything above.
        var counts: [UInt64]
        var sum = 0.0
        var count: UInt64 { counts.reduce(0, +) }
    }

    /// Upper bounds, ascending, without `+Inf`.
    public let bounds: [Double]
    private let state: Mutex<Snapshot>

    init(buckets: [Double]) {
        bounds = Array(Set(buckets.filter(\.isFinite)).sorted().prefix(Self.maxBuckets))
        state = Mutex(Snapshot(counts: [UInt64](repeating: 0, count: bounds.count + 1)))
    }

    var snapshot: Snapshot { state.withLock { $0 } }

    /// Number of observations so far.
    public var count: UInt64 { snapshot.count }

    /// Sum of the observations so far.
    public var sum: Double { snapshot.sum }

    /// Adds one observation; values that are not finite are ignored.
    public func observe(_ value: Double) {
        guard value.isFinite else { return }
        // At most 64 bounds: a linear search beats a binary one in practice.
        let index = bounds.firstIndex { value <= $0 } ?? bounds.count
        state.withLock {
            $0.counts[index] += 1
            $0.sum += value
        }
    }

    /// Adds one duration, in seconds.
    public func observe(_ duration: Duration) {
        observe(Double(duration.components.seconds) + Double(duration.components.attoseconds) * 1e-18)
    }

    /// Adds one duration, in seconds.
    public func recordNanoseconds(_ duration: Int64) { observe(Double(duration) / 1e9) }

    /// Adds one observation.
    public func record(_ value: Int64) { observe(Double(value)) }

    /// Adds one observation.
    public func record(_ value: Double) { observe(value) }
}
