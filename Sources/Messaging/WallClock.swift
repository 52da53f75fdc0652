/// Where the time of day comes from. Passed in, so that a test or a simulation decides what time it is.
public protocol WallClock: Sendable {
    /// The present time of day. Safe to call from any thread; may jump in either direction between calls.
    func now() -> Timestamp
}
