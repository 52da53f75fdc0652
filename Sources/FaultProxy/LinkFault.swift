/// What is wrong with a link between two processes.
///
/// A fault that swallows bytes leaves the stream with a hole; such a connection is reset when the fault is taken away, as a
/// network does that forgot about it. Nobody may see the bytes after the hole as if they followed the bytes before it.
public enum LinkFault: Sendable, Hashable {
    /// One of the two directions of a connection.
    public enum Direction: String, Sendable, Hashable, CaseIterable {
        /// From the one that connected to the one that listens: requests.
        case toServer = "to-server"
        /// The other way: answers.
        case toClient = "to-client"
    }

    /// Every piece arrives later, by `delay` and up to `jitter` more. Order is kept.
    case latency(delay: Duration, jitter: Duration)
    /// At most so many bytes a second, in each direction of each connection; at least 1.
    case bandwidth(bytesPerSecond: Int)
    /// Nothing moves, nothing is lost: what was held goes on where it stopped.
    case stall
    /// Connections can be made, and nothing ever arrives, in either direction.
    case blackhole
    /// Nothing arrives in one direction; the other one works.
    case oneWayCut(Direction)
    /// Connections that exist are reset once; new ones work.
    case reset
    /// Connections that exist are reset, and so is every new one.
    case refuse
    /// The link is down (as ``refuse``) and up in turns, each for `period`. Begins down.
    case flap(period: Duration)
    /// The first 256 bytes of every piece arrive in fragments of 1 to `largest` bytes.
    case slice(largest: Int)
    /// Each connection is reset after so many bytes in one direction, counted from when the fault began.
    case limit(bytes: Int)
    /// One frame in `oneIn` (at least 1) is damaged on average, drawn for each by itself, where its receiver must notice; see
    /// ``Framing``.
    case damage(oneIn: Int)
}
