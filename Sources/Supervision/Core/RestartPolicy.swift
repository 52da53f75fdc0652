/// How long to wait before a process that ended unasked is started again.
///
/// The wait doubles with every failure in a row, from ``first`` to ``cap``, and is spread by up to a quarter either way so that
/// processes that died together do not come back together. A run of ``healthyAfter`` forgets earlier failures.
public struct RestartPolicy: Sendable, Equatable {
    /// The wait after the first failure, before jitter. With the default of 120 ms the first restart is due within 150 ms.
    public var first: Duration
    /// The longest wait, jitter included.
    public var cap: Duration
    /// A run that lasted this long, answering its probe, counts as healthy.
    public var healthyAfter: Duration

    /// Makes a policy; the defaults are 120 ms, 10 s and 30 s.
    public init(
        first: Duration = .milliseconds(120),
        cap: Duration = .seconds(10),
        healthyAfter: Duration = .seconds(30)
    ) {
        self.first = first
        self.cap = cap
        self.healthyAfter = healthyAfter
    }

    /// The wait after `failures` failures in a row.
    ///
    /// - Parameters:
    ///   - failures: at least 1; larger values saturate at ``cap``.
    ///   - jitter: a random number in `0...1`; 0.5 gives the plain value. Values outside are clamped.
    public func delay(failures: Int, jitter: Double) -> Duration {
        // Twenty doublings of a millisecond are already far above any sensible cap: no overflow can come of it.
        let doublings = min(max(failures, 1) - 1, 20)
        let plain = min(first * (1 << doublings), cap)
        let spread = 0.75 + 0.5 * min(max(jitter, 0), 1)
        return min(.milliseconds(Int64(Double(plain.wholeMilliseconds) * spread)), cap)
    }
}
