/// Sends letters back that came neither from an inbox nor from the event log: what they go back to is not the kit's business.
public protocol DeadLetterReturn: Sendable {
    /// Puts what the letter was about on its way again, with rows in the unit that also marks the letter as requeued.
    ///
    /// - Throws: a ``Failure`` of class permanent, with its code and sentence, when that cannot be done to this letter; nothing
    ///   that was written remains.
    func sendBack(_ letter: DeadLetter, in transaction: Transaction) throws
}
