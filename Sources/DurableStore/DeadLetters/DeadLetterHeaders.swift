import Messaging

/// Names of the headers that say why a message is a dead letter.
///
/// They travel beside the message's own headers, which are kept byte for byte in ``original``.
public enum DeadLetterHeaders {
    /// The prefix of them all.
    public static let prefix = "x-waybill-"
    /// The failure's code.
    public static let reason = "x-waybill-reason"
    /// The failure's class.
    public static let failureClass = "x-waybill-class"
    /// The failure's sentence, at most 8 KiB.
    public static let error = "x-waybill-error"
    /// Attempts made.
    public static let attempts = "x-waybill-attempts"
    /// When the first attempt failed; RFC 3339.
    public static let firstFailedAt = "x-waybill-first-failed-at"
    /// When the last attempt failed; RFC 3339.
    public static let failedAt = "x-waybill-failed-at"
    /// The inbox in which it failed.
    public static let source = "x-waybill-source"
    /// The record's id: the same however often the letter is sent.
    public static let id = "x-waybill-dead-letter-id"
    /// The dead letter from which this message was requeued.
    public static let previous = "x-waybill-previous-dead-letter"
    /// All headers as they came: a JSON array of pairs.
    public static let original = "x-waybill-headers"
    /// `true` when ``original`` had to be cut to ``maximumOriginalBytes``.
    public static let truncated = "x-waybill-headers-truncated"
    /// The most bytes of ``original``: a message's headers fit in one AMQP frame of 128 KiB.
    public static let maximumOriginalBytes = 49_152
    /// The most bytes of ``error``.
    public static let maximumErrorBytes = 8192
}
