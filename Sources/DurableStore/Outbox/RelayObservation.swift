public import Messaging

/// What a relay did, for metrics and logs.
public enum RelayObservation: Sendable {
    /// The broker confirmed messages of one call.
    case published(count: Int, duration: Duration)
    /// Messages of one call were not confirmed. `isTransport`: nothing was, and the transport is held to be at fault.
    case failed(count: Int, Failure, isTransport: Bool)
    /// A row was put aside; its key waits for an operator.
    case parked(seq: Int64, reason: String)
    /// Published rows were deleted at the end of their retention.
    case purged(count: Int)
    /// The table could not be read or written; tried again.
    case storeFailed(Failure)
}
