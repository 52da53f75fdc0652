/// Since when a consumer has had something to do and has not got on. Pure.
struct ConsumerProgress: Sendable {
    private var movedAt: ContinuousClock.Instant?
    private var behindSince: ContinuousClock.Instant?

    mutating func moved(at now: ContinuousClock.Instant) { movedAt = now }

    /// - Parameter behind: how many records it has not read.
    /// - Returns: how long it has stood still; zero while there is nothing to read.
    mutating func stalled(behind: Int64, at now: ContinuousClock.Instant) -> Duration {
        guard behind > 0 else {
            behindSince = nil
            return .zero
        }
        let since = behindSince ?? now
        behindSince = since
        return now - max(since, movedAt ?? since)
    }
}
