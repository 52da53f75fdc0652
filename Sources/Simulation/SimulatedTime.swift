public import Messaging
import Synchronization

/// The one time of a simulated world, in milliseconds; it moves only when the driver moves it.
public final class SimulatedTime: Sendable {
    private let milliseconds: Mutex<Int64>

    /// Begins at a point in time.
    public init(_ start: Timestamp) { milliseconds = Mutex(start.millisecondsSinceEpoch) }

    /// The present.
    public var now: Timestamp { Timestamp(millisecondsSinceEpoch: milliseconds.withLock { $0 }) }

    /// Moves on.
    public func advance(byMilliseconds step: Int64) {
        milliseconds.withLock { $0 += max(0, step) }
    }

    /// Moves on to a point in time; never back.
    public func advance(to point: Timestamp) {
        milliseconds.withLock { $0 = max($0, point.millisecondsSinceEpoch) }
    }
}

/// The clock of one machine: the world's time and how far this machine is off.
public final class SimulatedClock: WallClock {
    private let time: SimulatedTime
    private let skew = Mutex<Int64>(0)

    /// Makes a clock that is right.
    public init(_ time: SimulatedTime) { self.time = time }

    /// How far the clock is off, in milliseconds.
    public var skewMilliseconds: Int64 {
        get { skew.withLock { $0 } }
        set { skew.withLock { $0 = newValue } }
    }

    public func now() -> Timestamp { time.now.advanced(byMilliseconds: skewMilliseconds) }
}
