/// A point on the wall clock, in whole milliseconds since 1970-01-01T00:00:00Z.
///
/// Wall time is data: it is shown to people, stored in rows and compared with deadlines. It orders nothing; order comes
/// from sequence numbers. Values outside the years 0001…9999 cannot be made from text.
public struct Timestamp: Sendable, Hashable, Comparable {
    /// Milliseconds since the Unix epoch; negative before 1970.
    public let millisecondsSinceEpoch: Int64

    /// Makes a timestamp from milliseconds since the Unix epoch.
    public init(millisecondsSinceEpoch: Int64) {
        self.millisecondsSinceEpoch = millisecondsSinceEpoch
    }

    public static func < (lhs: Timestamp, rhs: Timestamp) -> Bool {
        lhs.millisecondsSinceEpoch < rhs.millisecondsSinceEpoch
    }

    /// This point moved by a number of milliseconds, clamped to the range of `Int64`.
    public func advanced(byMilliseconds milliseconds: Int64) -> Timestamp {
        let (sum, overflow) = millisecondsSinceEpoch.addingReportingOverflow(milliseconds)
        guard overflow else { return Timestamp(millisecondsSinceEpoch: sum) }
        return Timestamp(millisecondsSinceEpoch: milliseconds < 0 ? .min : .max)
    }

    /// This point moved by a duration, rounded towards zero to whole milliseconds and clamped.
    public func advanced(by duration: Duration) -> Timestamp {
        advanced(byMilliseconds: duration.wholeMilliseconds)
    }

    /// Milliseconds from `earlier` to this point, negative when this point is the earlier one; clamped.
    public func milliseconds(since earlier: Timestamp) -> Int64 {
        let (difference, overflow) = millisecondsSinceEpoch.subtractingReportingOverflow(earlier.millisecondsSinceEpoch)
        guard overflow else { return difference }
        return millisecondsSinceEpoch < earlier.millisecondsSinceEpoch ? .min : .max
    }
}

extension Duration {
    /// The duration in whole milliseconds, rounded towards zero and clamped to the range of `Int64`.
    public var wholeMilliseconds: Int64 {
        let parts = components
        let (fromSeconds, overflow) = parts.seconds.multipliedReportingOverflow(by: 1000)
        guard !overflow else { return parts.seconds < 0 ? .min : .max }
        let (sum, carry) = fromSeconds.addingReportingOverflow(parts.attoseconds / 1_000_000_000_000_000)
        guard !carry else { return parts.seconds < 0 ? .min : .max }
        return sum
    }
}
