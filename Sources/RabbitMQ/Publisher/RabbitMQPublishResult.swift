/// How the publishing of one message ended.
public enum RabbitMQPublishResult: Sendable, Hashable {
    /// The broker has taken responsibility (quorum queues: written to disk on a majority).
    case confirmed
    /// No queue was bound for the message; the broker handed it back (`basic.return`).
    case returned(code: UInt16, text: String)
    /// A queue refused it, for example because it is full (`reject-publish`). Another bound queue may have it.
    case nacked
    /// The body is larger than `maximumMessageSize`; nothing was sent.
    case tooLarge(limit: Int)
    /// The message cannot be expressed in the protocol (a text of more than 255 bytes, headers larger than a frame); nothing
    /// was sent.
    case invalid(String)
    /// The exchange does not exist (channel error 404).
    case noExchange(text: String)
    /// The broker closed the channel because of this message (403: the user may not write there; 406: a bad property).
    case refused(code: UInt16, text: String)
    /// Certainly not taken: it could not be sent in time, or the publisher has been stopped, or the task was cancelled first.
    case notConnected
    /// Sent, but neither confirmed nor refused when the connection, the channel or the time was lost: it may be in the queue.
    case unknown

    /// Whether the broker has the message for certain.
    public var isConfirmed: Bool { self == .confirmed }
}
