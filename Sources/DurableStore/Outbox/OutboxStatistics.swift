public import Messaging

/// How much waits in the outbox.
public struct OutboxStatistics: Sendable, Hashable {
    /// Rows for one destination.
    public struct Part: Sendable, Hashable {
        /// Where they go.
        public let destination: Destination
        /// Rows not published and not parked.
        public let unpublished: Int
        /// Rows parked.
        public let parked: Int
        /// When the oldest unpublished row was enqueued.
        public let oldestUnpublished: Timestamp?
    }

    /// Rows not published and not parked.
    public let unpublished: Int
    /// Rows parked.
    public let parked: Int
    /// When the oldest unpublished row was enqueued; `nil` when there is none.
    public let oldestUnpublished: Timestamp?
    /// How long ago that was, in milliseconds; 0 when there is none.
    public let oldestUnpublishedAgeMilliseconds: Int64
    /// The same by destination; only those with rows.
    public let byDestination: [Part]
}

/// Which rows ``DurableStore/outboxRows(_:after:limit:)`` lists.
public enum OutboxFilter: String, Sendable, CaseIterable {
    case all, unpublished, parked
}
