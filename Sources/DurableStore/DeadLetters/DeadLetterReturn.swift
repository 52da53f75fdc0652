public import Messaging

/// Sends letters back that came neither from an inbox nor from the event log: what they go back to is not the kit's business.
public protocol DeadLetterReturn: Sendable {
    /// Puts what the letter was about on its way again, with rows in the unit that also marks the letter as requeued. A rehearsal
    /// does the same in a unit that is taken back.
    ///
    /// - Returns: what is to be expected.
    /// - Throws: a ``Failure`` of class permanent, with its code and sentence, when that cannot be done to this letter; nothing
    ///   that was written remains.
    func sendBack(_ letter: DeadLetter, in transaction: Transaction) throws -> DeadLetterDeparture

    /// Why such a letter cannot be edited, and what to do instead: its code and sentence are the answer to whoever tries.
    var editRefusal: Failure { get }
}

/// What is to be expected of a letter that was sent back.
public enum DeadLetterDeparture: Sendable, Hashable {
    /// It is tried now.
    case onItsWay
    /// It is tried when something else has happened first.
    case waiting(code: String, sentence: String)
    /// It had arrived in the meantime: nothing was sent.
    case alreadyArrived(sentence: String)
}
