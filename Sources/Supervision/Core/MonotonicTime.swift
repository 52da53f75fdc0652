/// A point on the machine's monotonic clock, in whole milliseconds.
///
/// Only differences mean anything. The core never reads a clock: the shell passes the time in.
public struct MonotonicTime: Sendable, Hashable, Comparable {
    /// Milliseconds since an arbitrary start.
    public var milliseconds: Int64

    /// Makes a time from milliseconds since an arbitrary start.
    public init(milliseconds: Int64) {
        self.milliseconds = milliseconds
    }

    /// Orders by time.
    public static func < (left: Self, right: Self) -> Bool {
        left.milliseconds < right.milliseconds
    }

    /// The time `interval` later; saturates instead of overflowing.
    public static func + (time: Self, interval: Duration) -> Self {
        let (sum, overflow) = time.milliseconds.addingReportingOverflow(interval.wholeMilliseconds)
        return Self(milliseconds: overflow ? (interval < .zero ? .min : .max) : sum)
    }

    /// The time from `right` to `left`; negative when `left` is earlier.
    public static func - (left: Self, right: Self) -> Duration {
        let (difference, overflow) = left.milliseconds.subtractingReportingOverflow(right.milliseconds)
        return .milliseconds(overflow ? (left < right ? Int64.min : Int64.max) : difference)
    }
}

extension Duration {
    /// The duration in milliseconds, rounded towards zero, saturating.
    var wholeMilliseconds: Int64 {
        let (seconds, attoseconds) = components
        let (scaled, overflow) = seconds.multipliedReportingOverflow(by: 1000)
        if overflow { return seconds < 0 ? .min : .max }
        let (sum, overflowed) = scaled.addingReportingOverflow(attoseconds / 1_000_000_000_000_000)
        return overflowed ? (seconds < 0 ? .min : .max) : sum
    }

    /// The duration in seconds as a fraction, for display only.
    var fractionalSeconds: Double {
        Double(components.seconds) + Double(components.attoseconds) / 1e18
    }
}
