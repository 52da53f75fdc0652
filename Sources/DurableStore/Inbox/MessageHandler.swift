public import Messaging

/// What a service does with a message.
///
/// Runs synchronously inside the unit that also holds the inbox row: its rows, its outgoing messages and the note that the
/// message was handled are committed together or not at all.
public protocol MessageHandler: Sendable {
    /// The name under which handled message ids are remembered; the same for ever. 1…128 bytes.
    var consumer: String { get }

    /// Handles one message, on the writer's thread: no network, no waiting.
    ///
    /// - Throws: a ``ClassifiedFailure``. `permanent`: the message is recorded as refused and done with (to answer, enqueue
    ///   the answer and return instead of throwing). `retryable`, `poison`, `fatal`, `interrupted`: as ``FailureClass`` says.
    ///   Whatever is thrown, nothing that the handler wrote remains.
    func handle(_ envelope: Envelope, in transaction: Transaction) throws
}

/// What became of one message, for metrics and logs.
public struct ProcessingObservation: Sendable {
    /// The ways in which processing ends.
    public enum Outcome: String, Sendable, CaseIterable {
        case handled
        /// Handled; nothing had to change.
        case noOperation = "noop"
        /// Refused by a rule, and recorded.
        case refused
        /// Seen before under the same id with the same content.
        case duplicate
        /// Will be handled again after a delay.
        case retried
        /// Waits, with its key, until it is tried again.
        case parked
        case deadLettered = "dead-lettered"
        /// Not handled, and not at fault: it is given back, or waits here until the store can write again.
        case givenBack = "given-back"
        /// The process must stop.
        case stopped
    }

    /// The consumer or queue.
    public let consumer: String
    /// Where the message came from.
    public let source: MessageSource
    /// The message's type; `nil` when its envelope cannot be read.
    public let type: String?
    /// Its subject; `nil` when its envelope cannot be read.
    public let subject: String?
    /// Its id; `nil` when its envelope cannot be read.
    public let messageID: String?
    /// Which attempt this was, from 1.
    public let attempt: Int
    /// How it ended.
    public let outcome: Outcome
    /// The failure behind it, if there was one.
    public let failure: Failure?
    /// How long the unit ran, without waiting and commit.
    public let duration: Duration
}
