import GRDB
public import Messaging

/// One row of the outbox, as operators see it.
public struct OutboxRow: Sendable, Identifiable {
    /// Position in the outbox: the order of commits.
    public let seq: Int64
    /// What is sent, and where.
    public let message: OutgoingMessage
    /// When the unit that enqueued it ran.
    public let createdAt: Timestamp
    /// When the broker's confirm was recorded; `nil` while unpublished.
    public let publishedAt: Timestamp?
    /// Attempts that failed through the row's own fault.
    public let attempts: Int
    /// When it is tried again after a failure.
    public let nextAttemptAt: Timestamp?
    /// What the last failure said.
    public let lastError: String?
    /// When it was parked; `nil` when it is not.
    public let parkedAt: Timestamp?
    /// Why it was parked.
    public let parkedReason: String?

    /// The same as `seq`.
    public var id: Int64 { seq }

    /// Reads ``OutboxTable/columns``, in their order.
    init(_ row: Columns) throws {
        seq = try row[0]
        message = try OutgoingMessage(
            to: Destination(target: row[2], routingKey: row[3]),
            Envelope(
                id: row[1],
                source: row[5],
                type: row[6],
                subject: row[4],
                time: Timestamp(millisecondsSinceEpoch: row[7]),
                sequence: row[8],
                correlationID: row[9],
                causationID: row[10],
                traceparent: row[11],
                replyTo: row[12],
                attempt: row[13],
                contentType: row[14],
                body: (row[17] as Blob).bytes
            ),
            extraHeaders: (row[15] as String?).map(HeaderText.decode) ?? [:],
            expirationMilliseconds: row[16]
        )
        createdAt = try Timestamp(millisecondsSinceEpoch: row[18])
        publishedAt = try (row[19] as Int64?).map(Timestamp.init(millisecondsSinceEpoch:))
        attempts = try row[20]
        nextAttemptAt = try (row[21] as Int64?).map(Timestamp.init(millisecondsSinceEpoch:))
        lastError = try row[22]
        parkedAt = try (row[23] as Int64?).map(Timestamp.init(millisecondsSinceEpoch:))
        parkedReason = try row[24]
    }

    var pending: PendingRow { PendingRow(seq: seq, attempts: attempts, message: message) }
}
