import Foundation
import GRDB
public import Messaging

/// A message that could not be handled, with everything that is needed to judge it and to send it again.
public struct DeadLetter: Sendable, Identifiable {
    /// What was decided about a dead letter.
    ///
    /// ```
    /// held ──requeue──► requeued
    ///  ▲ └──discard──► discarded ─┐
    ///  └─────────restore──────────┘
    /// ```
    public enum State: String, Sendable, CaseIterable {
        /// Waits for a decision.
        case held
        /// Was sent back to where it failed. If it fails again, that is a new dead letter that names this one.
        case requeued
        /// Was given up; can be restored.
        case discarded
    }

    /// The same for every copy of the message; 32 hexadecimal digits.
    public let id: String
    /// `amqp`, `kafka` or `http`.
    public let transport: String
    /// The inbox or consumer in which it failed, and to which it goes back.
    public let consumer: String
    /// The queue, or topic, partition and offset.
    public let source: String
    /// The message's own id, if its envelope could be read; so for the next four.
    public let messageID: String?
    /// The message's type.
    public let type: String?
    /// The message's subject.
    public let subject: String?
    /// The process that the message belongs to.
    public let correlationID: String?
    /// The trace that it belongs to.
    public let traceparent: String?
    /// Class of the last failure, a ``FailureClass``.
    public let failureClass: String
    /// Code of the last failure.
    public let code: String
    /// Sentence of the last failure.
    public let error: String
    /// Attempts made.
    public let attempts: Int
    /// When the first attempt failed.
    public let firstFailedAt: Timestamp
    /// When the last attempt failed.
    public let failedAt: Timestamp
    /// All headers as they came.
    public let headers: [(name: String, value: String)]
    /// The payload, byte for byte.
    public let body: [UInt8]
    /// What the broker says about its own dead-lettering.
    public let xDeath: String?
    /// What was decided about it.
    public let state: State
    /// When it came into that state.
    public let stateChangedAt: Timestamp
    /// Why, in the operator's words.
    public let stateReason: String?
    /// How often it was requeued.
    public let requeues: Int
    /// The dead letter from which this message was requeued before it failed again.
    public let previousID: String?
    /// The dead letter of which this one is an edited copy; the message then has an id of its own.
    public let editedFrom: String?
    /// When this record was written.
    public let recordedAt: Timestamp

    static let columns = """
        id, transport, consumer, source, message_id, type, subject, correlation_id, traceparent, failure_class, code, error,
        attempts, first_failed_at, failed_at, headers, body, x_death, state, state_changed_at, state_reason, requeues,
        previous_id, edited_from, recorded_at
        """

    /// Reads ``columns``, in their order.
    init(_ row: Row) {
        id = row[0]
        transport = row[1]
        consumer = row[2]
        source = row[3]
        messageID = row[4]
        type = row[5]
        subject = row[6]
        correlationID = row[7]
        traceparent = row[8]
        failureClass = row[9]
        code = row[10]
        error = row[11]
        attempts = row[12]
        firstFailedAt = Timestamp(millisecondsSinceEpoch: row[13])
        failedAt = Timestamp(millisecondsSinceEpoch: row[14])
        headers = HeaderText.decodePairs([UInt8](row[15] as Data)) ?? []
        body = [UInt8](row[16] as Data)
        xDeath = row[17]
        state = State(rawValue: row[18]) ?? .held
        stateChangedAt = Timestamp(millisecondsSinceEpoch: row[19])
        stateReason = row[20]
        requeues = row[21]
        previousID = row[22]
        editedFrom = row[23]
        recordedAt = Timestamp(millisecondsSinceEpoch: row[24])
    }

    init(
        id: String,
        transport: Transport,
        consumer: String,
        source: String,
        envelope: Envelope?,
        failureClass: String,
        code: String,
        error: String,
        attempts: Int,
        firstFailedAt: Timestamp,
        failedAt: Timestamp,
        headers: [(name: String, value: String)],
        body: [UInt8],
        xDeath: String?,
        previousID: String?,
        now: Timestamp
    ) {
        self.id = id
        self.transport = transport.rawValue
        self.consumer = consumer
        self.source = source
        messageID = envelope?.id
        type = envelope?.type
        subject = envelope?.subject
        correlationID = envelope?.correlationID
        traceparent = envelope?.traceparent
        self.failureClass = failureClass
        self.code = code
        self.error = error.capped(atUTF8: DeadLetterHeaders.maximumErrorBytes)
        self.attempts = attempts
        self.firstFailedAt = firstFailedAt
        self.failedAt = failedAt
        self.headers = headers
        self.body = body
        self.xDeath = xDeath
        state = .held
        stateChangedAt = now
        stateReason = nil
        requeues = 0
        self.previousID = previousID
        editedFrom = nil
        recordedAt = now
    }

    /// A copy with another payload, under another id, waiting for a decision.
    init(editing original: DeadLetter, id: String, envelope: Envelope, now: Timestamp) {
        self.id = id
        transport = original.transport
        consumer = original.consumer
        source = original.source
        messageID = envelope.id
        type = envelope.type
        subject = envelope.subject
        correlationID = envelope.correlationID
        traceparent = envelope.traceparent
        failureClass = original.failureClass
        code = original.code
        error = original.error
        attempts = original.attempts
        firstFailedAt = original.firstFailedAt
        failedAt = original.failedAt
        headers = original.headers.map { header in
            switch header.name {
            case "ce_id": (name: header.name, value: envelope.id)
            case "content-type": (name: header.name, value: envelope.contentType)
            default: header
            }
        }
        body = envelope.body
        xDeath = original.xDeath
        state = .held
        stateChangedAt = now
        stateReason = nil
        requeues = 0
        previousID = original.previousID
        editedFrom = original.id
        recordedAt = now
    }
}
