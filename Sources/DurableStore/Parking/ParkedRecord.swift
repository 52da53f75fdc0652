public import Messaging

/// One record that waits in the table `parked_records`.
struct ParkedRecord: Sendable {
    let key: ParkingLot.Key
    let offset: Int64
    /// Failed attempts so far; 0 for a record that only waits behind another one.
    let attempts: Int
    /// When its first attempt failed.
    let firstFailedAt: Timestamp?
    let headers: [(name: String, value: String)]
    let body: [UInt8]

    /// The record as it came from the log.
    var message: ReceivedMessage {
        ReceivedMessage(
            source: .record(topic: key.topic, partition: key.partition, offset: offset),
            headers: headers,
            body: body
        )
    }
}

/// A key of the event log whose records wait because the first of them failed, in a way that may pass.
public struct ParkedKey: Sendable, Hashable {
    /// The consumer that could not handle it.
    public let consumer: String
    /// The topic.
    public let topic: String
    /// The partition of the topic.
    public let partition: Int32
    /// The key: the subject of the records.
    public let subject: String
    /// How many records wait.
    public let records: Int
    /// The offset of the first: the one that failed.
    public let offset: Int64
    /// Failed attempts at the first.
    public let attempts: Int
    /// When the first came to wait.
    public let parkedAt: Timestamp
    /// When the first is tried again.
    public let nextAttemptAt: Timestamp
    /// Why the last attempt failed: a code and a sentence.
    public let error: String
}

/// How much of a consumer waits.
public struct ParkedCount: Sendable, Hashable {
    /// The consumer.
    public let consumer: String
    /// Keys that wait.
    public let keys: Int
    /// Records of those keys.
    public let records: Int
}
