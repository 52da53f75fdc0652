public import Messaging
import Synchronization

/// A clock that a test moves by hand.
public final class ManualClock: WallClock {
    private let time: Mutex<Timestamp>

    /// Makes a clock; unless told otherwise it shows 2026-01-01T00:00:00Z.
    public init(_ start: Timestamp = Timestamp(millisecondsSinceEpoch: 1_767_225_600_000)) { time = Mutex(start) }

    /// What the clock shows.
    public func now() -> Timestamp { time.withLock { $0 } }

    /// Moves the clock; a negative duration moves it back.
    public func advance(by duration: Duration) {
        time.withLock { $0 = $0.advanced(by: duration) }
    }

    /// Sets the clock.
    public func set(_ now: Timestamp) { time.withLock { $0 = now } }
}
