/// One message, whatever carries it: a CloudEvent 1.0 with the extensions that the kit relies on.
///
/// The attributes have the names and meanings of the CloudEvents specification (section 3.1); `sequence`, `correlationid`,
/// `causationid`, `traceparent`, `replyto` and `attempt` are extensions.
public struct Envelope: Sendable, Hashable {
    /// Unique per message and the same on every redelivery: the key by which a consumer absorbs duplicates. 1…128 bytes.
    public var id: String
    /// Who produced it, a URI reference such as `/waybill/order`.
    public var source: String
    /// What it says, with its version: `waybill.order.placed.v1`.
    public var type: String
    /// The aggregate it is about. The key that keeps order: messages of one subject stay in sequence.
    public var subject: String
    /// When the producer decided it. Shown to people; never used for order.
    public var time: Timestamp
    /// Position among the messages about `subject` from this source: 1, 2, 3 … without gaps. `nil` for commands and replies.
    public var sequence: Int64?
    /// The business process that this message belongs to; the same on every message that follows from one request.
    public var correlationID: String
    /// The `id` of the message whose handling produced this one; `nil` when a person or a clock did.
    public var causationID: String?
    /// W3C Trace Context `traceparent` of the span that created this message.
    public var traceparent: String?
    /// Where an answer is expected; `nil` when none is.
    public var replyTo: String?
    /// How many times handling was begun and failed before, plus one. Counted by us, carried in the message. From 1.
    public var attempt: Int
    /// Media type of `body`.
    public var contentType: String
    /// The payload, byte for byte as it was or will be sent.
    public var body: [UInt8]

    /// Makes an envelope; see the properties for what each part means.
    public init(
        id: String,
        source: String,
        type: String,
        subject: String,
        time: Timestamp,
        sequence: Int64? = nil,
        correlationID: String,
        causationID: String? = nil,
        traceparent: String? = nil,
        replyTo: String? = nil,
        attempt: Int = 1,
        contentType: String = "application/json",
        body: [UInt8]
    ) {
        self.id = id
        self.source = source
        self.type = type
        self.subject = subject
        self.time = time
        self.sequence = sequence
        self.correlationID = correlationID
        self.causationID = causationID
        self.traceparent = traceparent
        self.replyTo = replyTo
        self.attempt = attempt
        self.contentType = contentType
        self.body = body
    }
}
