/// The port between the consumer loop and the store: handles a batch, each message in a unit of its own.
public protocol MessageProcessor: Sendable {
    /// Handles messages in order and says what to do with each. When it returns, every effect of an acknowledged message
    /// is committed, be it the handler's, a retry's or a dead letter's.
    func process(_ batch: [ReceivedMessage]) async -> [Verdict]

    /// The same, by a processor that may keep messages for a while before it says what to do with them.
    ///
    /// - Parameter isEnding: whether the consumer is about to end: then nothing is waited for any more, and what is not
    ///   handled is given back. Cheap; asked again and again.
    func process(_ batch: [ReceivedMessage], until isEnding: @Sendable () -> Bool) async -> [Verdict]
}

extension MessageProcessor {
    /// For processors that do not wait.
    public func process(_ batch: [ReceivedMessage], until isEnding: @Sendable () -> Bool) async -> [Verdict] {
        await process(batch)
    }
}

/// What the loop does with a message after its processing.
public enum Verdict: Sendable, Hashable {
    /// Effects committed: settle it.
    case acknowledge
    /// Not handled and not at fault; give it back.
    case giveBack(Failure)
    /// The process must stop; the message stays unsettled.
    case stop(Failure)
}
