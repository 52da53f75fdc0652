/// The port through which the relay sends: one adapter per transport.
public protocol MessagePublisher: Sendable {
    /// Sends messages and waits until the fate of each is known.
    ///
    /// Messages of one call are sent in order; concurrent calls may interleave. An adapter never throws: whatever happens
    /// is the outcome of a message. Cancelling the task resolves what is unresolved as ``PublishOutcome/failed(_:)`` with
    /// class `interrupted`.
    ///
    /// - Returns: one outcome per message, in the order of `messages`.
    func publish(_ messages: [OutgoingMessage]) async -> [PublishOutcome]
}

/// What became of one message.
public enum PublishOutcome: Sendable, Hashable {
    /// The broker has taken responsibility: a confirm of an AMQP broker, an acknowledged write of all in-sync replicas.
    case confirmed
    /// It may or may not have arrived; it must be sent again. `retryable` and `interrupted`: later. `poison`: this very
    /// message can never be sent (too large, say) and is parked.
    case failed(Failure)
}
