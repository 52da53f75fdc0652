public import Messaging

/// What every message that one decision produces has in common.
public struct MessageContext: Sendable {
    /// The producing service: `/waybill/order`.
    public let source: String
    /// The order (or, for the catalogue, the article) that the process is about.
    public let correlationID: String
    /// The message that caused it, if one did.
    public let causationID: String?
    /// The trace that it belongs to.
    public let traceparent: String?
    /// When it was decided.
    public let now: Timestamp

    /// Makes a context.
    public init(
        source: String,
        correlationID: String,
        causationID: String?,
        traceparent: String?,
        now: Timestamp
    ) {
        self.source = source
        self.correlationID = correlationID
        self.causationID = causationID
        self.traceparent = traceparent
        self.now = now
    }

    /// The context of whatever a received message causes.
    public init(source: String, causedBy cause: Envelope, now: Timestamp) {
        self.init(
            source: source,
            correlationID: cause.correlationID,
            causationID: cause.id,
            traceparent: cause.traceparent,
            now: now
        )
    }

    /// A command or a reply, on its way to an inbox.
    ///
    /// - Parameters:
    ///   - inbox: the receiver's inbox, one of ``Channels``.
    ///   - id: a new message id.
    ///   - subject: the order.
    public func message<Payload: CommerceMessage>(
        _ payload: Payload,
        to inbox: String,
        id: String,
        subject: String,
        replyTo: String? = nil
    ) throws(PayloadFault) -> OutgoingMessage {
        OutgoingMessage(
            to: .inbox(inbox),
            Envelope(
                id: id,
                source: source,
                type: Payload.messageType,
                subject: subject,
                time: now,
                correlationID: correlationID,
                causationID: causationID,
                traceparent: traceparent,
                replyTo: replyTo,
                body: try PayloadCodec.encode(payload)
            )
        )
    }

    /// An event, on its way to a topic.
    ///
    /// - Parameters:
    ///   - type: the CloudEvents type, with its version.
    ///   - topic: one of ``Channels``.
    ///   - id: a new message id.
    ///   - subject: the aggregate, which is also the key.
    ///   - sequence: the aggregate's version, from 1, without gaps.
    public func event<Payload: Encodable>(
        _ payload: Payload,
        type: String,
        topic: String,
        id: String,
        subject: String,
        sequence: Int64
    ) throws(PayloadFault) -> OutgoingMessage {
        OutgoingMessage(
            to: .topic(topic),
            Envelope(
                id: id,
                source: source,
                type: type,
                subject: subject,
                time: now,
                sequence: sequence,
                correlationID: correlationID,
                causationID: causationID,
                traceparent: traceparent,
                body: try PayloadCodec.encode(payload)
            )
        )
    }
}
